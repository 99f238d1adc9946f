//! Devices: listed and revoked, one's own and, with the permission, anybody's.

use parley_domain::lease::{Heard, Reading, Standing};
use parley_domain::permission::Permission;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::access::{CopyReport, CopyState, DeviceEntry};
use parley_domain::time::DAY;
use parley_domain::{Code, DeviceId, MemberId, WorkspaceId};

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::access::{DeviceRow, MemberRow};
use crate::db::{Txn, access, desks, transaction};
use crate::device::policy_of;
use crate::error::{Error, Result};
use crate::session::WorkspaceCtx;

const UNKNOWN: Error = Error::Refused(Code::NotFound, "no such device in this workspace");
const FORBIDDEN: Error = Error::Refused(Code::Forbidden, "only administrators reach the devices of others");

/// Devices of a member, newest first.
///
/// # Errors
/// [`Code::Forbidden`], [`Code::NotFound`].
pub async fn list(core: &Core, ctx: &WorkspaceCtx, member: Option<MemberId>) -> Result<Vec<DeviceEntry>> {
    let member = member.unwrap_or(ctx.member());
    if member != ctx.member() && !ctx.allows(Permission::ManageDevicesOfOthers) {
        return Err(FORBIDDEN);
    }
    let found = access::member(core.db.reader(), ctx.workspace(), member).await?;
    let whose = found.ok_or(Error::Refused(Code::NotFound, "no such member in this workspace"))?;
    let (policy, _) = policy_of(core.db.reader(), ctx.workspace()).await?;
    let devices = access::devices_of(core.db.reader(), ctx.workspace(), member).await?;
    let mut entries = Vec::with_capacity(devices.len());
    for device in devices {
        entries.push(DeviceEntry {
            id: device.id,
            copy: copy(core, &whose, &device, &policy).await?,
            name: device.name,
            created_at: device.created_at,
            last_seen_at: device.last_seen_at,
            revoked_at: device.revoked_at,
            current: device.id == ctx.device(),
        });
    }
    Ok(entries)
}

/// The copy on a device, by what it last said and the rule that it follows by itself since.
async fn copy(
    core: &Core,
    member: &MemberRow,
    device: &DeviceRow,
    policy: &DevicePolicy,
) -> Result<Option<CopyReport>> {
    let Some(row) = desks::copy(core.db.reader(), device.workspace, device.id).await? else { return Ok(None) };
    let rules = policy.of(member.role);
    let reading = Reading { wall: core.now(), boot: None };
    // The server's own clock is beyond doubt here: it is the one that counts.
    let heard = Heard::now(row.heard_at, Reading { wall: row.heard_at, boot: None });
    let standing = Heard { high_water: core.now(), ..heard }.standing(reading, &rules);
    let wiped = desks::is_wiped(core.db.reader(), device.workspace, device.id).await?;
    let state = match standing {
        _ if wiped => CopyState::Wiped,
        _ if device.revoked_at.is_some() => CopyState::RevokedUnconfirmed,
        Standing::Usable { .. } => CopyState::Usable,
        Standing::Locked { .. } => CopyState::Locked,
        Standing::Wipe => CopyState::ExpiredUnconfirmed,
    };
    let waiting = desks::erasures_waiting(core.db.reader(), device.workspace, device.id, device.created_at).await?;
    Ok(Some(CopyReport {
        heard_at: row.heard_at,
        unsent: row.unsent,
        drafts: row.drafts,
        state,
        locks_at: row.heard_at + i64::from(rules.lock_after_days) * DAY,
        wipes_at: row.heard_at + i64::from(rules.wipe_after_days) * DAY,
        erasures_waiting: if wiped { 0 } else { waiting },
    }))
}

/// Revokes a device for a member.
///
/// # Errors
/// [`Code::Forbidden`], [`Code::NotFound`].
pub async fn revoke(core: &Core, ctx: &WorkspaceCtx, device: DeviceId) -> Result<()> {
    transaction!(core.db, |txn| write(&txn, core, ctx.workspace(), Some(ctx), device))?;
    core.pokes.revoked(device);
    Ok(())
}

/// Revokes a device for the server's command line.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn revoke_any(core: &Core, workspace: WorkspaceId, device: DeviceId) -> Result<()> {
    transaction!(core.db, |txn| write(&txn, core, workspace, None, device))?;
    core.pokes.revoked(device);
    Ok(())
}

async fn write(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    ctx: Option<&WorkspaceCtx>,
    device: DeviceId,
) -> Result<()> {
    let known = access::device(txn, device).await?.filter(|known| known.workspace == workspace);
    let others =
        |member| ctx.is_some_and(|ctx| member != ctx.member() && !ctx.allows(Permission::ManageDevicesOfOthers));
    let known = match known {
        // To those who may not look at the devices of others, there are none.
        Some(known) if !others(known.member) => known,
        _ => return Err(UNKNOWN),
    };
    if known.revoked_at.is_some() {
        return Ok(());
    }
    access::clear_tokens(txn, workspace, device, Some(core.now())).await?;
    desks::forget_keys(txn, workspace, Some(device)).await?;
    let target = format!("device/{device}");
    let actor = ctx.map(WorkspaceCtx::member);
    let entry = Entry { actor, action: "device.revoked", target: &target, details: "" };
    audit::record(txn, core, workspace, entry).await
}
