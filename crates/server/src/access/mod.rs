//! Who works in a workspace, with what rights, on which devices.
//!
//! Promise: every act is one transaction that also records it; an id of another workspace is "not found"; the permission
//! epoch rises for exactly those whose view changed, and their sockets close after the commit.

pub mod devices;
pub mod invitations;
pub mod members;
pub mod own;
pub mod policy;
pub mod rules;
pub mod teams;

use std::collections::BTreeSet;

use parley_domain::permission::Role;
use parley_domain::{Code, Email, InboxId, MemberId, TeamId, WorkspaceId};

use crate::db::{self, Txn, access, teams as rows};
use crate::error::{Error, Result};

/// Most ids in one list of a request.
const IDS_MAX: usize = 5_000;
/// Longest name of a team or a member, in characters.
const NAME_MAX: usize = 200;

/// What a member sees: two are equal when nothing has to be sent or taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
struct View {
    role: Role,
    active: bool,
    /// Empty for those who see all.
    inboxes: BTreeSet<InboxId>,
}

/// The views of members who exist.
async fn views(txn: &Txn, workspace: WorkspaceId, members: &BTreeSet<MemberId>) -> Result<Vec<(MemberId, View)>> {
    let mut found = Vec::with_capacity(members.len());
    for id in members {
        if let Some(member) = access::member(txn, workspace, *id).await? {
            let inboxes = if member.role == Role::Admin { BTreeSet::new() } else { member.inboxes };
            found.push((*id, View { role: member.role, active: member.active, inboxes }));
        }
    }
    Ok(found)
}

/// Raises the epoch of those whose view is not what it was before; who they are.
async fn raise_changed(txn: &Txn, workspace: WorkspaceId, before: Vec<(MemberId, View)>) -> Result<Vec<MemberId>> {
    let members = before.iter().map(|(member, _)| *member).collect();
    let after = views(txn, workspace, &members).await?;
    let mut changed = Vec::new();
    for (was, is) in before.into_iter().zip(after) {
        if was != is {
            db::admin::raise_epoch(txn, workspace, is.0).await?;
            changed.push(is.0);
        }
    }
    Ok(changed)
}

/// Refuses ids that are not the workspace's.
async fn known(
    txn: &Txn,
    workspace: WorkspaceId,
    members: &BTreeSet<MemberId>,
    inboxes: &BTreeSet<InboxId>,
    teams: &BTreeSet<TeamId>,
) -> Result<()> {
    if members.len() > IDS_MAX || inboxes.len() > IDS_MAX || teams.len() > IDS_MAX {
        return Err(Error::Refused(Code::BadRequest, "too many ids"));
    }
    if rows::all_known(txn, workspace, members, inboxes, teams).await? {
        Ok(())
    } else {
        Err(Error::Refused(Code::NotFound, "no such member, inbox or team in this workspace"))
    }
}

/// A name as it is stored.
fn name(text: &str) -> Result<String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_MAX || text.chars().any(char::is_control) {
        return Err(Error::Refused(Code::BadRequest, "the name is empty, too long, or has control characters"));
    }
    Ok(text.to_owned())
}

/// An e-mail address as it is stored: lowercased.
///
/// # Errors
/// [`Code::BadRequest`] when it is none.
pub(crate) fn address(email: &Email) -> Result<String> {
    let email = email.expose().trim().to_lowercase();
    if email.chars().count() > 320 || email.parse::<lettre::Address>().is_err() {
        return Err(Error::Refused(Code::BadRequest, "that is no e-mail address"));
    }
    Ok(email)
}
