//! Teams: their members see their inboxes.

use std::collections::BTreeSet;

use parley_domain::protocol::access::PutTeamRequest;
use parley_domain::{Code, MemberId, TeamId, WorkspaceId};

use super::{known, name, raise_changed, views};
use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::{Txn, access, teams, transaction};
use crate::error::{Error, Result};

/// Makes or changes a team.
///
/// # Errors
/// [`Code::NotFound`] for members or inboxes that are not the workspace's.
pub async fn put(core: &Core, workspace: WorkspaceId, actor: MemberId, request: &PutTeamRequest) -> Result<()> {
    let changed = transaction!(core.db, |txn| write(&txn, core, workspace, actor, request))?;
    for member in changed {
        core.pokes.permission(member);
    }
    Ok(())
}

async fn write(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    actor: MemberId,
    request: &PutTeamRequest,
) -> Result<Vec<MemberId>> {
    access::lock(txn, workspace).await?;
    let name = name(&request.name)?;
    let members: BTreeSet<_> = request.members.iter().copied().collect();
    let inboxes: BTreeSet<_> = request.inboxes.iter().copied().collect();
    known(txn, workspace, &members, &inboxes, &BTreeSet::new()).await?;
    let concerned = &members | &teams::members(txn, workspace, request.team).await?;
    let before = views(txn, workspace, &concerned).await?;
    teams::put(txn, workspace, request.team, &name, &members, &inboxes, core.now()).await?;
    let target = format!("team/{}", request.team);
    let details = format!("members: {}, inboxes: {}", members.len(), inboxes.len());
    let entry = Entry { actor: Some(actor), action: "team.changed", target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await?;
    raise_changed(txn, workspace, before).await
}

/// Deletes a team.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(core: &Core, workspace: WorkspaceId, actor: MemberId, team: TeamId) -> Result<()> {
    let changed = transaction!(core.db, |txn| remove(&txn, core, workspace, actor, team))?;
    for member in changed {
        core.pokes.permission(member);
    }
    Ok(())
}

async fn remove(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    actor: MemberId,
    team: TeamId,
) -> Result<Vec<MemberId>> {
    access::lock(txn, workspace).await?;
    let members = teams::members(txn, workspace, team).await?;
    let before = views(txn, workspace, &members).await?;
    if !teams::delete(txn, workspace, team).await? {
        return Err(Error::Refused(Code::NotFound, "no such team in this workspace"));
    }
    let target = format!("team/{team}");
    let entry = Entry { actor: Some(actor), action: "team.deleted", target: &target, details: "" };
    audit::record(txn, core, workspace, entry).await?;
    raise_changed(txn, workspace, before).await
}
