//! Tables of the three files, and the steps that bring an older file to the present form.
//!
//! A file's `user_version` counts the steps it has taken; a file from a newer build is refused.

use parley_domain::Code;
use rusqlite::{Connection, params};

use super::search::words::indexed;
use crate::Result;

/// What brings a file one step further.
#[derive(Clone, Copy)]
pub enum Step {
    Sql(&'static str),
    /// What SQL alone cannot do.
    Code(fn(&Connection) -> Result<()>),
}

impl Step {
    fn take(self, connection: &Connection) -> Result<()> {
        match self {
            Self::Sql(sql) => Ok(connection.execute_batch(sql)?),
            Self::Code(work) => work(connection),
        }
    }
}

/// Steps of `replica.db`: what the server sent, as it is shown, and where sync stands.
pub const REPLICA: &[Step] =
    &[Step::Sql(FIRST_REPLICA), Step::Sql(FACTS), Step::Sql(WORDS), Step::Code(index_again), Step::Sql(HELD_BACK)];

const HELD_BACK: &str = "
-- Whether the cap left conversations out, and conversations of which the policy left entries out.
CREATE TABLE held_back (id INTEGER PRIMARY KEY CHECK (id = 1), capped INTEGER NOT NULL) STRICT;
INSERT INTO held_back VALUES (1, 0);
CREATE TABLE cut (conversation BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;
";

const FACTS: &str = "
CREATE TABLE fact (
    id BLOB PRIMARY KEY, inbox BLOB NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, conversation BLOB NOT NULL,
    contact BLOB NOT NULL, member BLOB, order_id BLOB, stage BLOB, amount_minor INTEGER, currency TEXT, took_ms INTEGER,
    seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX fact_at ON fact (at);
CREATE INDEX fact_inbox ON fact (inbox);
-- In which shape the rows of a kind were fetched; a kind whose shape is older than the program's is fetched again.
CREATE TABLE kind_schema (kind TEXT PRIMARY KEY, number INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

const FIRST_REPLICA: &str = "
CREATE TABLE session (
    id INTEGER PRIMARY KEY CHECK (id = 1), server TEXT NOT NULL, workspace BLOB NOT NULL, workspace_name TEXT NOT NULL,
    member BLOB NOT NULL, member_name TEXT NOT NULL, role TEXT NOT NULL, inboxes TEXT NOT NULL, device BLOB NOT NULL
) STRICT;
-- Where sync stands. `generation` counts snapshots; rows of an older one go when a snapshot ends without them.
CREATE TABLE sync_state (
    id INTEGER PRIMARY KEY CHECK (id = 1), cursor TEXT, upto INTEGER NOT NULL, generation INTEGER NOT NULL,
    snapshot_after TEXT, sweep INTEGER NOT NULL
) STRICT;
INSERT INTO sync_state VALUES (1, NULL, 0, 1, NULL, 0);
CREATE TABLE backfill (kind TEXT NOT NULL, id BLOB NOT NULL, after TEXT, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
CREATE TABLE gone (kind TEXT NOT NULL, id BLOB NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
CREATE TABLE tombstone (kind TEXT NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (kind, id)) STRICT, WITHOUT ROWID;
-- The server's row, kept beside the shown one while an intent on it is pending; `entity` is NULL when the server has none.
CREATE TABLE confirmed (
    kind TEXT NOT NULL, id BLOB NOT NULL, seq INTEGER NOT NULL, entity TEXT, PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
-- Which intents the shown rows contain; `code` when the intent was refused and is shown as not sent.
CREATE TABLE shown_intent (id BLOB PRIMARY KEY, code TEXT) STRICT, WITHOUT ROWID;
-- Outcomes that are applied here and not yet carried out in outbox.db.
CREATE TABLE settled (id BLOB PRIMARY KEY, verdict TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE workspace (id BLOB PRIMARY KEY, name TEXT NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE member (
    id BLOB PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, active INTEGER NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE inbox (
    id BLOB PRIMARY KEY, name TEXT NOT NULL, channel TEXT NOT NULL, address TEXT, connected INTEGER NOT NULL,
    seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE label (id BLOB PRIMARY KEY, name TEXT NOT NULL, colour TEXT NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE pipeline (id BLOB PRIMARY KEY, name TEXT NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE stage (
    id BLOB PRIMARY KEY, pipeline BLOB NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL, closed INTEGER NOT NULL,
    seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE contact (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name TEXT, phone TEXT, username TEXT, blocked INTEGER NOT NULL,
    reachable INTEGER NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT;
CREATE TABLE conversation (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, inbox BLOB NOT NULL, contact BLOB NOT NULL, status TEXT NOT NULL,
    assignee BLOB, snoozed_until INTEGER, customer_wrote_at INTEGER, entry_point_until INTEGER, active_at INTEGER NOT NULL,
    read_upto INTEGER NOT NULL, preview INTEGER, unread INTEGER NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT;
CREATE INDEX conversation_list ON conversation (status, assignee, active_at, id);
CREATE INDEX conversation_active ON conversation (status, active_at, id);
CREATE INDEX conversation_inbox ON conversation (inbox, status, active_at, id);
CREATE INDEX conversation_contact ON conversation (contact, active_at);
CREATE TABLE conversation_label (conversation BLOB NOT NULL, label BLOB NOT NULL, PRIMARY KEY (conversation, label)) STRICT, WITHOUT ROWID;
CREATE INDEX conversation_label_label ON conversation_label (label, conversation);
-- `row` grows with `position` (pending ones stand above all), so the index on the conversation alone is the timeline and
-- search by descending row is newest first. `content` is NULL for plain text, whose body is `text`.
CREATE TABLE message (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, conversation BLOB NOT NULL, direction TEXT NOT NULL, author BLOB,
    content TEXT, text TEXT, conversational INTEGER NOT NULL, reaction_to BLOB, sent_at INTEGER NOT NULL,
    position INTEGER NOT NULL, delivery TEXT, reply_to BLOB, resend_of BLOB, forwarded INTEGER NOT NULL,
    edited INTEGER NOT NULL, revoked INTEGER NOT NULL, refused TEXT, seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT;
CREATE INDEX message_timeline ON message (conversation);
CREATE INDEX message_reaction ON message (reaction_to) WHERE reaction_to IS NOT NULL;
CREATE TABLE orders (
    id BLOB PRIMARY KEY, contact BLOB NOT NULL, conversation BLOB NOT NULL, number INTEGER NOT NULL, stage BLOB NOT NULL,
    stage_by BLOB, fulfilment TEXT NOT NULL, payment TEXT NOT NULL, currency TEXT NOT NULL, total_minor INTEGER NOT NULL,
    placed_at INTEGER NOT NULL, staged_at INTEGER NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_conversation ON orders (conversation, placed_at);
CREATE INDEX orders_stage ON orders (stage, staged_at);
CREATE TABLE order_item (
    id BLOB PRIMARY KEY, order_id BLOB NOT NULL, place INTEGER NOT NULL, sku TEXT NOT NULL, name TEXT, quantity INTEGER NOT NULL,
    price_minor INTEGER NOT NULL, seq INTEGER NOT NULL, generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX order_item_order ON order_item (order_id, place);
CREATE VIRTUAL TABLE message_text USING fts5(text, content='message', content_rowid='row', tokenize='unicode61 remove_diacritics 2');
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE contact_text USING fts5(name, phone, username, content='contact', content_rowid='row', tokenize='unicode61 remove_diacritics 2');
INSERT INTO contact_text (contact_text, rank) VALUES ('secure-delete', 1);
";

const WORDS: &str = "
-- Words as search/words.rs makes them (docs/adr/0006-search.md); marks belong to words. Orders are found by number and article.
DROP TABLE message_text;
DROP TABLE contact_text;
CREATE VIRTUAL TABLE message_text USING fts5(text, content='message', content_rowid='row', tokenize='unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''');
INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE contact_text USING fts5(name, phone, username, content='contact', content_rowid='row', tokenize='unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''');
INSERT INTO contact_text (contact_text, rank) VALUES ('secure-delete', 1);
CREATE INDEX orders_number ON orders (number);
CREATE INDEX orders_contact ON orders (contact, placed_at);
CREATE INDEX order_item_sku ON order_item (sku COLLATE NOCASE);
";

/// Steps of `outbox.db`: the truth about pending intents, and drafts.
pub const OUTBOX: &[Step] = &[
    Step::Sql(
        "
-- `offered`: some byte of it may have reached a server. `ask`: its root is gone, so its outcome is asked for by id.
CREATE TABLE intent (
    place INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, intent TEXT NOT NULL, state TEXT NOT NULL, code TEXT,
    offered INTEGER NOT NULL, ask INTEGER NOT NULL
) STRICT;
CREATE TABLE draft (
    conversation BLOB NOT NULL, mode TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (conversation, mode)
) STRICT, WITHOUT ROWID;
",
    ),
    Step::Sql(CUSTODY),
];

const CUSTODY: &str = "
ALTER TABLE draft ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;
-- Whether the server keeps this file's key, and up to which erasure this desk has come.
CREATE TABLE custody (
    id INTEGER PRIMARY KEY CHECK (id = 1), acknowledged INTEGER NOT NULL, erased_upto INTEGER NOT NULL
) STRICT;
INSERT INTO custody VALUES (1, 0, 0);
-- Signed, and not yet taken by the server.
CREATE TABLE receipt (place INTEGER PRIMARY KEY, receipt TEXT NOT NULL) STRICT;
";

/// Steps of `media.db`: attachments in rows of 256 KiB.
pub const MEDIA: &[Step] = &[Step::Sql(
    "
CREATE TABLE chunk (
    attachment BLOB NOT NULL, place INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (attachment, place)
) STRICT, WITHOUT ROWID;
",
)];

/// Puts every message and contact into an empty index.
fn index_again(connection: &Connection) -> Result<()> {
    let mut texts = connection.prepare("SELECT row, text FROM message WHERE text IS NOT NULL")?;
    let mut put = connection.prepare("INSERT INTO message_text (rowid, text) VALUES (?1, ?2)")?;
    let mut found = texts.query([])?;
    while let Some(row) = found.next()? {
        put.execute(params![row.get::<_, i64>(0)?, indexed(row.get_ref(1)?.as_str().unwrap_or_default())])?;
    }
    let mut people = connection.prepare("SELECT row, name, phone, username FROM contact")?;
    let mut put =
        connection.prepare("INSERT INTO contact_text (rowid, name, phone, username) VALUES (?1, ?2, ?3, ?4)")?;
    let mut found = people.query([])?;
    while let Some(row) = found.next()? {
        let form =
            |column| -> Result<Option<String>> { Ok(row.get::<_, Option<String>>(column)?.as_deref().map(indexed)) };
        put.execute(params![row.get::<_, i64>(0)?, form(1)?, form(2)?, form(3)?])?;
    }
    Ok(())
}

/// Marks a new file as `file` of `desk`, and takes all steps.
pub fn create(connection: &Connection, file: &str, desk: &str, steps: &[Step]) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(
        "CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), file TEXT NOT NULL, desk TEXT NOT NULL) STRICT;",
    )?;
    connection.execute("INSERT INTO header VALUES (1, ?1, ?2)", params![file, desk])?;
    for step in steps {
        step.take(connection)?;
    }
    connection.pragma_update(None, "user_version", steps.len())?;
    connection.execute_batch("COMMIT; PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(())
}

/// Checks that the file is what it should be and brings it to the present form.
pub fn upgrade(connection: &Connection, file: &str, desk: &str, steps: &[Step]) -> Result<()> {
    let marked: (String, String) = connection
        .query_row("SELECT file, desk FROM header", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|_| Code::StoreDamaged)?;
    if (marked.0.as_str(), marked.1.as_str()) != (file, desk) {
        return Err(Code::StoreDamaged.into());
    }
    let taken: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if taken > steps.len() {
        return Err(Code::StoreNewer.into());
    }
    for (place, step) in steps.iter().enumerate().skip(taken) {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        step.take(connection)?;
        connection.pragma_update(None, "user_version", place + 1)?;
        connection.execute_batch("COMMIT")?;
    }
    Ok(())
}
