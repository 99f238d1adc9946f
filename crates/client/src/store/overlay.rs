//! Pending edits drawn over confirmed rows.
//!
//! Tables hold shown rows. The first pending edit of a row puts the server's row into `confirmed`; later news of the server
//! go there. [`rebase`] takes all edits off and draws those that are still pending again, with the function that the server
//! uses too. An edit is decided at the time it was made, so drawing it again gives the same rows.

use std::collections::BTreeMap;

use parley_domain::content::Content;
use parley_domain::decide::{Decision, decide, needed};
use parley_domain::delivery::{Delivery, Failure};
use parley_domain::entity::{Entity, Key, Kind, RowSet};
use parley_domain::message::{Direction, Message};
use parley_domain::permission::Actor;
use parley_domain::protocol::intent::{Command, Intent};
use parley_domain::{Code, ConversationId, IntentId, MessageId, MessageText, PersonName, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::outbox::{DraftMode, Pending, PendingState};
use super::rows::{self, Touched};
use super::value::Id;
use super::{messages, session};
use crate::Result;

/// Rows for a decision, as they are shown.
pub fn gather(connection: &Connection, command: &Command) -> Result<RowSet> {
    let mut at_hand = RowSet::default();
    let mut missing = Vec::new();
    loop {
        let wanted: Vec<Key> = needed(command, &at_hand).into_iter().filter(|key| !missing.contains(key)).collect();
        if wanted.is_empty() {
            return Ok(at_hand);
        }
        for key in wanted {
            match rows::read(connection, key)? {
                Some(entity) => at_hand.put(entity),
                None => missing.push(key),
            }
        }
    }
}

/// What an edit would come to now.
pub fn decide_shown(connection: &Connection, intent: &Intent, actor: &Actor, now: Timestamp) -> Result<Decision> {
    let at_hand = gather(connection, &intent.command)?;
    Ok(decide(intent, actor, &at_hand, now))
}

/// Takes every edit off and draws those of `pending` again.
pub fn rebase(connection: &Connection, pending: &[Pending], actor: &Actor, touched: &mut Touched) -> Result<()> {
    let generation = session::generation(connection)?;
    let mut kept = Vec::new();
    {
        let mut statement = connection.prepare_cached("SELECT kind, id, seq, entity FROM confirmed")?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            if let Some(kind) = Kind::parse(row.get_ref(0)?.as_str().unwrap_or_default()) {
                let key = Key { kind, id: row.get::<_, Id>(1)?.0 };
                kept.push((key, row.get::<_, u64>(2)?, row.get::<_, Option<String>>(3)?));
            }
        }
    }
    for (key, seq, entity) in kept {
        // Taking an edit off does not make a row newer: what the running snapshot does not name must still go at its end.
        let generation = rows::generation_of(connection, key)?.unwrap_or(generation);
        match entity {
            Some(json) => rows::write(connection, &serde_json::from_str(&json)?, seq, generation, touched)?,
            None => rows::delete(connection, key, touched)?,
        }
    }
    connection.prepare_cached("DELETE FROM confirmed")?.execute([])?;
    connection.prepare_cached("DELETE FROM shown_intent")?.execute([])?;
    for item in pending {
        draw(connection, item, actor, touched)?;
    }
    Ok(())
}

/// Draws one edit over the shown rows, unless it is shown already.
pub fn draw(connection: &Connection, item: &Pending, actor: &Actor, touched: &mut Touched) -> Result<()> {
    let code = item.refused();
    let fresh = connection
        .prepare_cached("INSERT OR IGNORE INTO shown_intent VALUES (?1, ?2)")?
        .execute(params![Id(item.intent.id.0), code.map(Code::as_str)])?;
    if fresh == 0 {
        return Ok(());
    }
    let entities = match item.state {
        PendingState::NeedsReview(code) => written(&item.intent, actor, Some(code)),
        PendingState::Queued => {
            let at_hand = gather(connection, &item.intent.command)?;
            match decide(&item.intent, actor, &at_hand, item.intent.made_at) {
                Decision::Write(entities) => entities,
                Decision::NoOp => Vec::new(),
                // The bubble stays whatever the rows say meanwhile: the server decides. Unless the server's own message came.
                Decision::Refuse(_) => written(&item.intent, actor, None)
                    .into_iter()
                    .filter(|entity| !at_hand.contains(entity.key()))
                    .collect(),
            }
        }
    };
    let generation = session::generation(connection)?;
    for entity in entities {
        keep_confirmed(connection, entity.key())?;
        let seq = rows::seq_of(connection, entity.key())?.unwrap_or(0);
        let generation = rows::generation_of(connection, entity.key())?.unwrap_or(generation);
        match (&entity, code) {
            (Entity::Message(message), Some(code)) => {
                messages::write(connection, message, Some(code), seq, generation)?;
                touched.conversations.insert(message.conversation.0);
            }
            _ => rows::write(connection, &entity, seq, generation, touched)?,
        }
    }
    Ok(())
}

