//! How an edit changes rows: the one function that the server runs under its lock and the desk replays over confirmed rows.
//!
//! Callers load rows until [`needed`] names none that they can find, then call [`decide`]. What comes back are whole rows to
//! write. Neither clock nor database is touched.
//!
//! Conflict rule per field (also in SYNC.md): assignee, status, read mark: last accepted wins; labels: merged as a set;
//! stage of an order: ask; messages and notes: added, never overwritten.

use std::collections::BTreeSet;

use crate::content::{Content, SystemEvent};
use crate::conversation::Status;
use crate::delivery::{Delivery, DeliveryState};
use crate::entity::{Entity, Key, Kind, RowSet};
use crate::gate::{Gate, may_send};
use crate::limits::NOTE_MAX;
use crate::message::{Direction, Message};
use crate::permission::{Actor, Permission, allows};
use crate::planted::{Bug, planted};
use crate::protocol::intent::{Command, Intent};
use crate::{Code, ConversationId, Timestamp};

/// What an edit comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Decision {
    /// Write these rows. New messages have `position` zero: the server sets it.
    Write(Vec<Entity>),
    /// Everything already is so.
    NoOp,
    /// Not allowed, or not possible; final.
    Refuse(Code),
}

/// Rows that the decision needs and `rows` lacks. Call again after loading: a conversation leads to its contact and inbox. A
/// row that does not exist stays in the list; stop when a call names nothing new.
pub fn needed(command: &Command, rows: &RowSet) -> Vec<Key> {
    let mut keys = BTreeSet::new();
    let mut conversation = |id: ConversationId| {
        keys.insert(Key::new(Kind::Conversation, id));
        if let Some(row) = rows.conversation(id) {
            keys.insert(Key::new(Kind::Contact, row.contact));
            keys.insert(Key::new(Kind::Inbox, row.inbox));
        }
    };
    match command {
        Command::SendMessage { message, conversation: id, resend_of, .. } => {
            conversation(*id);
            keys.insert(Key::new(Kind::Message, *message));
            keys.extend(resend_of.map(|earlier| Key::new(Kind::Message, earlier)));
        }
        Command::CancelSend { message, conversation: id } | Command::AddNote { message, conversation: id, .. } => {
            conversation(*id);
            keys.insert(Key::new(Kind::Message, *message));
        }
        Command::Assign { conversation: id, assignee, .. } => {
            conversation(*id);
            keys.extend(assignee.map(|member| Key::new(Kind::Member, member)));
        }
        Command::Label { conversation: id, add, .. } => {
            conversation(*id);
            keys.extend(add.iter().map(|label| Key::new(Kind::Label, *label)));
        }
        Command::SetStatus { conversation: id, .. } | Command::MarkRead { conversation: id, .. } => conversation(*id),
        Command::MoveOrder { order, stage, .. } => {
            if let Some(row) = rows.order(*order) {
                conversation(row.conversation);
            }
            keys.insert(Key::new(Kind::Order, *order));
            keys.insert(Key::new(Kind::Stage, *stage));
        }
    }
    keys.into_iter().filter(|key| !rows.contains(*key)).collect()
}

/// Decides an edit of `actor` on the rows at hand. `now` is the decider's time: the server's on the server, the trusted clock's
/// on the desk.
pub fn decide(intent: &Intent, actor: &Actor, rows: &RowSet, now: Timestamp) -> Decision {
    match try_decide(intent, actor, rows, now) {
        Ok(writes) if writes.is_empty() => Decision::NoOp,
        Ok(writes) => Decision::Write(writes),
        Err(code) => Decision::Refuse(code),
    }
}

