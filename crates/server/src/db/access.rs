//! Members, devices and their tokens: what authentication reads and writes.

use std::collections::BTreeSet;

use parley_domain::permission::{Actor, Role};
use parley_domain::{DeviceId, InboxId, MemberId, PersonName, Timestamp, WorkspaceId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::rows::{count, typed};
use super::table;
use crate::error::{Error, Result};

/// A member as sign-in needs it.
#[derive(Clone, Debug)]
pub struct MemberRow {
    pub workspace: WorkspaceId,
    pub workspace_name: String,
    pub id: MemberId,
    pub name: PersonName,
    pub role: Role,
    pub active: bool,
    /// PHC string of argon2id.
    pub password: String,
    /// Raised when what the member may see changes.
    pub epoch: u64,
    pub inboxes: BTreeSet<InboxId>,
}

impl MemberRow {
    /// The member as the rules see it.
    pub fn actor(&self) -> Actor {
        Actor { member: self.id, role: self.role, inboxes: self.inboxes.clone() }
    }
}

/// A device with the hashes of its tokens.
#[derive(Clone, Debug)]
pub struct DeviceRow {
    pub workspace: WorkspaceId,
    pub id: DeviceId,
    pub member: MemberId,
    pub name: String,
    pub access_hash: Option<String>,
    pub access_expires_at: Timestamp,
    pub refresh_hash: Option<String>,
    /// Hash of the refresh token before the present one.
    pub previous_hash: Option<String>,
    /// Drawn at every rotation; the successor tokens are derived from it.
    pub nonce: String,
    pub rotated_at: Timestamp,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// The member with that e-mail address, lowercased.
pub async fn member_by_email<C: ConnectionTrait>(connection: &C, email: &str) -> Result<Option<MemberRow>> {
    use table::member::{Column, Entity};
    match Entity::find().filter(Column::Email.eq(email)).one(connection).await? {
        Some(row) => member_row(connection, row).await.map(Some),
        None => Ok(None),
    }
}

/// A member by id.
pub async fn member<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    id: MemberId,
) -> Result<Option<MemberRow>> {
    let key = (workspace.to_string(), id.to_string());
    match table::member::Entity::find_by_id(key).one(connection).await? {
        Some(row) => member_row(connection, row).await.map(Some),
        None => Ok(None),
    }
}

async fn member_row<C: ConnectionTrait>(connection: &C, row: table::member::Model) -> Result<MemberRow> {
    use table::member_inbox::{Column, Entity};
    let inboxes: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Inbox)
        .filter(Column::Workspace.eq(&row.workspace))
        .filter(Column::Member.eq(&row.id))
        .into_tuple()
        .all(connection)
        .await?;
    let workspace = table::workspace::Entity::find_by_id(row.workspace.clone())
        .one(connection)
        .await?
        .ok_or(Error::Damaged("workspace"))?;
    Ok(MemberRow {
        workspace: typed(&row.workspace)?,
        workspace_name: workspace.name,
        id: typed(&row.id)?,
        name: PersonName::new(row.name),
        role: Role::parse(&row.role).ok_or(Error::Damaged("role"))?,
        active: row.active,
        password: row.password,
        epoch: count(row.epoch),
        inboxes: inboxes.iter().map(|inbox| typed(inbox)).collect::<Result<_>>()?,
    })
}

/// Inboxes that an actor may see, in order of id. Admins see all.
pub async fn inboxes_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    actor: &Actor,
) -> Result<Vec<InboxId>> {
    use table::inbox::{Column, Entity};
    if actor.role != Role::Admin {
        return Ok(actor.inboxes.iter().copied().collect());
    }
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .into_tuple()
        .all(connection)
        .await?;
    let mut inboxes: Vec<InboxId> = ids.iter().map(|id| typed(id)).collect::<Result<_>>()?;
    inboxes.sort_unstable();
    Ok(inboxes)
}

/// The device with that access token.
pub async fn device_by_access<C: ConnectionTrait>(connection: &C, hash: &str) -> Result<Option<DeviceRow>> {
    use table::device::{Column, Entity};
    Entity::find().filter(Column::AccessHash.eq(hash)).one(connection).await?.map(device_row).transpose()
}

/// The device with that id, in whatever workspace, locked.
pub async fn device<C: ConnectionTrait>(connection: &C, id: DeviceId) -> Result<Option<DeviceRow>> {
    use table::device::{Column, Entity};
    Entity::find()
        .filter(Column::Id.eq(id.to_string()))
        .lock_exclusive()
        .one(connection)
        .await?
        .map(device_row)
        .transpose()
}

fn device_row(row: table::device::Model) -> Result<DeviceRow> {
    Ok(DeviceRow {
        workspace: typed(&row.workspace)?,
        id: typed(&row.id)?,
        member: typed(&row.member)?,
        name: row.name,
        access_hash: row.access_hash,
        access_expires_at: Timestamp(row.access_expires_at),
        refresh_hash: row.refresh_hash,
        previous_hash: row.previous_hash,
        nonce: row.nonce,
        rotated_at: Timestamp(row.rotated_at),
        created_at: Timestamp(row.created_at),
        last_seen_at: Timestamp(row.last_seen_at),
        revoked_at: row.revoked_at.map(Timestamp),
    })
}

/// Writes a device.
pub async fn put_device<C: ConnectionTrait>(txn: &C, device: &DeviceRow) -> Result<()> {
    use table::device::{ActiveModel, Column, Model};
    let row = Model {
        workspace: device.workspace.to_string(),
        id: device.id.to_string(),
        member: device.member.to_string(),
        name: device.name.clone(),
        access_hash: device.access_hash.clone(),
        access_expires_at: device.access_expires_at.0,
        refresh_hash: device.refresh_hash.clone(),
        previous_hash: device.previous_hash.clone(),
        nonce: device.nonce.clone(),
        rotated_at: device.rotated_at.0,
        created_at: device.created_at.0,
        last_seen_at: device.last_seen_at.0,
        revoked_at: device.revoked_at.map(|at| at.0),
    };
    super::rows::upsert::<ActiveModel, Model, _, _, _>(
        txn,
        vec![row],
        &[Column::Workspace, Column::Id],
        &[
            Column::Name,
            Column::AccessHash,
            Column::AccessExpiresAt,
            Column::RefreshHash,
            Column::PreviousHash,
            Column::Nonce,
            Column::RotatedAt,
            Column::LastSeenAt,
            Column::RevokedAt,
        ],
    )
    .await
}

/// Takes a device's tokens away; with `revoked_at`, for good.
pub async fn clear_tokens<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    device: DeviceId,
    revoked_at: Option<Timestamp>,
) -> Result<bool> {
    use table::device::{Column, Entity};
    let mut update = Entity::update_many()
        .col_expr(Column::AccessExpiresAt, Expr::value(0i64))
        .col_expr(Column::RefreshHash, Expr::value(None::<String>))
        .col_expr(Column::PreviousHash, Expr::value(None::<String>));
    update = match revoked_at {
        // The access hash stays, so that the device is told that it was revoked, and not merely refused.
        Some(at) => update.col_expr(Column::RevokedAt, Expr::value(at.0)),
        None => update.col_expr(Column::AccessHash, Expr::value(None::<String>)),
    };
    let done = update
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(device.to_string()))
        .exec(txn)
        .await?;
    Ok(done.rows_affected == 1)
}
