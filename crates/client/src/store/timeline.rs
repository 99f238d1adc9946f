//! Pages of a timeline. Entries stand in the order of their rows (see the schema), reactions on the entry they are for.

use std::collections::BTreeMap;

use parley_domain::content::Content;
use parley_domain::{ConversationId, MessageId};
use rusqlite::{Connection, OptionalExtension, params};

use super::lists::first_line;
use super::messages::{self, Stored};
use super::value::id;
use super::{orders, retention, rows};
use crate::Result;
use crate::views::{Entry, Quoted, TimelineCursor, TimelinePage};

/// The page above `before`, or the newest one; oldest entry first.
pub fn page(
    connection: &Connection,
    conversation: ConversationId,
    before: Option<TimelineCursor>,
    limit: u32,
) -> Result<TimelinePage> {
    let limit = limit.clamp(1, 500) as usize;
    let beyond = retention::is_cut(connection, conversation.0)?;
    let empty = TimelinePage { entries: Vec::new(), before: None, beyond };
    let root = parley_domain::entity::Key::new(parley_domain::entity::Kind::Conversation, conversation);
    if rows::seq_of(connection, root)?.is_none() {
        return Ok(empty);
    }
    let below = match before {
        None => i64::MAX,
        Some(cursor) => connection
            .prepare_cached("SELECT row FROM message WHERE id = ?1")?
            .query_row([id(cursor.id)], |row| row.get(0))
            .optional()?
            .unwrap_or_else(|| messages::place(cursor.position, cursor.sent_at.0)),
    };
    let sql = format!(
        "SELECT {} FROM message WHERE conversation = ?1 AND row < ?2 AND reaction_to IS NULL ORDER BY row DESC LIMIT ?3",
        messages::COLUMNS
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![id(conversation), below, limit as i64 + 1])?;
    let mut stored = Vec::new();
    while let Some(row) = found.next()? {
        stored.push(messages::message(row)?);
    }
    let more = stored.len() > limit;
    stored.truncate(limit);
    stored.reverse();
    let mut page = empty;
    if let (true, Some(first)) = (more, stored.first()) {
        let message = &first.message;
        page.beyond = false;
        page.before = Some(TimelineCursor { position: message.position, sent_at: message.sent_at, id: message.id });
    }
    for item in stored {
        page.entries.push(entry(connection, item)?);
    }
    Ok(page)
}

fn entry(connection: &Connection, stored: Stored) -> Result<Entry> {
    let Stored { message, refused } = stored;
    let order = match &message.content {
        Content::Order { .. } => orders::tag_of_cart(connection, message.conversation, message.sent_at.0)?,
        _ => None,
    };
    Ok(Entry {
        id: message.id,
        direction: message.direction,
        author: message.author,
        sent_at: message.sent_at,
        position: message.position,
        delivery: message.delivery,
        quoted: message.reply_to.map(|quoted| quote(connection, quoted)).transpose()?.flatten(),
        reactions: reactions(connection, message.id)?,
        resend_of: message.resend_of,
        forwarded: message.forwarded,
        edited: message.edited,
        revoked: message.revoked,
        pending: message.position == 0 && refused.is_none(),
        refused,
        order,
        content: message.content,
    })
}

fn quote(connection: &Connection, quoted: MessageId) -> Result<Option<Quoted>> {
    Ok(messages::read(connection, quoted.0)?.map(|message| Quoted {
        id: message.id,
        direction: message.direction,
        text: first_line(message.content.searchable().unwrap_or_default()),
    }))
}

/// The present reactions on an entry: the last one of each side and member counts.
fn reactions(connection: &Connection, to: MessageId) -> Result<Vec<String>> {
    let sql = format!("SELECT {} FROM message WHERE reaction_to = ?1 ORDER BY row", messages::COLUMNS);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([id(to)])?;
    let mut last = BTreeMap::new();
    while let Some(row) = found.next()? {
        let message = messages::message(row)?.message;
        if let Content::Reaction { emoji, .. } = message.content {
            last.insert((message.direction.as_str(), message.author), emoji.filter(|emoji| !emoji.is_empty()));
        }
    }
    Ok(last.into_values().flatten().collect())
}
