//! What the server keeps about desks: the policy, each device's lease and outbox key, its receipts, and the order of erasures.

use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::device::{Deed, Erasure, Receipt};
use parley_domain::{ContactId, ConversationId, DeviceId, ErasureId, MemberId, Timestamp, WorkspaceId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{count, maybe, typed, upsert};
use super::table;
use crate::error::{Error, Result};

/// Subject of a receipt for a wipe.
const WIPED: &str = "wiped";

/// A workspace's policy as it is stored.
#[derive(Clone, Debug)]
pub struct PolicyRow {
    pub epoch: u64,
    /// `None`: the default.
    pub policy: Option<DevicePolicy>,
    pub set_by: Option<MemberId>,
    pub at: Timestamp,
}

/// The workspace's policy, if it was ever set.
pub async fn policy<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId) -> Result<Option<PolicyRow>> {
    let found = table::device_policy::Entity::find_by_id(workspace.to_string()).one(connection).await?;
    let Some(row) = found else { return Ok(None) };
    let policy = row.policy.map(|text| serde_json::from_str(&text).map_err(|_| Error::Damaged("device_policy")));
    Ok(Some(PolicyRow {
        epoch: count(row.epoch),
        policy: policy.transpose()?,
        set_by: maybe(row.set_by.as_ref())?,
        at: Timestamp(row.at),
    }))
}

/// Writes the workspace's policy.
pub async fn put_policy<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, row: PolicyRow) -> Result<()> {
    use table::device_policy::{ActiveModel, Column, Model};
    let policy = row.policy.map(|policy| serde_json::to_string(&policy).map_err(|_| Error::Damaged("device_policy")));
    let row = Model {
        workspace: workspace.to_string(),
        epoch: i64::try_from(row.epoch).unwrap_or(i64::MAX),
        policy: policy.transpose()?,
        set_by: row.set_by.map(|member| member.to_string()),
        at: row.at.0,
    };
    let update = [Column::Epoch, Column::Policy, Column::SetBy, Column::At];
    upsert::<ActiveModel, _, _, _, _>(txn, vec![row], &[Column::Workspace], &update).await
}

/// What is known of the copy on a device. Leases and the key are sealed.
#[derive(Clone, Default, Debug)]
pub struct CopyRow {
    pub heard_at: Timestamp,
    pub unsent: u32,
    pub drafts: u32,
    /// Of the present lease; the one before it has the serial below.
    pub lease_serial: u64,
    pub leased_at: Timestamp,
    pub lease: Option<Vec<u8>>,
    pub previous_lease: Option<Vec<u8>>,
    pub outbox_key: Option<Vec<u8>>,
}

/// The copy on a device. The device's row is locked by whoever changes it.
pub async fn copy<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    device: DeviceId,
) -> Result<Option<CopyRow>> {
    let key = (workspace.to_string(), device.to_string());
    let found = table::device_copy::Entity::find_by_id(key).one(connection).await?;
    Ok(found.map(|row| CopyRow {
        heard_at: Timestamp(row.heard_at),
        unsent: u32::try_from(row.unsent).unwrap_or(u32::MAX),
        drafts: u32::try_from(row.drafts).unwrap_or(u32::MAX),
        lease_serial: count(row.lease_serial),
        leased_at: Timestamp(row.leased_at),
        lease: row.lease,
        previous_lease: row.previous_lease,
        outbox_key: row.outbox_key,
    }))
}

/// Writes the copy of a device.
pub async fn put_copy<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    device: DeviceId,
    row: CopyRow,
) -> Result<()> {
    use table::device_copy::{ActiveModel, Column, Model};
    let row = Model {
        workspace: workspace.to_string(),
        device: device.to_string(),
        heard_at: row.heard_at.0,
        unsent: i64::from(row.unsent),
        drafts: i64::from(row.drafts),
        lease_serial: i64::try_from(row.lease_serial).unwrap_or(i64::MAX),
        leased_at: row.leased_at.0,
        lease: row.lease,
        previous_lease: row.previous_lease,
        outbox_key: row.outbox_key,
    };
    let update = [
        Column::HeardAt,
        Column::Unsent,
        Column::Drafts,
        Column::LeaseSerial,
        Column::LeasedAt,
        Column::Lease,
        Column::PreviousLease,
        Column::OutboxKey,
    ];
    upsert::<ActiveModel, _, _, _, _>(txn, vec![row], &[Column::Workspace, Column::Device], &update).await
}

