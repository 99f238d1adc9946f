//! What a customer's message does to the rows.

use parley_domain::content::{Content, OrderLine, SystemEvent};
use parley_domain::conversation::{Conversation, Status};
use parley_domain::entity::Entity;
use parley_domain::message::{Direction, Message};
use parley_domain::order::{Fulfilment, Order, OrderItem, Payment, total_minor};
use parley_domain::{ContactId, ConversationId, MessageId, OrderId, OrderItemId, Timestamp, Wamid};
use parley_meta::webhook::{InboundContent, InboundMessage};

use super::draft::Draft;
use super::identity;
use crate::db::applying::Route;

/// Applies one message.
pub(super) fn apply(draft: &mut Draft<'_>, route: &Route, inbound: &InboundMessage) {
    // A time from the future would hold the service window open.
    let at = inbound.at.min(draft.now);
    match &inbound.content {
        InboundContent::IdentityChange(change) => {
            let Some(contact) = identity::change(draft, route, &inbound.sender, change) else { return };
            if let Some(conversation) = draft.conversation_with(route.inbox, contact) {
                let content = Content::System { event: change.kind, detail: change.detail.clone() };
                line(draft, route, conversation, content, at, Some(inbound.wamid.clone()));
            }
        }
        InboundContent::Revoke { original } => {
            if let Some(id) = draft.by_wamid(route.inbox, original) {
                draft.message(id, |message| !std::mem::replace(&mut message.revoked, true));
            }
        }
        InboundContent::Edit { original, content } => match draft.by_wamid(route.inbox, original) {
            Some(id) => draft.message(id, |message| {
                message.edited = true;
                message.content = content.clone();
                true
            }),
            // The message it changes was never seen: what it says now is still worth reading.
            None => {
                let id = entry(draft, route, inbound, content.clone(), at, true);
                draft.message(id, |message| {
                    message.edited = true;
                    true
                });
            }
        },
        InboundContent::Reaction { to, emoji } => {
            let to = draft.by_wamid(route.inbox, to);
            // A reaction opens no window and moves nothing up (meta-platform.md §3.1).
            entry(draft, route, inbound, Content::Reaction { to, emoji: emoji.clone() }, at, false);
        }
        InboundContent::Order { catalog, lines, text } => {
            let content = Content::Order { catalog: catalog.clone(), lines: lines.clone(), text: text.clone() };
            let message = entry(draft, route, inbound, content, at, true);
            order(draft, route, message, lines, at);
        }
        InboundContent::Plain(content) => {
            entry(draft, route, inbound, content.clone(), at, true);
        }
    }
}

/// Adds the customer's entry to the timeline of their conversation, which is made or woken.
fn entry(
    draft: &mut Draft<'_>,
    route: &Route,
    inbound: &InboundMessage,
    content: Content,
    at: Timestamp,
    wakes: bool,
) -> MessageId {
    let contact = identity::contact(draft, route, &inbound.sender);
    let conversation = conversation(draft, route, contact, at);
    if wakes {
        draft.conversation(conversation, |row| {
            let before = row.clone();
            row.customer_wrote(at);
            *row != before
        });
    }
    let context = inbound.context.as_ref();
    let answered = context.and_then(|context| context.wamid.as_ref());
    let id = MessageId(draft.new_id());
    let message = Message {
        id,
        conversation,
        direction: Direction::Incoming,
        author: None,
        content,
        sent_at: at,
        position: 0,
        delivery: None,
        reply_to: answered.and_then(|wamid| draft.by_wamid(route.inbox, wamid)),
        resend_of: None,
        forwarded: context.is_some_and(|context| context.forwarded || context.frequently_forwarded),
        edited: false,
        revoked: false,
    };
    draft.add(Entity::Message(message), route.inbox, Some(inbound.wamid.clone()));
    id
}

fn conversation(draft: &mut Draft<'_>, route: &Route, contact: ContactId, at: Timestamp) -> ConversationId {
    if let Some(known) = draft.conversation_with(route.inbox, contact) {
        return known;
    }
    let id = ConversationId(draft.new_id());
    let row = Conversation {
        id,
        inbox: route.inbox,
        contact,
        status: Status::Open,
        assignee: None,
        labels: std::collections::BTreeSet::new(),
        snoozed_until: None,
        customer_wrote_at: None,
        entry_point_until: None,
        active_at: at,
        read_upto: 0,
    };
    draft.add(Entity::Conversation(row), route.inbox, None);
    // Whoever sees this inbox alone did not see the contact so far: it is told of again.
    draft.contact(contact, route.inbox, |_| true);
    id
}

/// A line of the timeline that tells what happened.
fn line(
    draft: &mut Draft<'_>,
    route: &Route,
    conversation: ConversationId,
    content: Content,
    at: Timestamp,
    wamid: Option<Wamid>,
) {
    let message = Message {
        id: MessageId(draft.new_id()),
        conversation,
        direction: Direction::Activity,
        author: None,
        content,
        sent_at: at,
        position: 0,
        delivery: None,
        reply_to: None,
        resend_of: None,
        forwarded: false,
        edited: false,
        revoked: false,
    };
    draft.add(Entity::Message(message), route.inbox, wamid);
}

/// A cart becomes a draft order in the first stage of the first pipeline, at the prices that the customer saw.
fn order(draft: &mut Draft<'_>, route: &Route, message: MessageId, lines: &[OrderLine], at: Timestamp) {
    let Some(stage) = draft.stage() else { return };
    let Some((conversation, contact)) = draft.place_of(message) else { return };
    let id = OrderId(draft.new_id());
    let row = Order {
        id,
        contact,
        conversation,
        // Counted when it is written.
        number: 0,
        stage,
        stage_by: None,
        fulfilment: Fulfilment::Draft,
        payment: Payment::Unpaid,
        currency: lines.first().map(|line| line.currency.chars().take(8).collect()).unwrap_or_default(),
        total_minor: total_minor(lines.iter().map(|line| (&line.quantity, &line.price_minor))),
        placed_at: at,
        staged_at: draft.now,
    };
    draft.add(Entity::Order(row), route.inbox, None);
    for (place, item) in lines.iter().enumerate() {
        let row = OrderItem {
            id: OrderItemId(draft.new_id()),
            order: id,
            place: u32::try_from(place).unwrap_or(u32::MAX),
            sku: item.sku.chars().take(512).collect(),
            name: None,
            quantity: item.quantity,
            price_minor: item.price_minor,
        };
        draft.add(Entity::OrderItem(row), route.inbox, None);
    }
    let content = Content::System { event: SystemEvent::OrderAdded, detail: None };
    line(draft, route, conversation, content, at, None);
}