fn try_decide(intent: &Intent, actor: &Actor, rows: &RowSet, now: Timestamp) -> Result<Vec<Entity>, Code> {
    let permitted = |permission| if allows(actor.role, permission) { Ok(()) } else { Err(Code::Forbidden) };
    let visible = |id: ConversationId| {
        let row = rows.conversation(id).ok_or(Code::NotFound)?;
        if actor.sees_conversation(row.inbox, row.assignee) { Ok(row) } else { Err(Code::OutOfScope) }
    };
    let entry = |message, conversation, direction, content, at| Message {
        id: message,
        conversation,
        direction,
        author: Some(actor.member),
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

    match &intent.command {
        Command::SendMessage { message, conversation, content, reply_to, resend_of, .. } => {
            permitted(Permission::Reply)?;
            let row = visible(*conversation)?;
            if let Some(known) = rows.message(*message) {
                // Meta reported on it after a restore, before this desk could offer it again: here is its text.
                if known.content.is_lost() && known.conversation == *conversation {
                    let found = Message {
                        content: content.clone(),
                        author: Some(actor.member),
                        sent_at: intent.made_at,
                        reply_to: *reply_to,
                        resend_of: *resend_of,
                        ..known.clone()
                    };
                    return Ok(vec![Entity::Message(found)]);
                }
                return Err(Code::Conflict);
            }
            if let Some(earlier) = resend_of {
                let earlier = rows.message(*earlier).ok_or(Code::NotFound)?;
                let may = earlier.delivery.as_ref().is_some_and(|delivery| delivery.state.may_resend());
                if earlier.conversation != *conversation || !may {
                    return Err(Code::Conflict);
                }
            }
            let contact = rows.contact(row.contact).ok_or(Code::NotFound)?;
            let inbox = rows.inbox(row.inbox).ok_or(Code::NotFound)?;
            may_send(Gate { conversation: row, contact, inbox, now }, content)?;
            let mut written = entry(*message, *conversation, Direction::Outgoing, content.clone(), intent.made_at);
            written.delivery = Some(Delivery::queued());
            written.reply_to = *reply_to;
            written.resend_of = *resend_of;
            let mut touched = row.clone();
            touched.active_at = touched.active_at.max(now);
            Ok(vec![Entity::Message(written), Entity::Conversation(touched)])
        }
        Command::CancelSend { message, conversation } => {
            permitted(Permission::Reply)?;
            visible(*conversation)?;
            let row = rows.message(*message).ok_or(Code::NotFound)?;
            match row.delivery.as_ref().map(|delivery| delivery.state) {
                Some(DeliveryState::Queued) if row.conversation == *conversation => {
                    let mut cancelled = row.clone();
                    if let Some(delivery) = &mut cancelled.delivery {
                        delivery.observe(DeliveryState::Cancelled, now);
                    }
                    Ok(vec![Entity::Message(cancelled)])
                }
                Some(DeliveryState::Cancelled) => Ok(Vec::new()),
                _ => Err(Code::Conflict),
            }
        }
        Command::AddNote { message, conversation, body } => {
            permitted(Permission::WriteNotes)?;
            visible(*conversation)?;
            if rows.message(*message).is_some() {
                return Err(Code::Conflict);
            }
            if body.expose().trim().is_empty() {
                return Err(Code::EmptyMessage);
            }
            if body.expose().chars().count() > NOTE_MAX {
                return Err(Code::TextTooLong);
            }
            let content = Content::Text { body: body.clone() };
            Ok(vec![Entity::Message(entry(*message, *conversation, Direction::Note, content, intent.made_at))])
        }
        Command::Assign { conversation, assignee, .. } => {
            permitted(Permission::Assign)?;
            let row = visible(*conversation)?;
            if assignee.is_some_and(|id| !rows.member(id).is_some_and(|member| member.active)) {
                return Err(Code::NotFound);
            }
            if row.assignee == *assignee {
                return Ok(Vec::new());
            }
            let mut changed = row.clone();
            changed.assignee = *assignee;
            Ok(vec![Entity::Conversation(changed)])
        }
        Command::SetStatus { conversation, status, snoozed_until, .. } => {
            permitted(Permission::Triage)?;
            let row = visible(*conversation)?;
            let until = if *status == Status::Snoozed { *snoozed_until } else { None };
            if *status == Status::Snoozed && until.is_none() {
                return Err(Code::BadRequest);
            }
            if row.status == *status && row.snoozed_until == until {
                return Ok(Vec::new());
            }
            let mut changed = row.clone();
            changed.status = *status;
            changed.snoozed_until = until;
            Ok(vec![Entity::Conversation(changed)])
        }
        Command::Label { conversation, add, remove } => {
            permitted(Permission::Triage)?;
            let row = visible(*conversation)?;
            if add.iter().any(|label| rows.label(*label).is_none()) {
                return Err(Code::NotFound);
            }
            let none = BTreeSet::new();
            let known = if planted(Bug::LabelsOverwritten) && !add.is_empty() { &none } else { &row.labels };
            let labels: BTreeSet<_> = known.union(add).copied().filter(|label| !remove.contains(label)).collect();
            if labels == row.labels {
                return Ok(Vec::new());
            }
            let mut changed = row.clone();
            changed.labels = labels;
            Ok(vec![Entity::Conversation(changed)])
        }
        Command::MarkRead { conversation, upto } => {
            permitted(Permission::ReadConversations)?;
            let row = visible(*conversation)?;
            if row.read_upto == *upto || (row.read_upto > *upto && !planted(Bug::ReadMarkRegress)) {
                return Ok(Vec::new());
            }
            let mut changed = row.clone();
            changed.read_upto = *upto;
            Ok(vec![Entity::Conversation(changed)])
        }
        Command::MoveOrder { order, stage, shown } => {
            permitted(Permission::MoveOrders)?;
            let row = rows.order(*order).ok_or(Code::NotFound)?;
            visible(row.conversation)?;
            rows.stage(*stage).ok_or(Code::NotFound)?;
            if row.stage == *stage {
                return Ok(Vec::new());
            }
            let ours = row.stage_by.is_some_and(|by| intent.after.contains(&by));
            if row.stage != *shown && !ours {
                return Err(Code::Conflict);
            }
            let mut moved = row.clone();
            moved.stage = *stage;
            moved.stage_by = Some(intent.id);
            moved.staged_at = now;
            Ok(vec![Entity::Order(moved)])
        }
    }
}

/// The timeline line that tells of an assignment or a change of status; the server adds it beside the edit.
pub fn activity(command: &Command) -> Option<SystemEvent> {
    match command {
        Command::Assign { assignee: Some(_), .. } => Some(SystemEvent::Assigned),
        Command::Assign { assignee: None, .. } => Some(SystemEvent::Unassigned),
        Command::SetStatus { status: Status::Resolved, .. } => Some(SystemEvent::Resolved),
        Command::SetStatus { status: Status::Open, .. } => Some(SystemEvent::Reopened),
        _ => None,
    }
}
