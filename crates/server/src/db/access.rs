//! Members, devices and their tokens: what authentication reads and writes.

use std::collections::BTreeSet;

use parley_domain::permission::{Actor, Role};
use parley_domain::protocol::access::AccessRules;
use parley_domain::{DeviceId, Email, InboxId, MemberId, PersonName, Timestamp, WorkspaceId};
use sea_orm::sea_query::{Expr, Query, UnionType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef, Select,
};

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
    /// Granted by name or by a team.
    pub inboxes: BTreeSet<InboxId>,
    pub email: Email,
    /// Whether a second factor is set up.
    pub two_factor: bool,
    /// The workspace's rules.
    pub rules: AccessRules,
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
    /// The device's Ed25519 public key, hex.
    pub key: Option<String>,
    /// When password and second factor were given last to open a session.
    pub signed_in_at: Timestamp,
    /// Until when it may do what needs a step-up.
    pub stepped_up_until: Option<Timestamp>,
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
    let workspace = table::workspace::Entity::find_by_id(row.workspace.clone())
        .one(connection)
        .await?
        .ok_or(Error::Damaged("workspace"))?;
    let (own, id) = (typed(&row.workspace)?, typed(&row.id)?);
    Ok(MemberRow {
        workspace: own,
        workspace_name: workspace.name,
        id,
        name: PersonName::new(row.name),
        role: Role::parse(&row.role).ok_or(Error::Damaged("role"))?,
        active: row.active,
        password: row.password,
        epoch: count(row.epoch),
        inboxes: granted(connection, own, id).await?,
        email: Email::new(row.email),
        two_factor: row.two_factor,
        rules: AccessRules {
            two_factor_required: workspace.two_factor_required,
            mask_contacts: workspace.mask_contacts,
        },
    })
}

/// Inboxes that a member sees because they were granted by name or to one of the member's teams: the one place that says so.
pub async fn granted<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    member: MemberId,
) -> Result<BTreeSet<InboxId>> {
    use table::{member_inbox, team_inbox, team_member};
    let (workspace, member) = (workspace.to_string(), member.to_string());
    let teams = Query::select()
        .column(team_member::Column::Team)
        .from(team_member::Entity)
        .and_where(team_member::Column::Workspace.eq(&workspace))
        .and_where(team_member::Column::Member.eq(&member))
        .to_owned();
    let by_team = Query::select()
        .column(team_inbox::Column::Inbox)
        .from(team_inbox::Entity)
        .and_where(team_inbox::Column::Workspace.eq(&workspace))
        .and_where(team_inbox::Column::Team.in_subquery(teams))
        .to_owned();
    let both = Query::select()
        .column(member_inbox::Column::Inbox)
        .from(member_inbox::Entity)
        .and_where(member_inbox::Column::Workspace.eq(&workspace))
        .and_where(member_inbox::Column::Member.eq(&member))
        .union(UnionType::Distinct, by_team)
        .to_owned();
    let rows = connection.query_all(&both).await?;
    rows.iter().map(|row| typed(&row.try_get_by_index::<String>(0)?)).collect()
}

