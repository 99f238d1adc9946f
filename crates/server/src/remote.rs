//! Remote queries of desks: lists of what they do not hold.
//!
//! Promise: a list shows exactly what sync would give that member, in bounded work.

use std::collections::BTreeMap;

use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::limits::LIST_ROWS;
use parley_domain::permission::{Permission, Role, allows};
use parley_domain::protocol::remote::{Below, ConversationsPage, ConversationsRequest, Listed, Whose};
use parley_domain::{Code, ContactId};

use crate::app::Core;
use crate::db::lists::{self, Stretch};
use crate::db::rows;
use crate::error::{Error, Result};
use crate::session::WorkspaceCtx;
use crate::sync::mask::masked_contact;

/// Conversations of one status, most recently active first.
///
/// # Errors
/// [`Code::NotFound`] for an inbox that the member does not see.
pub async fn conversations(
    core: &Core,
    ctx: &WorkspaceCtx,
    request: &ConversationsRequest,
) -> Result<ConversationsPage> {
    let limit = request.limit.clamp(1, LIST_ROWS) as usize;
    if request.inbox.is_some_and(|inbox| !ctx.actor().sees_inbox(inbox)) {
        return Err(Error::Refused(Code::NotFound, "no such inbox"));
    }
    let snapshot = core.db.snapshot().await?;
    let mut found = Vec::new();
    for stretch in stretches(ctx, request) {
        // One more than a page tells whether another follows.
        let more =
            lists::conversations(&snapshot, ctx.workspace(), &stretch, request.status, request.below, limit as u64 + 1)
                .await?;
        found.extend(more.into_iter().filter_map(|stored| match stored.entity {
            Entity::Conversation(row) => Some(row),
            _ => None,
        }));
    }
    found.sort_by_key(|row| std::cmp::Reverse((row.active_at, row.id)));
    let more = found.len() > limit;
    found.truncate(limit);
    let keys = found.iter().map(|row| Key::new(Kind::Contact, row.contact));
    let contacts: BTreeMap<ContactId, _> = rows::load(&snapshot, ctx.workspace(), keys, false)
        .await?
        .into_iter()
        .filter_map(|stored| match stored.entity {
            Entity::Contact(contact) => Some((contact.id, contact)),
            _ => None,
        })
        .collect();
    snapshot.rollback().await?;
    let last = found.last().map(|row| Below { active_at: row.active_at, id: row.id });
    let rows = found
        .into_iter()
        .filter_map(|conversation| {
            let contact = masked_contact(contacts.get(&conversation.contact)?.clone(), ctx);
            Some(Listed { conversation, contact })
        })
        .collect();
    Ok(ConversationsPage { rows, below: last.filter(|_| more) })
}

/// The stretches that together hold what was asked for and may be seen, and nothing else.
fn stretches(ctx: &WorkspaceCtx, request: &ConversationsRequest) -> Vec<Stretch> {
    let actor = ctx.actor();
    let inboxes = match request.inbox {
        Some(inbox) => Some([inbox].into()),
        None if actor.role == Role::Admin => None,
        None => Some(actor.inboxes.clone()),
    };
    let mine = Stretch::Assigned(Some(actor.member), inboxes.clone());
    let nobodys = Stretch::Assigned(None, inboxes.clone());
    match request.whose {
        Whose::Mine => vec![mine],
        Whose::Nobody => vec![nobodys],
        Whose::Anybody if !allows(actor.role, Permission::SeeAssignedToOthers) => vec![mine, nobodys],
        Whose::Anybody => match inboxes {
            None => vec![Stretch::Workspace],
            Some(inboxes) => inboxes.into_iter().map(Stretch::Inbox).collect(),
        },
    }
}