/// Forgets a device's leases and outbox key; what it last counted stays. `None`: those of all revoked devices of the workspace.
pub async fn forget_keys<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, device: Option<DeviceId>) -> Result<()> {
    use table::device_copy::{Column, Entity};
    let update = Entity::update_many()
        .col_expr(Column::Lease, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::PreviousLease, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::OutboxKey, Expr::value(None::<Vec<u8>>))
        .filter(Column::Workspace.eq(workspace.to_string()));
    let update = match device {
        Some(device) => update.filter(Column::Device.eq(device.to_string())),
        None => {
            use table::device;
            let revoked: Vec<String> = device::Entity::find()
                .select_only()
                .column(device::Column::Id)
                .filter(device::Column::Workspace.eq(workspace.to_string()))
                .filter(device::Column::RevokedAt.is_not_null())
                .into_tuple()
                .all(txn)
                .await?;
            update.filter(Column::Device.is_in(revoked))
        }
    };
    update.exec(txn).await?;
    Ok(())
}

/// Records a receipt; one that is known stays as it is. Whether it is new.
pub async fn put_receipt<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    receipt: &Receipt,
    now: Timestamp,
) -> Result<bool> {
    use table::device_receipt::{ActiveModel, Entity, Model};
    let (subject, removed, unsent, drafts) = match receipt.deed {
        Deed::Erased { erasure, rows } => (erasure.to_string(), i64::try_from(rows).unwrap_or(i64::MAX), 0, 0),
        Deed::Wiped { unsent, drafts, .. } => (WIPED.to_owned(), 0, i64::from(unsent), i64::from(drafts)),
    };
    let key = (workspace.to_string(), receipt.device.to_string(), subject.clone());
    if Entity::find_by_id(key).one(txn).await?.is_some() {
        return Ok(false);
    }
    let row = Model {
        workspace: workspace.to_string(),
        device: receipt.device.to_string(),
        subject,
        at: receipt.at.0,
        removed,
        unsent,
        drafts,
        signature: receipt.signature.clone(),
        received_at: now.0,
    };
    Entity::insert(ActiveModel::from(row)).exec_without_returning(txn).await?;
    Ok(true)
}

/// Whether a receipt says that the device deleted everything.
pub async fn is_wiped<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId, device: DeviceId) -> Result<bool> {
    let key = (workspace.to_string(), device.to_string(), WIPED.to_owned());
    Ok(table::device_receipt::Entity::find_by_id(key).one(connection).await?.is_some())
}

/// Erasures since a device was made that it has not confirmed.
pub async fn erasures_waiting<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    device: DeviceId,
    since: Timestamp,
) -> Result<u32> {
    let all = {
        use table::erasure::{Column, Entity};
        Entity::find()
            .filter(Column::Workspace.eq(workspace.to_string()))
            .filter(Column::At.gte(since.0))
            .count(connection)
            .await?
    };
    let confirmed = {
        use table::device_receipt::{Column, Entity};
        Entity::find()
            .filter(Column::Workspace.eq(workspace.to_string()))
            .filter(Column::Device.eq(device.to_string()))
            .filter(Column::Subject.ne(WIPED))
            .count(connection)
            .await?
    };
    Ok(u32::try_from(all.saturating_sub(confirmed)).unwrap_or(u32::MAX))
}

/// Notes an erasure for desks; one of that contact that is noted already stays. The workspace's block of numbers is held, so
/// places have no gap and no double.
pub async fn note_erasure<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    id: ErasureId,
    contact: ContactId,
    conversations: &[ConversationId],
    at: Timestamp,
) -> Result<()> {
    use table::erasure::{ActiveModel, Column, Entity, Model};
    let of = || Entity::find().filter(Column::Workspace.eq(workspace.to_string()));
    if of().filter(Column::Contact.eq(contact.to_string())).one(txn).await?.is_some() {
        return Ok(());
    }
    let last = of().order_by_desc(Column::Place).one(txn).await?.map_or(0, |row| row.place);
    let row = Model {
        workspace: workspace.to_string(),
        place: last + 1,
        id: id.to_string(),
        contact: contact.to_string(),
        conversations: serde_json::to_string(conversations).map_err(|_| Error::Damaged("erasure"))?,
        at: at.0,
    };
    Entity::insert(ActiveModel::from(row)).exec_without_returning(txn).await?;
    Ok(())
}

/// Erasures after a place, at most `limit`, that were made since a time.
pub async fn erasures_after<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    place: u64,
    since: Timestamp,
    limit: u64,
) -> Result<Vec<Erasure>> {
    use table::erasure::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Place.gt(i64::try_from(place).unwrap_or(i64::MAX)))
        .filter(Column::At.gte(since.0))
        .order_by_asc(Column::Place)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Erasure {
                id: typed(&row.id)?,
                place: count(row.place),
                contact: typed(&row.contact)?,
                conversations: serde_json::from_str(&row.conversations).map_err(|_| Error::Damaged("erasure"))?,
            })
        })
        .collect()
}

/// Forgets erasures older than any desk may be.
pub async fn expire_erasures<C: ConnectionTrait>(txn: &C, before: Timestamp) -> Result<()> {
    use table::erasure::{Column, Entity};
    Entity::delete_many().filter(Column::At.lt(before.0)).exec(txn).await?;
    Ok(())
}