/// Holds all changes of access of a workspace apart: the second waits for the first to end.
pub async fn lock<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId) -> Result<()> {
    table::workspace::Entity::find_by_id(workspace.to_string())
        .lock_exclusive()
        .one(txn)
        .await?
        .map(drop)
        .ok_or(Error::Refused(parley_domain::Code::NotFound, "no such workspace"))
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

/// The member, the device and the workspace behind an access token: everything that every request needs, in one row.
#[derive(Clone, Debug, FromQueryResult)]
struct Held {
    device: String,
    access_expires_at: i64,
    revoked_at: Option<i64>,
    stepped_up_until: Option<i64>,
    workspace: String,
    member: String,
    name: String,
    email: String,
    role: String,
    active: bool,
    epoch: i64,
    two_factor: bool,
    two_factor_required: bool,
    mask_contacts: bool,
    seq: i64,
    lineage: String,
}

/// Who holds an access token.
#[derive(Clone, Debug)]
pub struct Holder {
    pub workspace: WorkspaceId,
    pub device: DeviceId,
    pub access_expires_at: Timestamp,
    pub revoked: bool,
    pub stepped_up_until: Option<Timestamp>,
    pub member: MemberId,
    pub role: Role,
    pub name: PersonName,
    pub email: Email,
    pub active: bool,
    pub epoch: u64,
    pub two_factor: bool,
    pub rules: AccessRules,
    /// The workspace's counter.
    pub seq: u64,
    pub lineage: String,
}

/// The holder of the access token with that hash.
pub async fn holder<C: ConnectionTrait>(connection: &C, hash: &str) -> Result<Option<Holder>> {
    use table::{device, member, workspace};
    let held = of_member(device::Entity::find())
        .join(JoinType::InnerJoin, to_workspace())
        .column_as(device::Column::Id, "device")
        .columns([
            device::Column::AccessExpiresAt,
            device::Column::RevokedAt,
            device::Column::SteppedUpUntil,
            device::Column::Workspace,
            device::Column::Member,
        ])
        .columns([
            member::Column::Name,
            member::Column::Email,
            member::Column::Role,
            member::Column::Active,
            member::Column::Epoch,
            member::Column::TwoFactor,
        ])
        .columns([
            workspace::Column::TwoFactorRequired,
            workspace::Column::MaskContacts,
            workspace::Column::Seq,
            workspace::Column::Lineage,
        ])
        .filter(device::Column::AccessHash.eq(hash))
        .into_model::<Held>()
        .one(connection)
        .await?;
    let Some(held) = held else { return Ok(None) };
    Ok(Some(Holder {
        workspace: typed(&held.workspace)?,
        device: typed(&held.device)?,
        access_expires_at: Timestamp(held.access_expires_at),
        revoked: held.revoked_at.is_some(),
        stepped_up_until: held.stepped_up_until.map(Timestamp),
        member: typed(&held.member)?,
        role: Role::parse(&held.role).ok_or(Error::Damaged("role"))?,
        name: PersonName::new(held.name),
        email: Email::new(held.email),
        active: held.active,
        epoch: count(held.epoch),
        two_factor: held.two_factor,
        rules: AccessRules { two_factor_required: held.two_factor_required, mask_contacts: held.mask_contacts },
        seq: count(held.seq),
        lineage: held.lineage,
    }))
}

/// Devices with their members, no column yet.
fn of_member(devices: Select<table::device::Entity>) -> Select<table::device::Entity> {
    use table::{device, member};
    let to_member = device::Entity::belongs_to(member::Entity)
        .from((device::Column::Workspace, device::Column::Member))
        .to((member::Column::Workspace, member::Column::Id));
    devices.select_only().join(JoinType::InnerJoin, to_member.into())
}

fn to_workspace() -> RelationDef {
    use table::{device, workspace};
    device::Entity::belongs_to(workspace::Entity).from(device::Column::Workspace).to(workspace::Column::Id).into()
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
        key: row.device_key,
        signed_in_at: Timestamp(row.signed_in_at.unwrap_or(row.created_at)),
        stepped_up_until: row.stepped_up_until.map(Timestamp),
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
        device_key: device.key.clone(),
        signed_in_at: Some(device.signed_in_at.0),
        stepped_up_until: device.stepped_up_until.map(|at| at.0),
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
            Column::DeviceKey,
            Column::SignedInAt,
            Column::SteppedUpUntil,
        ],
    )
    .await
}

