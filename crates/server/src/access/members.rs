//! Members: their role, activity and access as a whole, and the second factor that somebody lost.

use std::collections::BTreeSet;

use parley_domain::entity::{Key, Kind};
use parley_domain::permission::Role;
use parley_domain::protocol::access::UpdateMemberRequest;
use parley_domain::{Code, DeviceId, MemberId, WorkspaceId};

use super::{known, raise_changed, views};
use crate::admin::place;
use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::sequence::Moved;
use crate::db::{self, Txn, access, teams, transaction};
use crate::error::{Error, Result};
use crate::factor;

/// Sets a member's role, activity and access. A member who is switched off loses every device: they wipe themselves.
///
/// # Errors
/// [`Code::NotFound`], [`Code::LastAdmin`].
pub async fn update(
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    request: &UpdateMemberRequest,
) -> Result<()> {
    let done = transaction!(core.db, |txn| write(&txn, core, workspace, actor, request))?;
    if let Some(moved) = done.moved {
        core.pokes.moved(moved);
    }
    for device in done.revoked {
        core.pokes.revoked(device);
    }
    for member in done.changed {
        core.pokes.permission(member);
    }
    Ok(())
}

struct Done {
    moved: Option<Moved>,
    changed: Vec<MemberId>,
    revoked: Vec<DeviceId>,
}

async fn write(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    request: &UpdateMemberRequest,
) -> Result<Done> {
    access::lock(txn, workspace).await?;
    let id = request.member;
    let inboxes: BTreeSet<_> = request.inboxes.iter().copied().collect();
    let in_teams: BTreeSet<_> = request.teams.iter().copied().collect();
    known(txn, workspace, &BTreeSet::from([id]), &inboxes, &in_teams).await?;
    let before = access::member(txn, workspace, id)
        .await?
        .ok_or(Error::Refused(Code::NotFound, "no such member in this workspace"))?;
    let was_admin = before.active && before.role == Role::Admin;
    let stays_admin = request.active && request.role == Role::Admin;
    if was_admin
        && !stays_admin
        && access::active_members(txn, workspace, Some(Role::Admin)).await?.iter().all(|admin| *admin == id)
    {
        return Err(Error::Refused(Code::LastAdmin, "the workspace would be left without an admin"));
    }
    let access_changed = teams::inboxes_by_name(txn, workspace, id).await? != inboxes
        || teams::of_member(txn, workspace, id).await? != in_teams;
    let view = views(txn, workspace, &BTreeSet::from([id])).await?;
    db::admin::update_member(txn, workspace, id, request.role, request.active).await?;
    teams::set_access(txn, workspace, id, &inboxes, &in_teams).await?;
    let changed = raise_changed(txn, workspace, view).await?;
    let mut revoked = Vec::new();
    if before.active && !request.active {
        let devices = access::devices_of(txn, workspace, id).await?;
        revoked = devices.iter().filter(|device| device.revoked_at.is_none()).map(|device| device.id).collect();
        access::clear_tokens_of(txn, workspace, id, None, Some(core.now())).await?;
        db::desks::forget_keys(txn, workspace, None).await?;
    }
    let target = format!("member/{id}");
    let record = async |action, details: &str| {
        audit::record(txn, core, workspace, Entry { actor, action, target: &target, details }).await
    };
    if before.role != request.role {
        record("member.role_changed", &format!("{} -> {}", before.role.as_str(), request.role.as_str())).await?;
    }
    if before.active != request.active {
        record(if request.active { "member.activated" } else { "member.deactivated" }, "").await?;
    }
    if access_changed {
        record("member.access_changed", &format!("inboxes: {}, teams: {}", inboxes.len(), in_teams.len())).await?;
    }
    // Colleagues see role and activity; who sees which inbox they do not.
    let seen = before.role != request.role || before.active != request.active;
    let moved = if seen { Some(place(txn, core, workspace, vec![Key::new(Kind::Member, id)]).await?) } else { None };
    Ok(Done { moved, changed, revoked })
}

/// Takes a member's second factor off, because it was lost, and closes the member's sessions.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn reset_two_factor(
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    member: MemberId,
    but: Option<DeviceId>,
) -> Result<()> {
    transaction!(core.db, |txn| reset(&txn, core, workspace, actor, member, but))?;
    core.pokes.permission(member);
    Ok(())
}

async fn reset(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    member: MemberId,
    but: Option<DeviceId>,
) -> Result<()> {
    if access::member(txn, workspace, member).await?.is_none() {
        return Err(Error::Refused(Code::NotFound, "no such member in this workspace"));
    }
    factor::remove(txn, workspace, member, but).await?;
    let target = format!("member/{member}");
    let entry = Entry { actor, action: "member.two_factor_reset", target: &target, details: "" };
    audit::record(txn, core, workspace, entry).await
}
