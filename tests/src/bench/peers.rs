//! The desk's store beside Signal's (`@signalapp/sqlcipher`, installed here and never shipped) and beside plain SQLite: the same
//! workload in the same run, and ratios. `PARLEY_BENCH_MESSAGES` says how many messages; a million without it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use parley_client::measure::BareStore;
use parley_domain::channel::Channel;
use parley_domain::contact::Contact;
use parley_domain::content::Content;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::entity::Entity;
use parley_domain::message::{Direction, Message};
use parley_domain::workspace::Inbox;
use parley_domain::{ContactId, ConversationId, InboxId, MessageId, MessageText, PersonName, Timestamp};
use rusqlite::{Connection, params};
use serde::Deserialize;
use uuid::Uuid;
use xtask::failure::Failure;

use super::store::WORDS;
use super::{Figure, figure, percentile};
use crate::Fallible;

const PEER: &str = "@signalapp/sqlcipher@4.1.0";
const CONVERSATIONS: usize = 2_000;
const BATCH: usize = 500;

/// What one store needed for the workload. Times of queries in milliseconds.
#[derive(Debug, Deserialize)]
struct Run {
    /// Until every message was stored, readable and searchable.
    seconds: f64,
    opens: Vec<f64>,
    switches: Vec<f64>,
    common: Vec<f64>,
    rare: Vec<f64>,
}

/// Runs the workload on all three, ours first and last.
pub async fn measure(out: &Path) -> Fallible<Vec<Figure>> {
    let messages = std::env::var("PARLEY_BENCH_MESSAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir()?;
    let first = ours(&folder.path().join("first"), messages).await?;
    let signal = signal(&out.join("peer"), messages)?;
    let plain = plain(&folder.path().join("plain.db"), messages)?;
    let again = ours(&folder.path().join("again"), messages).await?;
    let best = if again.seconds < first.seconds { again } else { first };
    let mut figures = vec![figure("messages", messages as f64, "messages")];
    let mut columns = [("Parley", best), ("Signal's store", signal), ("plain SQLite", plain)].map(|(name, mut run)| {
        let rows = [
            ("stored, readable and searchable", messages as f64 / run.seconds, "messages/s"),
            ("open and read a row, p95", percentile(&mut run.opens, 0.95), "ms"),
            ("switch to a conversation, p95", percentile(&mut run.switches, 0.95), "ms"),
            ("search, common word, p95", percentile(&mut run.common, 0.95), "ms"),
            ("search, rare word, p95", percentile(&mut run.rare, 0.95), "ms"),
        ];
        figures.extend(rows.map(|(what, value, unit)| figure(format!("{name}: {what}"), value, unit)));
        rows
    });
    let [ours, others @ ..] = &mut columns;
    for (name, other) in ["Signal's store", "plain SQLite"].into_iter().zip(others) {
        for (mine, theirs) in ours.iter().zip(other.iter()) {
            let (what, value, unit) = *mine;
            // More a second is better, and fewer milliseconds are.
            let ratio = if unit == "ms" { theirs.1 / value } else { value / theirs.1 };
            figures.push(figure(format!("Parley to {name}: {what}"), ratio, "×"));
        }
    }
    Ok(figures)
}

/// The text of a message; `peer.mjs` makes the same.
fn text(number: usize) -> String {
    let mut state = (number as u32).wrapping_mul(2_654_435_761);
    let mut text = String::new();
    for _ in 0..18 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text += WORDS.get((state >> 16) as usize % WORDS.len()).copied().unwrap_or_default();
        text.push(' ');
    }
    text + &format!("needle{}", number % 10_000)
}

fn uuid(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + (kind << 40) + number as u128)
}

fn conversation(number: usize) -> ConversationId {
    ConversationId(uuid(1, number % CONVERSATIONS))
}

async fn ours(folder: &Path, messages: usize) -> Fallible<Run> {
    let mut store = BareStore::create(folder).await?;
    let inbox = InboxId(uuid(3, 0));
    let mut rows = vec![Entity::Inbox(Inbox {
        id: inbox,
        name: "Sales".into(),
        channel: Channel::Whatsapp,
        address: None,
        connected: true,
    })];
    for number in 0..CONVERSATIONS {
        let contact = ContactId(uuid(2, number));
        rows.push(Entity::Contact(Contact {
            id: contact,
            name: Some(PersonName::new(format!("Contact {number}"))),
            phone: None,
            username: None,
            blocked: false,
            reachable: true,
        }));
        rows.push(Entity::Conversation(Conversation {
            id: conversation(number),
            inbox,
            contact,
            status: Status::Open,
            assignee: None,
            labels: BTreeSet::new(),
            snoozed_until: None,
            customer_wrote_at: Some(Timestamp(1)),
            entry_point_until: None,
            active_at: Timestamp(1 + number as i64),
            read_upto: 0,
        }));
    }
    store.store(rows).await?;
    let started = Instant::now();
    for batch in (0..messages).step_by(BATCH) {
        let rows = (batch..(batch + BATCH).min(messages)).map(message).collect();
        store.store(rows).await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    drop(store);
    let mut opens = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let store = BareStore::open(folder)?;
        store.timeline(conversation(0), 1).await?;
        opens.push(milliseconds(started));
    }
    let store = BareStore::open(folder)?;
    let (mut switches, mut common, mut rare) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..1_000 {
        let started = Instant::now();
        store.timeline(conversation(number * 7_919), 50).await?;
        switches.push(milliseconds(started));
    }
    for number in 0..200 {
        let started = Instant::now();
        if store.search("brass", 20).await?.messages.is_empty() {
            return Err(Failure::new("the common word was not found"));
        }
        common.push(milliseconds(started));
        let word = format!("needle{number}");
        let started = Instant::now();
        store.search(&word, 20).await?;
        rare.push(milliseconds(started));
    }
    Ok(Run { seconds, opens, switches, common, rare })
}

