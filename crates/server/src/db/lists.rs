//! Lists for remote queries: each walks one index in its order and ends after a page, however many rows the workspace has.

use std::collections::BTreeSet;

use parley_domain::conversation::Status;
use parley_domain::protocol::remote::Below;
use parley_domain::{InboxId, MemberId, WorkspaceId};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{Stored, of_conversation};
use super::table::conversation::{Column, Entity};
use crate::error::Result;

/// One stretch of conversations that lies in order in an index.
#[derive(Clone, Debug)]
pub enum Stretch {
    /// All of the workspace.
    Workspace,
    /// All of one inbox.
    Inbox(InboxId),
    /// Assigned to this member or to nobody, in these inboxes (`None`: in all).
    Assigned(Option<MemberId>, Option<BTreeSet<InboxId>>),
}

/// Conversations of a stretch with this status, most recently active first, below a place.
pub async fn conversations<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    stretch: &Stretch,
    status: Status,
    below: Option<Below>,
    limit: u64,
) -> Result<Vec<Stored>> {
    let mut query = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Status.eq(status.as_str()))
        .order_by_desc(Column::ActiveAt)
        .order_by_desc(Column::Id)
        .limit(limit);
    query = match stretch {
        Stretch::Workspace => query,
        Stretch::Inbox(inbox) => query.filter(Column::Inbox.eq(inbox.to_string())),
        Stretch::Assigned(who, inboxes) => {
            let query = match who {
                Some(member) => query.filter(Column::Assignee.eq(member.to_string())),
                None => query.filter(Column::Assignee.is_null()),
            };
            match inboxes {
                Some(inboxes) => query.filter(Column::Inbox.is_in(inboxes.iter().map(InboxId::to_string))),
                None => query,
            }
        }
    };
    if let Some(Below { active_at, id }) = below {
        // The first part alone lets the index be entered at its place.
        query = query
            .filter(Column::ActiveAt.lte(active_at.0))
            .filter(Condition::any().add(Column::ActiveAt.lt(active_at.0)).add(Column::Id.lt(id.to_string())));
    }
    query.all(connection).await?.into_iter().map(of_conversation).collect()
}
