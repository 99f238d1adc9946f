//! Devices: listed and revoked, one's own and, with the permission, anybody's.

use parley_domain::permission::Permission;
use parley_domain::protocol::access::DeviceEntry;
use parley_domain::{Code, DeviceId, MemberId, WorkspaceId};

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::{Txn, access, transaction};
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
    if access::member(core.db.reader(), ctx.workspace(), member).await?.is_none() {
        return Err(Error::Refused(Code::NotFound, "no such member in this workspace"));
    }
    let devices = access::devices_of(core.db.reader(), ctx.workspace(), member).await?;
    let entries = devices.into_iter().map(|device| DeviceEntry {
        id: device.id,
        name: device.name,
        created_at: device.created_at,
        last_seen_at: device.last_seen_at,
        revoked_at: device.revoked_at,
        current: device.id == ctx.device(),
    });
    Ok(entries.collect())
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
    let target = format!("device/{device}");
    let actor = ctx.map(WorkspaceCtx::member);
    let entry = Entry { actor, action: "device.revoked", target: &target, details: "" };
    audit::record(txn, core, workspace, entry).await
}
