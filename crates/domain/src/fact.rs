//! Facts: small rows that reports are counted from, on the server and on a manager's desk by the same query.
//!
//! Promise: a fact holds ids, times, kinds, stages and amounts; no name, no address, no word that anybody wrote. It hangs on the
//! inbox, so it outlives a conversation's going out of sight; erasing a person replaces the ids of conversation and contact by
//! random ones, so totals stay and the person does not (SYNC.md, facts).

use serde::{Deserialize, Serialize};

use crate::conversation::{Conversation, Status};
use crate::entity::Entity;
use crate::message::{Direction, Message};
use crate::order::Order;
use crate::{ContactId, ConversationId, FactId, InboxId, MemberId, OrderId, StageId, Timestamp};

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum FactKind {
    /// Somebody wrote for the first time.
    ConversationStarted,
    /// A resolved conversation was opened again, by the customer or by a member.
    ConversationReopened,
    ConversationResolved,
    /// A member answered; `took_ms` counts from what the customer wrote last.
    Replied,
    OrderPlaced,
    /// An order came into `stage`.
    OrderMoved,
}

/// One thing that happened, without words.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fact {
    pub id: FactId,
    pub inbox: InboxId,
    #[serde(rename = "what")]
    pub kind: FactKind,
    pub at: Timestamp,
    pub conversation: ConversationId,
    pub contact: ContactId,
    /// Who did it; `None` for customers and for what happens by itself.
    pub member: Option<MemberId>,
    pub order: Option<OrderId>,
    pub stage: Option<StageId>,
    /// In the smallest unit of `currency`.
    #[cfg_attr(feature = "ts", ts(type = "number | null"))]
    pub amount_minor: Option<i64>,
    /// ISO 4217.
    pub currency: Option<String>,
    #[cfg_attr(feature = "ts", ts(type = "number | null"))]
    pub took_ms: Option<i64>,
}

/// Where and by whom something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Circumstances<'a> {
    /// The conversation as it is now.
    pub conversation: &'a Conversation,
    pub member: Option<MemberId>,
    pub at: Timestamp,
}

/// What the change of a row from `before` to `after` says; `before` is `None` for a new row.
pub fn fact(id: FactId, before: Option<&Entity>, after: &Entity, of: Circumstances<'_>) -> Option<Fact> {
    let plain = |kind| Fact {
        id,
        inbox: of.conversation.inbox,
        kind,
        at: of.at,
        conversation: of.conversation.id,
        contact: of.conversation.contact,
        member: of.member,
        order: None,
        stage: None,
        amount_minor: None,
        currency: None,
        took_ms: None,
    };
    let about = |kind, order: &Order| Fact {
        order: Some(order.id),
        stage: Some(order.stage),
        amount_minor: Some(order.total_minor),
        currency: Some(order.currency.clone()),
        ..plain(kind)
    };
    match (before, after) {
        (None, Entity::Conversation(_)) => Some(plain(FactKind::ConversationStarted)),
        (Some(Entity::Conversation(before)), Entity::Conversation(after)) => {
            let resolved = |row: &Conversation| row.status == Status::Resolved;
            match (resolved(before), resolved(after)) {
                (false, true) => Some(plain(FactKind::ConversationResolved)),
                (true, false) => Some(plain(FactKind::ConversationReopened)),
                _ => None,
            }
        }
        (None, Entity::Order(order)) => Some(about(FactKind::OrderPlaced, order)),
        (Some(Entity::Order(before)), Entity::Order(after)) if before.stage != after.stage => {
            Some(about(FactKind::OrderMoved, after))
        }
        (None, Entity::Message(message)) if is_reply(message) => {
            let took_ms = of.conversation.customer_wrote_at.map(|wrote| of.at.since(wrote).max(0));
            Some(Fact { took_ms, ..plain(FactKind::Replied) })
        }
        _ => None,
    }
}

fn is_reply(message: &Message) -> bool {
    message.direction == Direction::Outgoing && message.author.is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use uuid::Uuid;

    use super::*;
    use crate::MessageText;
    use crate::content::Content;
    use crate::order::{Fulfilment, Payment};

    fn id<T: From<Uuid>>(number: u128) -> T {
        Uuid::from_u128(number).into()
    }

    fn conversation(status: Status) -> Conversation {
        Conversation {
            id: id(1),
            inbox: id(2),
            contact: id(3),
            status,
            assignee: None,
            labels: BTreeSet::new(),
            snoozed_until: None,
            customer_wrote_at: Some(Timestamp(1_000)),
            entry_point_until: None,
            active_at: Timestamp(1_000),
            read_upto: 0,
        }
    }

    fn order(stage: u128) -> Order {
        Order {
            id: id(4),
            contact: id(3),
            conversation: id(1),
            number: 7,
            stage: id(stage),
            stage_by: None,
            fulfilment: Fulfilment::Draft,
            payment: Payment::Unpaid,
            currency: "EUR".into(),
            total_minor: 12_050,
            placed_at: Timestamp(0),
            staged_at: Timestamp(0),
        }
    }

    fn told(before: Option<Entity>, after: Entity) -> Option<Fact> {
        let here = conversation(Status::Open);
        let of = Circumstances { conversation: &here, member: Some(id(5)), at: Timestamp(61_000) };
        fact(id(9), before.as_ref(), &after, of)
    }

    #[test]
    fn what_happened_is_told_by_what_changed() {
        let of = |status| Entity::Conversation(conversation(status));
        let kind = |before, after| told(before, after).map(|fact| fact.kind);
        assert_eq!(kind(None, of(Status::Open)), Some(FactKind::ConversationStarted));
        assert_eq!(kind(Some(of(Status::Open)), of(Status::Resolved)), Some(FactKind::ConversationResolved));
        assert_eq!(kind(Some(of(Status::Resolved)), of(Status::Open)), Some(FactKind::ConversationReopened));
        assert_eq!(kind(Some(of(Status::Open)), of(Status::Pending)), None);
        assert_eq!(kind(None, Entity::Order(order(1))), Some(FactKind::OrderPlaced));
        assert_eq!(kind(Some(Entity::Order(order(1))), Entity::Order(order(1))), None);
        let moved = told(Some(Entity::Order(order(1))), Entity::Order(order(2))).unwrap();
        assert_eq!((moved.kind, moved.stage, moved.amount_minor), (FactKind::OrderMoved, Some(id(2)), Some(12_050)));
    }

    #[test]
    fn an_answer_tells_how_long_it_took_and_none_of_its_words() {
        let message = Message {
            id: id(6),
            conversation: id(1),
            direction: Direction::Outgoing,
            author: Some(id(5)),
            content: Content::Text { body: MessageText::new("zebracanarysecret") },
            sent_at: Timestamp(61_000),
            position: 0,
            delivery: None,
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        };
        let fact = told(None, Entity::Message(message.clone())).unwrap();
        assert_eq!((fact.kind, fact.took_ms), (FactKind::Replied, Some(60_000)));
        assert!(!serde_json::to_string(&fact).unwrap().contains("zebra"));
        let incoming = Message { direction: Direction::Incoming, author: None, ..message };
        assert_eq!(told(None, Entity::Message(incoming)), None);
    }
}
