//! Wrapped data keys.

use parley_domain::{Timestamp, WorkspaceId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::rows::upsert;
use super::table;
use crate::error::Result;

/// A data key under a KEK.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrappedRow {
    /// The workspace's id; empty for rows of no workspace.
    pub owner: String,
    pub version: u32,
    /// Which KEK opens it.
    pub kek: String,
    pub wrapped: Vec<u8>,
}

fn wrapped(row: table::workspace_key::Model) -> WrappedRow {
    WrappedRow {
        owner: row.workspace,
        version: u32::try_from(row.version).unwrap_or(0),
        kek: row.kek,
        wrapped: row.wrapped,
    }
}

/// The owner's newest data key.
pub async fn newest<C: ConnectionTrait>(connection: &C, owner: &str) -> Result<Option<WrappedRow>> {
    use table::workspace_key::{Column, Entity};
    let found =
        Entity::find().filter(Column::Workspace.eq(owner)).order_by_desc(Column::Version).one(connection).await?;
    Ok(found.map(wrapped))
}

/// The owner's data key of that version.
pub async fn version<C: ConnectionTrait>(connection: &C, owner: &str, version: u32) -> Result<Option<WrappedRow>> {
    let key = (owner.to_owned(), i64::from(version));
    Ok(table::workspace_key::Entity::find_by_id(key).one(connection).await?.map(wrapped))
}

/// Every wrapped data key.
pub async fn all<C: ConnectionTrait>(connection: &C) -> Result<Vec<WrappedRow>> {
    Ok(table::workspace_key::Entity::find().all(connection).await?.into_iter().map(wrapped).collect())
}

/// Writes a wrapped data key, over the one of that version.
pub async fn put<C: ConnectionTrait>(txn: &C, row: WrappedRow, now: Timestamp) -> Result<()> {
    use table::workspace_key::{ActiveModel, Column, Model};
    let row = Model {
        workspace: row.owner,
        version: i64::from(row.version),
        kek: row.kek,
        wrapped: row.wrapped,
        created_at: now.0,
    };
    let key = [Column::Workspace, Column::Version];
    upsert::<ActiveModel, _, _, _, _>(txn, vec![row], &key, &[Column::Kek, Column::Wrapped]).await
}

/// Deletes a workspace's data keys; how many there were.
pub async fn shred<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId) -> Result<u64> {
    use table::workspace_key::{Column, Entity};
    let done = Entity::delete_many().filter(Column::Workspace.eq(workspace.to_string())).exec(txn).await?;
    Ok(done.rows_affected)
}
