//! What a member sees: visibility hangs on roots (docs/SYNC.md). A contact is visible when any of its conversations is; an
//! order follows its conversation.

use std::collections::{BTreeSet, HashMap, HashSet};

use parley_domain::entity::{Kind, Root};
use parley_domain::permission::{Actor, Role};
use parley_domain::{ContactId, ConversationId, InboxId, OrderId, WorkspaceId};
use sea_orm::ConnectionTrait;

use crate::db::pages;
use crate::error::Result;

/// The visibility of some roots for one actor, as of one snapshot.
#[derive(Debug)]
pub struct Scope<'a> {
    actor: &'a Actor,
    conversations: HashSet<ConversationId>,
    contacts: HashSet<ContactId>,
    orders: HashMap<OrderId, ConversationId>,
    /// The roots are the workspace's own, and the actor sees all of it.
    everything: bool,
}

impl<'a> Scope<'a> {
    /// Reads what is needed to judge these roots.
    pub async fn load<C: ConnectionTrait>(
        connection: &C,
        workspace: WorkspaceId,
        actor: &'a Actor,
        roots: &BTreeSet<Root>,
    ) -> Result<Self> {
        let of = |kind: Kind| -> Vec<String> {
            roots.iter().filter(|root| root.kind == kind).map(|root| root.id.to_string()).collect()
        };
        let orders = pages::conversations_of_orders(connection, workspace, &of(Kind::Order)).await?;
        let mut conversations = of(Kind::Conversation);
        conversations.extend(orders.values().map(ConversationId::to_string));
        conversations.sort_unstable();
        conversations.dedup();
        let places = pages::places(connection, workspace, &conversations, &of(Kind::Contact)).await?;
        let visible: Vec<_> =
            places.into_iter().filter(|place| actor.sees_conversation(place.inbox, place.assignee)).collect();
        Ok(Self {
            actor,
            conversations: visible.iter().map(|place| place.conversation).collect(),
            contacts: visible.iter().map(|place| place.contact).collect(),
            orders,
            everything: false,
        })
    }

    /// The same for roots that were read from the workspace's own changes. Nothing else is known of a root that somebody
    /// names, not even that it is this workspace's.
    pub async fn of_changes<C: ConnectionTrait>(
        connection: &C,
        workspace: WorkspaceId,
        actor: &'a Actor,
        roots: &BTreeSet<Root>,
    ) -> Result<Self> {
        if actor.role == Role::Admin {
            return Ok(Self {
                actor,
                conversations: HashSet::new(),
                contacts: HashSet::new(),
                orders: HashMap::new(),
                everything: true,
            });
        }
        Self::load(connection, workspace, actor, roots).await
    }

    /// Whether the actor sees the root.
    pub fn sees(&self, root: Root) -> bool {
        match root.kind {
            Kind::Conversation | Kind::Contact | Kind::Order if self.everything => true,
            Kind::Conversation => self.conversations.contains(&ConversationId(root.id)),
            Kind::Contact => self.contacts.contains(&ContactId(root.id)),
            Kind::Order => {
                self.orders.get(&OrderId(root.id)).is_some_and(|conversation| self.conversations.contains(conversation))
            }
            Kind::Inbox => self.actor.sees_inbox(InboxId(root.id)),
            Kind::Workspace => true,
            // Not roots.
            _ => false,
        }
    }
}