/// Takes a device's tokens away; with `revoked_at`, for good. Whether there is such a device.
pub async fn clear_tokens<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    device: DeviceId,
    revoked_at: Option<Timestamp>,
) -> Result<bool> {
    use table::device::Column;
    let done = cleared(revoked_at)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(device.to_string()))
        .exec(txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Takes the tokens of a member's devices away, but not of `but`; with `revoked_at`, for good. Devices that were revoked
/// before stay as they are.
pub async fn clear_tokens_of<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    but: Option<DeviceId>,
    revoked_at: Option<Timestamp>,
) -> Result<()> {
    use table::device::Column;
    let mut update = cleared(revoked_at)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .filter(Column::RevokedAt.is_null());
    if let Some(but) = but {
        update = update.filter(Column::Id.ne(but.to_string()));
    }
    update.exec(txn).await?;
    Ok(())
}

fn cleared(revoked_at: Option<Timestamp>) -> sea_orm::UpdateMany<table::device::Entity> {
    use table::device::{Column, Entity};
    let update = Entity::update_many()
        .col_expr(Column::AccessExpiresAt, Expr::value(0i64))
        .col_expr(Column::RefreshHash, Expr::value(None::<String>))
        .col_expr(Column::PreviousHash, Expr::value(None::<String>))
        .col_expr(Column::SteppedUpUntil, Expr::value(None::<i64>));
    match revoked_at {
        // The access hash stays, so that the device is told that it was revoked, and not merely refused.
        Some(at) => update.col_expr(Column::RevokedAt, Expr::value(at.0)),
        None => update.col_expr(Column::AccessHash, Expr::value(None::<String>)),
    }
}

/// A member's devices, newest first.
pub async fn devices_of<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    member: MemberId,
) -> Result<Vec<DeviceRow>> {
    use table::device::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(device_row).collect()
}

/// What an open socket must know again and again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub revoked: bool,
    /// The device still has a session.
    pub signed_in: bool,
    pub active: bool,
    pub epoch: u64,
    pub two_factor: bool,
}

/// The standing of a device and its member; `None` when either is gone.
pub async fn standing<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    device: DeviceId,
) -> Result<Option<Standing>> {
    use table::{device as d, member as m};
    type Found = (Option<i64>, Option<String>, bool, i64, bool);
    let found: Option<Found> = of_member(d::Entity::find())
        .columns([d::Column::RevokedAt, d::Column::RefreshHash])
        .columns([m::Column::Active, m::Column::Epoch, m::Column::TwoFactor])
        .filter(d::Column::Workspace.eq(workspace.to_string()))
        .filter(d::Column::Id.eq(device.to_string()))
        .into_tuple()
        .one(connection)
        .await?;
    Ok(found.map(|(revoked_at, refresh_hash, active, epoch, two_factor)| Standing {
        revoked: revoked_at.is_some(),
        signed_in: refresh_hash.is_some(),
        active,
        epoch: count(epoch),
        two_factor,
    }))
}

/// The workspace's rules about access.
pub async fn rules<C: ConnectionTrait>(connection: &C, workspace: WorkspaceId) -> Result<AccessRules> {
    let row = table::workspace::Entity::find_by_id(workspace.to_string())
        .one(connection)
        .await?
        .ok_or(Error::Refused(parley_domain::Code::NotFound, "no such workspace"))?;
    Ok(AccessRules { two_factor_required: row.two_factor_required, mask_contacts: row.mask_contacts })
}

/// Sets the workspace's rules about access.
pub async fn set_rules<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, rules: AccessRules) -> Result<()> {
    use table::workspace::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::TwoFactorRequired, Expr::value(rules.two_factor_required))
        .col_expr(Column::MaskContacts, Expr::value(rules.mask_contacts))
        .filter(Column::Id.eq(workspace.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Members with this role that are active.
pub async fn active_members<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    role: Option<Role>,
) -> Result<Vec<MemberId>> {
    use table::member::{Column, Entity};
    let mut query = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Active.eq(true));
    if let Some(role) = role {
        query = query.filter(Column::Role.eq(role.as_str()));
    }
    let ids: Vec<String> = query.into_tuple().all(connection).await?;
    ids.iter().map(|id| typed(id)).collect()
}

/// Sets a member's password.
pub async fn set_password<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    password: &str,
) -> Result<()> {
    use table::member::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Password, Expr::value(password))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(member.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}
