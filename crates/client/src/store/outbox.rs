//! `outbox.db`: intents in the order they were made, and drafts. Every commit here is on the platter before it returns.

use std::collections::HashMap;

use parley_domain::protocol::intent::{Command, Intent};
use parley_domain::{Code, ConversationId, IntentId, MessageText, Timestamp};
use rusqlite::{Connection, Row, params};

use super::rows::get;
use super::value::{Id, id};
use crate::{Error, Result};

/// Where an intent stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingState {
    /// Waits for its outcome.
    Queued,
    /// Was refused and waits for the member.
    NeedsReview(Code),
}

/// An intent that this desk still holds.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Place in the order of making.
    pub place: i64,
    pub intent: Intent,
    pub state: PendingState,
    /// Some byte of it may have reached a server.
    pub offered: bool,
    /// Some byte of it may have reached the server before that was restored: if it sends, it is not sent again by itself.
    pub before: bool,
    /// Its root is gone, so its outcome is asked for by id.
    pub ask: bool,
}

impl Pending {
    /// Why it was refused, when it was.
    pub fn refused(&self) -> Option<Code> {
        match self.state {
            PendingState::Queued => None,
            PendingState::NeedsReview(code) => Some(code),
        }
    }

    /// The text it carries.
    pub fn text(&self) -> Option<&MessageText> {
        match &self.intent.command {
            Command::SendMessage { content: parley_domain::content::Content::Text { body }, .. }
            | Command::AddNote { body, .. } => Some(body),
            _ => None,
        }
    }
}

pub use crate::views::DraftMode;

impl DraftMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Note => "note",
        }
    }
}

const COLUMNS: &str = "place, intent, state, code, offered, ask";

/// All intents in order.
pub fn load(connection: &Connection) -> Result<Vec<Pending>> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM intent ORDER BY place"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(pending(row)?);
    }
    Ok(found)
}

/// The first intent behind a place.
pub fn next(connection: &Connection, place: i64) -> Result<Option<Pending>> {
    let sql = format!("SELECT {COLUMNS} FROM intent WHERE place > ?1 ORDER BY place LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([place])?;
    rows.next()?.map(pending).transpose()
}

fn pending(row: &Row<'_>) -> Result<Pending> {
    let code = row.get_ref(3)?.as_str_or_null().unwrap_or_default().map(Code::parse);
    let state = match row.get_ref(2)?.as_str().unwrap_or_default() {
        "queued" => PendingState::Queued,
        "needs_review" => PendingState::NeedsReview(code.unwrap_or(Code::Unknown)),
        _ => return Err(Error::Value("intent.state")),
    };
    Ok(Pending {
        place: row.get(0)?,
        intent: serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default())?,
        state,
        offered: row.get::<_, i64>(4)? & 1 != 0,
        before: row.get::<_, i64>(4)? & 2 != 0,
        ask: row.get(5)?,
    })
}

/// Writes an intent at its place, or the next one when `place` is zero; returns the place.
pub fn put(connection: &Connection, item: &Pending) -> Result<i64> {
    let place = (item.place != 0).then_some(item.place);
    let (state, code) = match item.state {
        PendingState::Queued => ("queued", None),
        PendingState::NeedsReview(code) => ("needs_review", Some(code.as_str())),
    };
    let json = serde_json::to_string(&item.intent)?;
    // The second bit: offered before a restore.
    let offered = i64::from(item.offered) | i64::from(item.before) << 1;
    Ok(connection
        .prepare_cached(
            "INSERT INTO intent (place, id, intent, state, code, offered, ask) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (place) DO UPDATE SET id=?2, intent=?3, state=?4, code=?5, offered=?6, ask=?7 RETURNING place",
        )?
        .query_row(params![place, Id(item.intent.id.0), json, state, code, offered, item.ask], |row| row.get(0))?)
}

/// Forgets an intent.
pub fn remove(connection: &Connection, intent: IntentId) -> Result<()> {
    connection.prepare_cached("DELETE FROM intent WHERE id = ?1")?.execute([Id(intent.0)])?;
    Ok(())
}

/// All drafts.
pub fn drafts(connection: &Connection) -> Result<HashMap<(ConversationId, DraftMode), MessageText>> {
    let mut statement = connection.prepare("SELECT conversation, mode, text FROM draft")?;
    let mut rows = statement.query([])?;
    let mut found = HashMap::new();
    while let Some(row) = rows.next()? {
        let mode =
            if row.get_ref(1)?.as_str().unwrap_or_default() == "note" { DraftMode::Note } else { DraftMode::Reply };
        found.insert((get(row, 0)?, mode), MessageText::new(row.get::<_, String>(2)?));
    }
    Ok(found)
}

/// Stores a draft; an empty one is removed.
pub fn save_draft(
    connection: &Connection,
    conversation: ConversationId,
    mode: DraftMode,
    text: &str,
    now: Timestamp,
) -> Result<()> {
    if text.is_empty() {
        connection
            .prepare_cached("DELETE FROM draft WHERE conversation = ?1 AND mode = ?2")?
            .execute(params![id(conversation), mode.as_str()])?;
    } else {
        connection.prepare_cached("INSERT OR REPLACE INTO draft VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            id(conversation),
            mode.as_str(),
            text,
            now.0
        ])?;
    }
    Ok(())
}

/// Deletes drafts last written before `since`, and those of these conversations; how many went. One of before drafts had a
/// date begins to age now.
pub fn forget_drafts(
    connection: &Connection,
    since: Timestamp,
    now: Timestamp,
    of: &[ConversationId],
) -> Result<usize> {
    connection.execute("UPDATE draft SET written_at = ?1 WHERE written_at = 0", [now.0])?;
    let mut gone = connection.execute("DELETE FROM draft WHERE written_at < ?1", [since.0])?;
    for conversation in of {
        gone += connection.execute("DELETE FROM draft WHERE conversation = ?1", [id(*conversation)])?;
    }
    Ok(gone)
}
