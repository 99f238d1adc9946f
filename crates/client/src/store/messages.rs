//! Message rows: the timeline's order, full text, previews and unread counts.

use parley_domain::content::Content;
use parley_domain::message::{Direction, Message};
use parley_domain::{Code, MessageText};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rows::{get, get_maybe, time};
use super::search::words::indexed;
use super::value::{Id, id, maybe, parse};
use crate::Result;

/// Rows of one position: the position is unique on the server, so one is used; the rest is room for surprises.
const ROOM: i64 = 1 << 10;
/// Rows of entries that only this desk knows start here and go on by time.
const PENDING: i64 = 1 << 62;

/// Lowest `row` that an entry at `position` may have.
pub fn place(position: u64, sent_at: i64) -> i64 {
    if position == 0 {
        PENDING.saturating_add(sent_at.max(0).saturating_mul(ROOM))
    } else {
        i64::try_from(position).unwrap_or(PENDING / ROOM).saturating_mul(ROOM)
    }
}

/// Columns for [`message`].
pub const COLUMNS: &str = "id, conversation, direction, author, content, text, sent_at, position, delivery, reply_to, \
     resend_of, forwarded, edited, revoked, refused";

/// Writes a message; one that got its position moves to its place. `refused` marks an entry whose intent was refused.
pub fn write(
    connection: &Connection,
    message: &Message,
    refused: Option<Code>,
    seq: u64,
    generation: i64,
) -> Result<()> {
    let known: Option<(i64, u64, Option<String>)> = connection
        .prepare_cached("SELECT row, position, text FROM message WHERE id = ?1")?
        .query_row([id(message.id)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let text = message.content.searchable();
    let content = match &message.content {
        Content::Text { .. } => None,
        other => Some(serde_json::to_string(other)?),
    };
    let delivery = message.delivery.as_ref().map(serde_json::to_string).transpose()?;
    let reaction_to = match &message.content {
        Content::Reaction { to, .. } => *to,
        _ => None,
    };
    let conversational = message.content.is_conversational() && message.direction != Direction::Activity;
    let stays = known.as_ref().filter(|(_, position, _)| *position == message.position);
    let row = match stays {
        Some((row, _, _)) => *row,
        None => free_row(connection, place(message.position, message.sent_at.0))?,
    };
    let same_text = stays.is_some_and(|(_, _, known)| known.as_deref() == text);
    if let Some((row, _, Some(old))) = &known
        && !same_text
    {
        unindex(connection, *row, old)?;
    }
    if known.is_some() && stays.is_none() {
        connection.prepare_cached("DELETE FROM message WHERE id = ?1")?.execute([id(message.id)])?;
    }
    connection
        .prepare_cached(
            "INSERT INTO message VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20)
             ON CONFLICT (row) DO UPDATE SET conversation=?3, direction=?4, author=?5, content=?6, text=?7,
                 conversational=?8, reaction_to=?9, sent_at=?10, position=?11, delivery=?12, reply_to=?13, resend_of=?14,
                 forwarded=?15, edited=?16, revoked=?17, refused=?18, seq=?19, generation=?20",
        )?
        .execute(params![
            row,
            id(message.id),
            id(message.conversation),
            message.direction.as_str(),
            maybe(message.author),
            content,
            text,
            conversational,
            maybe(reaction_to),
            message.sent_at.0,
            message.position,
            delivery,
            maybe(message.reply_to),
            maybe(message.resend_of),
            message.forwarded,
            message.edited,
            message.revoked,
            refused.map(Code::as_str),
            seq,
            generation
        ])?;
    if let Some(text) = text
        && !same_text
    {
        connection
            .prepare_cached("INSERT INTO message_text (rowid, text) VALUES (?1, ?2)")?
            .execute(params![row, indexed(text)])?;
    }
    Ok(())
}

fn free_row(connection: &Connection, from: i64) -> Result<i64> {
    Ok(connection
        .prepare_cached("SELECT coalesce(max(row) + 1, ?1) FROM message WHERE row BETWEEN ?1 AND ?2")?
        .query_row([from, from.saturating_add(ROOM - 1)], |row| row.get(0))?)
}

fn unindex(connection: &Connection, row: i64, text: &str) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO message_text (message_text, rowid, text) VALUES ('delete', ?1, ?2)")?
        .execute(params![row, indexed(text)])?;
    Ok(())
}

/// Deletes a message; returns its conversation when it was there.
pub fn delete(connection: &Connection, message: Uuid) -> Result<Option<Uuid>> {
    let known: Option<(i64, Id, Option<String>)> = connection
        .prepare_cached("SELECT row, conversation, text FROM message WHERE id = ?1")?
        .query_row([Id(message)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((row, conversation, text)) = known else {
        return Ok(None);
    };
    if let Some(text) = text {
        unindex(connection, row, &text)?;
    }
    connection.prepare_cached("DELETE FROM message WHERE row = ?1")?.execute([row])?;
    Ok(Some(conversation.0))
}

/// A message with what only this desk adds to it.
pub struct Stored {
    pub message: Message,
    pub refused: Option<Code>,
}

/// A message from [`COLUMNS`].
pub fn message(row: &Row<'_>) -> Result<Stored> {
    let content = match row.get_ref(4)?.as_str_or_null().unwrap_or_default() {
        Some(json) => serde_json::from_str(json)?,
        None => Content::Text { body: MessageText::new(row.get::<_, Option<String>>(5)?.unwrap_or_default()) },
    };
    let delivery = row.get_ref(8)?.as_str_or_null().unwrap_or_default().map(serde_json::from_str).transpose()?;
    Ok(Stored {
        message: Message {
            id: get(row, 0)?,
            conversation: get(row, 1)?,
            direction: parse(row.get_ref(2)?.as_str().unwrap_or_default(), "message.direction")?,
            author: get_maybe(row, 3)?,
            content,
            sent_at: time(row, 6)?,
            position: row.get(7)?,
            delivery,
            reply_to: get_maybe(row, 9)?,
            resend_of: get_maybe(row, 10)?,
            forwarded: row.get(11)?,
            edited: row.get(12)?,
            revoked: row.get(13)?,
        },
        refused: row.get_ref(14)?.as_str_or_null().unwrap_or_default().map(Code::parse),
    })
}

/// One message by id.
pub fn read(connection: &Connection, message_id: Uuid) -> Result<Option<Message>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM message WHERE id = ?1"))?;
    let mut rows = statement.query([Id(message_id)])?;
    Ok(rows.next()?.map(message).transpose()?.map(|stored| stored.message))
}

/// Messages that only this desk knows, in the order of their making.
pub fn unplaced(connection: &Connection) -> Result<Vec<Message>> {
    let sql = format!("SELECT {COLUMNS} FROM message WHERE row >= ?1 AND seq = 0 ORDER BY row");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([PENDING])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(message(row)?.message);
    }
    Ok(found)
}

/// Computes preview and unread count of a conversation again.
pub fn refresh(connection: &Connection, conversation: Uuid) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE conversation SET
               preview = (SELECT row FROM message WHERE conversation = ?1 AND conversational ORDER BY row DESC LIMIT 1),
               unread = (SELECT count(*) FROM (SELECT 1 FROM message WHERE conversation = ?1 AND row >= (read_upto + 1) * 1024
                   AND row < ?2 AND direction = 'incoming' AND conversational LIMIT 999))
             WHERE id = ?1",
        )?
        .execute(params![Id(conversation), PENDING])?;
    Ok(())
}