/// The message that an edit writes, when its rows do not allow more.
fn written(intent: &Intent, actor: &Actor, refused: Option<Code>) -> Vec<Entity> {
    let (id, conversation, direction, content) = match &intent.command {
        Command::SendMessage { message, conversation, content, .. } => {
            (*message, *conversation, Direction::Outgoing, content.clone())
        }
        Command::AddNote { message, conversation, body } => {
            (*message, *conversation, Direction::Note, Content::Text { body: body.clone() })
        }
        _ => return Vec::new(),
    };
    let (reply_to, resend_of) = match &intent.command {
        Command::SendMessage { reply_to, resend_of, .. } => (*reply_to, *resend_of),
        _ => (None, None),
    };
    let delivery = (direction == Direction::Outgoing).then(|| {
        let mut delivery = Delivery::queued();
        if let Some(code) = refused {
            delivery.fail(Failure { code, meta_code: None, at: intent.made_at });
        }
        delivery
    });
    vec![Entity::Message(Message {
        id,
        conversation,
        direction,
        author: Some(actor.member),
        content,
        sent_at: intent.made_at,
        position: 0,
        delivery,
        reply_to,
        resend_of,
        forwarded: false,
        edited: false,
        revoked: false,
    })]
}

fn keep_confirmed(connection: &Connection, key: Key) -> Result<()> {
    if is_confirmed_beside(connection, key)?.is_some() {
        return Ok(());
    }
    let entity = rows::read(connection, key)?.map(|entity| serde_json::to_string(&entity)).transpose()?;
    let seq = rows::seq_of(connection, key)?.unwrap_or(0);
    set_confirmed(connection, key, seq, entity)
}

/// `seq` of the confirmed row that is kept beside a shown one.
pub fn is_confirmed_beside(connection: &Connection, key: Key) -> Result<Option<u64>> {
    Ok(connection
        .prepare_cached("SELECT seq FROM confirmed WHERE kind = ?1 AND id = ?2")?
        .query_row(params![key.kind.as_str(), Id(key.id)], |row| row.get(0))
        .optional()?)
}

/// Puts the server's row beside the shown one.
pub fn set_confirmed(connection: &Connection, key: Key, seq: u64, entity: Option<String>) -> Result<()> {
    connection.prepare_cached("INSERT OR REPLACE INTO confirmed VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        key.kind.as_str(),
        Id(key.id),
        seq,
        entity
    ])?;
    Ok(())
}

/// Answers and notes that are shown as pending and that no intent of `pending` writes.
pub fn unknown_answers(
    connection: &Connection,
    pending: &[Pending],
) -> Result<Vec<(ConversationId, DraftMode, MessageText)>> {
    let known: Vec<Uuid> = pending.iter().filter_map(|item| creates(&item.intent.command)).map(|id| id.0).collect();
    let mut found = Vec::new();
    for message in messages::unplaced(connection)? {
        let mode = if message.direction == Direction::Note { DraftMode::Note } else { DraftMode::Reply };
        if let (false, Content::Text { body }) = (known.contains(&message.id.0), message.content) {
            found.push((message.conversation, mode, body));
        }
    }
    Ok(found)
}

/// The message that a command creates.
pub fn creates(command: &Command) -> Option<MessageId> {
    match command {
        Command::SendMessage { message, .. } | Command::AddNote { message, .. } => Some(*message),
        _ => None,
    }
}

/// Which intents the shown rows contain, with the code of refused ones.
pub fn shown(connection: &Connection) -> Result<BTreeMap<IntentId, Option<Code>>> {
    let mut statement = connection.prepare_cached("SELECT id, code FROM shown_intent")?;
    let mut found = statement.query([])?;
    let mut shown = BTreeMap::new();
    while let Some(row) = found.next()? {
        let code = row.get_ref(1)?.as_str_or_null().unwrap_or_default().map(Code::parse);
        shown.insert(IntentId(row.get::<_, Id>(0)?.0), code);
    }
    Ok(shown)
}

/// The conversation that an edit belongs to; for orders as it is shown.
pub fn conversation_of(connection: &Connection, command: &Command) -> Result<Option<Uuid>> {
    Ok(match command {
        Command::SendMessage { conversation, .. }
        | Command::CancelSend { conversation, .. }
        | Command::AddNote { conversation, .. }
        | Command::Assign { conversation, .. }
        | Command::SetStatus { conversation, .. }
        | Command::Label { conversation, .. }
        | Command::MarkRead { conversation, .. } => Some(conversation.0),
        Command::MoveOrder { order, .. } => match rows::read(connection, Key::new(Kind::Order, *order))? {
            Some(Entity::Order(order)) => Some(order.conversation.0),
            _ => None,
        },
    })
}

/// Name of the contact of a conversation.
pub fn contact_name(connection: &Connection, conversation: ConversationId) -> Result<Option<PersonName>> {
    let name: Option<Option<String>> = connection
        .prepare_cached(
            "SELECT name FROM conversation JOIN contact ON contact.id = conversation.contact WHERE conversation.id = ?1",
        )?
        .query_row([Id(conversation.0)], |row| row.get(0))
        .optional()?;
    Ok(name.flatten().map(PersonName::new))
}

/// A row as it is shown.
pub fn shown_row(connection: &Connection, key: Key) -> Result<Option<Entity>> {
    rows::read(connection, key)
}