fn message(number: usize) -> Entity {
    Entity::Message(Message {
        id: MessageId(uuid(4, number)),
        conversation: conversation(number),
        direction: Direction::Incoming,
        author: None,
        content: Content::Text { body: MessageText::new(text(number)) },
        sent_at: Timestamp(number as i64),
        position: number as u64 + 1,
        delivery: None,
        reply_to: None,
        resend_of: None,
        forwarded: false,
        edited: false,
        revoked: false,
    })
}

fn signal(folder: &Path, messages: usize) -> Fallible<Run> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("package.json"), "{\"private\": true}\n")?;
    let mut install = Command::new("npm");
    install.current_dir(folder).args(["install", "--ignore-scripts", "--no-audit", "--no-fund", PEER]);
    xtask::process::output(&mut install)?;
    let mut run = Command::new("node");
    run.arg(xtask::cargo::root().join("tests/src/bench/peer.mjs")).arg(folder);
    run.args([messages.to_string(), CONVERSATIONS.to_string(), WORDS.join(",")]);
    let told = xtask::process::output(&mut run)?;
    let line =
        told.lines().rev().find(|line| line.starts_with('{')).ok_or_else(|| Failure::new("the peer said nothing"))?;
    Ok(serde_json::from_str(line)?)
}

/// The peer's tables in a file without a key, through the library that the desk uses.
fn plain(path: &Path, messages: usize) -> Fallible<Run> {
    let open = || -> Fallible<Connection> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8000;",
        )?;
        Ok(connection)
    };
    let connection = open()?;
    connection.execute_batch(
        "CREATE TABLE message (row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, conversation TEXT NOT NULL, direction TEXT NOT NULL,
           sent_at INTEGER NOT NULL, text TEXT NOT NULL, seq INTEGER NOT NULL);
         CREATE INDEX message_timeline ON message (conversation, row);
         CREATE VIRTUAL TABLE message_text USING fts5(text, content='message', content_rowid='row', tokenize='unicode61 remove_diacritics 2');
         INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', 1);
         CREATE TRIGGER message_in AFTER INSERT ON message BEGIN INSERT INTO message_text (rowid, text) VALUES (new.row, new.text); END;",
    )?;
    let started = Instant::now();
    for batch in (0..messages).step_by(BATCH) {
        connection.execute_batch("BEGIN")?;
        let mut insert =
            connection.prepare_cached("INSERT INTO message VALUES (?1, ?2, ?3, 'incoming', ?4, ?5, ?4)")?;
        for number in batch..(batch + BATCH).min(messages) {
            let (id, thread) = (format!("message-{number:028}"), format!("conversation-{}", number % CONVERSATIONS));
            insert.execute(params![number as i64 + 1, id, thread, number as i64, text(number)])?;
        }
        drop(insert);
        connection.execute_batch("COMMIT")?;
    }
    let seconds = started.elapsed().as_secs_f64();
    drop(connection);
    let mut opens = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let connection = open()?;
        connection
            .query_row("SELECT text FROM message ORDER BY row DESC LIMIT 1", [], |row| row.get::<_, String>(0))?;
        opens.push(milliseconds(started));
    }
    let connection = open()?;
    let ask = |sql: &str, value: &str| -> Fallible<f64> {
        let started = Instant::now();
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([value])?;
        while let Some(row) = rows.next()? {
            for column in 0..7 {
                std::hint::black_box(row.get_ref(column)?);
            }
        }
        Ok(milliseconds(started))
    };
    let page = "SELECT * FROM message WHERE conversation = ?1 ORDER BY row DESC LIMIT 50";
    let search = "SELECT message.* FROM message_text JOIN message ON message.row = message_text.rowid
                  WHERE message_text MATCH ?1 ORDER BY message_text.rowid DESC LIMIT 20";
    let switches = (0..1_000).map(|number| ask(page, &format!("conversation-{}", number * 7_919 % CONVERSATIONS)));
    let switches = switches.collect::<Fallible<_>>()?;
    let common = (0..200).map(|_| ask(search, "\"brass\"")).collect::<Fallible<_>>()?;
    let rare = (0..200).map(|number| ask(search, &format!("\"needle{number}\""))).collect::<Fallible<_>>()?;
    Ok(Run { seconds, opens, switches, common, rare })
}

fn milliseconds(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1_000.0
}
