//! How much the local copy holds, and emptying it.

use parley_domain::Timestamp;
use rusqlite::Connection;

use super::retention;
use crate::Result;

/// Rows and their dates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    pub rows: usize,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

fn read(connection: &Connection, sql: &str) -> Result<Span> {
    Ok(connection.query_row(sql, [], |row| {
        let time = |at: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(Timestamp));
        Ok(Span { rows: row.get(0)?, oldest: time(1)?, newest: time(2)? })
    })?)
}

/// Messages and notes.
pub fn span(connection: &Connection) -> Result<Span> {
    read(connection, "SELECT count(*), min(sent_at), max(sent_at) FROM message")
}

/// Drafts.
pub fn drafts_span(connection: &Connection) -> Result<Span> {
    read(connection, "SELECT count(*), min(nullif(written_at, 0)), max(nullif(written_at, 0)) FROM draft")
}

/// Empties the local copy; who is signed in stays. The caller starts a snapshot.
pub fn clear(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "INSERT INTO message_text (message_text) VALUES ('delete-all');
         INSERT INTO contact_text (contact_text) VALUES ('delete-all');
         DELETE FROM message; DELETE FROM contact; DELETE FROM conversation; DELETE FROM conversation_label;
         DELETE FROM orders; DELETE FROM order_item; DELETE FROM confirmed; DELETE FROM shown_intent;
         DELETE FROM tombstone; DELETE FROM gone; DELETE FROM fact;",
    )?;
    retention::begin_again(connection)
}
