//! Rows of the audit log. Only [`append`] writes entries, and nothing updates or deletes one.

use std::collections::{BTreeMap, BTreeSet};

use parley_domain::{MemberId, PersonName, Timestamp, WorkspaceId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, Insert, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{count, insert, maybe, typed, whole};
use super::table;
use crate::error::{Error, Result};

/// One entry as it is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EntryRow {
    pub place: u64,
    pub at: Timestamp,
    pub actor: Option<MemberId>,
    pub action: String,
    pub target: String,
    pub details: String,
    /// Hash of the entry before; zeros at the first.
    pub prev: String,
    pub hash: String,
}

/// Where a chain ends.
#[derive(Clone, Debug)]
pub struct Head {
    pub workspace: WorkspaceId,
    /// Place of the last entry, 0 when there is none.
    pub place: u64,
    pub hash: String,
    /// Place of the last checkpoint, 0 when there is none.
    pub sealed_upto: u64,
    pub sealed_at: Timestamp,
}

/// A signed checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRow {
    pub place: u64,
    pub at: Timestamp,
    pub hash: String,
    /// Hex.
    pub signature: String,
}

/// The end of the workspace's chain, locked until the transaction ends; it is made when there is none.
pub async fn lock<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, empty: &str) -> Result<Head> {
    use table::audit_head::{Column, Entity, Model};
    let row =
        Model { workspace: workspace.to_string(), place: 0, hash: empty.to_owned(), sealed_upto: 0, sealed_at: 0 };
    let keep = OnConflict::column(Column::Workspace).update_column(Column::Workspace).to_owned();
    Insert::one(table::audit_head::ActiveModel::from(row)).on_conflict(keep).exec_without_returning(txn).await?;
    let row = Entity::find_by_id(workspace.to_string()).lock_exclusive().one(txn).await?;
    head(row.ok_or(Error::Damaged("audit_head"))?)
}

/// Where the chain ends; `None` before the first entry.
pub async fn peek<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId) -> Result<Option<Head>> {
    table::audit_head::Entity::find_by_id(workspace.to_string()).one(connection).await?.map(head).transpose()
}

/// Chains whose end no checkpoint covers.
pub async fn unsealed<C: ConnectionTrait>(connection: &C) -> Result<Vec<Head>> {
    use table::audit_head::{Column, Entity};
    let rows =
        Entity::find().filter(Expr::col(Column::Place).gt(Expr::col(Column::SealedUpto))).all(connection).await?;
    rows.into_iter().map(head).collect()
}

fn head(row: table::audit_head::Model) -> Result<Head> {
    Ok(Head {
        workspace: typed(&row.workspace)?,
        place: count(row.place),
        hash: row.hash,
        sealed_upto: count(row.sealed_upto),
        sealed_at: Timestamp(row.sealed_at),
    })
}

/// Adds an entry at the end of the chain, whose head is locked.
pub async fn append<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, entry: EntryRow) -> Result<()> {
    use table::audit_head::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Place, Expr::value(whole(entry.place)))
        .col_expr(Column::Hash, Expr::value(entry.hash.clone()))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .exec(txn)
        .await?;
    let row = table::audit::Model {
        workspace: workspace.to_string(),
        place: whole(entry.place),
        at: entry.at.0,
        actor: entry.actor.map(|actor| actor.to_string()),
        action: entry.action,
        target: entry.target,
        details: entry.details,
        prev: entry.prev,
        hash: entry.hash,
    };
    insert::<table::audit::ActiveModel, _, _>(txn, vec![row]).await
}

/// Adds a checkpoint at the end of the chain, whose head is locked.
pub async fn seal<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, checkpoint: CheckpointRow) -> Result<()> {
    use table::audit_head::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::SealedUpto, Expr::value(whole(checkpoint.place)))
        .col_expr(Column::SealedAt, Expr::value(checkpoint.at.0))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .exec(txn)
        .await?;
    let row = table::audit_checkpoint::Model {
        workspace: workspace.to_string(),
        place: whole(checkpoint.place),
        at: checkpoint.at.0,
        hash: checkpoint.hash,
        signature: checkpoint.signature,
    };
    insert::<table::audit_checkpoint::ActiveModel, _, _>(txn, vec![row]).await
}

/// Entries after a place, oldest first.
pub async fn after<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    place: u64,
    limit: u64,
) -> Result<Vec<EntryRow>> {
    use table::audit::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Place.gt(whole(place)))
        .order_by_asc(Column::Place)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter().map(entry).collect()
}

/// Entries before a place, newest first.
pub async fn before<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    place: Option<u64>,
    limit: u64,
) -> Result<Vec<EntryRow>> {
    use table::audit::{Column, Entity};
    let mut query = Entity::find().filter(Column::Workspace.eq(workspace.to_string()));
    if let Some(place) = place {
        query = query.filter(Column::Place.lt(whole(place)));
    }
    let rows = query.order_by_desc(Column::Place).limit(limit).all(connection).await?;
    rows.into_iter().map(entry).collect()
}

fn entry(row: table::audit::Model) -> Result<EntryRow> {
    Ok(EntryRow {
        place: count(row.place),
        at: Timestamp(row.at),
        actor: maybe(row.actor.as_ref())?,
        action: row.action,
        target: row.target,
        details: row.details,
        prev: row.prev,
        hash: row.hash,
    })
}

/// Every checkpoint of the workspace, oldest first.
pub async fn checkpoints<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId) -> Result<Vec<CheckpointRow>> {
    use table::audit_checkpoint::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .order_by_asc(Column::Place)
        .all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| CheckpointRow {
            place: count(row.place),
            at: Timestamp(row.at),
            hash: row.hash,
            signature: row.signature,
        })
        .collect())
}

/// Every workspace there is.
pub async fn workspaces<C: ConnectionTrait>(connection: &C) -> Result<Vec<WorkspaceId>> {
    use table::workspace::{Column, Entity};
    let ids: Vec<String> =
        Entity::find().select_only().column(Column::Id).order_by_asc(Column::Id).into_tuple().all(connection).await?;
    ids.iter().map(|id| typed(id)).collect()
}

/// Names of the members with these ids.
pub async fn member_names<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, PersonName>> {
    use table::member::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.is_in(ids))
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, PersonName::new(row.name))).collect())
}

/// Names of the inboxes with these ids.
pub async fn inbox_names<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>> {
    use table::inbox::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.is_in(ids))
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}

/// Names of the devices with these ids.
pub async fn device_names<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    ids: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>> {
    use table::device::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.is_in(ids))
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.name)).collect())
}
