//! The three files under power cuts, full disks, failing devices and damage: one workload, and what must hold after each.
//!
//! The workload does what the engine does, in its order: an intent is committed to `outbox.db` and then drawn in `replica.db`;
//! an outcome is stored in `replica.db`, durably, before its intent leaves `outbox.db`. What was acknowledged is written down
//! outside, and held against what the files say afterwards.

mod damage;
mod full;
mod power;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use parley_domain::channel::Channel;
use parley_domain::contact::Contact;
use parley_domain::content::Content;
use parley_domain::conversation::{Conversation, Status};
use parley_domain::delivery::Delivery;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::message::{Direction, Message};
use parley_domain::permission::{Actor, Role};
use parley_domain::protocol::change::Row;
use parley_domain::protocol::intent::{Command, Intent, Outcome, Verdict};
use parley_domain::workspace::Inbox;
use parley_domain::*;
use rusqlite::Connection;
use uuid::Uuid;

use super::apply::{self, Advance, Slice};
use super::heal::Mended;
use super::outbox::{self, Pending, PendingState};
use super::pool::{Durability, Urgency};
use super::rows::Touched;
use super::session::{self, SignedIn};
use super::value::Id;
use super::{Stores, messages, overlay};
use crate::desk::{DirLock, make_dir};
use crate::keyfile::StoreKeys;
use crate::{DraftMode, Error, Result};

/// The desk's name, which stands in each file.
const DESK: &str = "trial";
const CONVERSATIONS: u64 = 6;

fn uuid(n: u64) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n))
}
fn keys() -> StoreKeys {
    StoreKeys { replica: [1; 32], outbox: [2; 32], media: [3; 32] }
}
fn me() -> MemberId {
    MemberId(uuid(1))
}
fn inbox() -> InboxId {
    InboxId(uuid(2))
}
fn conversation(n: u64) -> ConversationId {
    ConversationId(uuid(100 + n % CONVERSATIONS))
}
/// The text of the message that the server numbered `seq`.
fn text(seq: u64) -> String {
    format!("message {seq} of a customer who asks about lamp {} and its delivery to Rúa do Vilar", seq % 17)
}

fn signed_in() -> SignedIn {
    SignedIn {
        server: "https://parley.example".into(),
        workspace: WorkspaceId(uuid(0)),
        workspace_name: "Casa Lumen".into(),
        member: me(),
        member_name: PersonName::new("Rhea"),
        role: Role::Admin,
        inboxes: [inbox()].into(),
        device: DeviceId(uuid(3)),
        holds: None,
    }
}

fn actor() -> Actor {
    Actor { member: me(), role: Role::Admin, inboxes: [inbox()].into() }
}

/// What was acknowledged, in order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ack {
    /// The outbox took this intent.
    Put(IntentId),
    /// The outbox let this intent go; its outcome has this `seq`.
    Left(IntentId, u64),
    /// The outbox took the draft with this number.
    Draft(u64),
}

/// Open files, and what the one who writes to them knows.
struct Trial {
    stores: Stores,
    pending: Vec<Pending>,
    seq: u64,
    made: u64,
    draft: u64,
    acks: Vec<Ack>,
}

impl Trial {
    /// New files of a desk that was just signed in.
    async fn create(dir: &Path) -> Result<Self> {
        make_dir(dir)?;
        let stores = Stores::create(dir, DESK, &keys(), DirLock::take(dir)?, None)?;
        stores.replica.write_durable(Urgency::Person, Durability::Full, |tx| session::save(tx, &signed_in())).await?;
        Ok(Self { stores, pending: Vec::new(), seq: 0, made: 0, draft: 0, acks: Vec::new() })
    }

    async fn store(&self, rows: Vec<Row>, outcomes: Vec<Outcome>, upto: u64) -> Result<Vec<Outcome>> {
        let durability = if outcomes.is_empty() { Durability::Usual } else { Durability::Full };
        let slice = Slice {
            rows,
            enter: Vec::new(),
            gone: Vec::new(),
            outcomes,
            advance: Advance::Cursor { cursor: upto.to_string(), upto },
            live: true,
        };
        let pending = self.pending.clone();
        let applied = self
            .stores
            .replica
            .write_durable(Urgency::Background, durability, move |tx| apply::apply(tx, &slice, &pending, &signed_in()))
            .await?;
        Ok(applied.settled)
    }

    /// The server sends the inbox, contacts and conversations.
    async fn begin(&mut self) -> Result<()> {
        let mut rows = Vec::new();
        let mut put = |entity: Entity| {
            self.seq += 1;
            rows.push(Row {
                key: entity.key(),
                root: entity.root(WorkspaceId(uuid(0))),
                seq: self.seq,
                entity: Some(entity),
            });
        };
        put(Entity::Inbox(Inbox {
            id: inbox(),
            name: "Sales".into(),
            channel: Channel::Whatsapp,
            address: None,
            connected: true,
        }));
        for n in 0..CONVERSATIONS {
            put(Entity::Contact(Contact {
                id: ContactId(uuid(200 + n)),
                name: Some(PersonName::new(format!("Contact {n}"))),
                phone: Some(Phone::new(format!("+49151000000{n:02}"))),
                username: None,
                blocked: false,
                reachable: true,
            }));
            put(Entity::Conversation(Conversation {
                id: conversation(n),
                inbox: inbox(),
                contact: ContactId(uuid(200 + n)),
                status: Status::Open,
                assignee: None,
                labels: BTreeSet::new(),
                snoozed_until: None,
                customer_wrote_at: Some(Timestamp(1_000)),
                entry_point_until: None,
                active_at: Timestamp(1_000 + n as i64),
                read_upto: 0,
            }));
        }
        let upto = self.seq;
        self.store(rows, Vec::new(), upto).await.map(|_| ())
    }

    /// Customers write `count` messages.
    async fn news(&mut self, count: u64) -> Result<()> {
        let rows = (self.seq + 1..=self.seq + count).map(|seq| row(incoming(seq), seq)).collect();
        self.store(rows, Vec::new(), self.seq + count).await?;
        self.seq += count;
        Ok(())
    }

    /// The member answers.
    async fn edit(&mut self) -> Result<()> {
        self.made += 1;
        let n = self.made;
        let intent = Intent {
            id: IntentId(uuid(1_000_000 + n)),
            made_at: Timestamp(2_000),
            command: Command::SendMessage {
                message: MessageId(uuid(2_000_000 + n)),
                conversation: conversation(n),
                content: Content::Text { body: MessageText::new(format!("answer {n}")) },
                reply_to: None,
                resend_of: None,
                newest_shown: None,
            },
            touches: vec![Key::new(Kind::Conversation, conversation(n))],
            after: Vec::new(),
        };
        let id = intent.id;
        let mut item =
            Pending { place: 0, intent, state: PendingState::Queued, offered: false, before: false, ask: false };
        let stored = item.clone();
        item.place = self.stores.outbox.write(Urgency::Person, move |tx| outbox::put(tx, &stored)).await?;
        self.acks.push(Ack::Put(id));
        self.pending.push(item.clone());
        self.stores
            .edit(move |tx| {
                let mut touched = Touched::default();
                overlay::draw(tx, &item, &actor(), &mut touched)?;
                apply::refresh(tx, &touched)
            })
            .await
    }

    /// The member types.
    async fn type_on(&mut self) -> Result<()> {
        let n = self.draft + 1;
        let body = format!("draft {n}");
        self.stores
            .outbox
            .write(Urgency::Person, move |tx| {
                outbox::save_draft(tx, conversation(0), DraftMode::Reply, &body, Timestamp(0))
            })
            .await?;
        self.draft = n;
        self.acks.push(Ack::Draft(n));
        Ok(())
    }

    /// The server tells what became of the oldest intent.
    async fn settle(&mut self) -> Result<()> {
        let Some(item) = self.pending.first().cloned() else { return Ok(()) };
        let (id, seq) = (item.intent.id, self.seq + 1);
        let Command::SendMessage { message, conversation, content, .. } = item.intent.command else { return Ok(()) };
        let sent = Message {
            id: message,
            conversation,
            direction: Direction::Outgoing,
            author: Some(me()),
            content,
            sent_at: Timestamp(2_000),
            position: seq,
            delivery: Some(Delivery::queued()),
            reply_to: None,
            resend_of: None,
            forwarded: false,
            edited: false,
            revoked: false,
        };
        let outcome = Outcome { id, verdict: Verdict::Applied, at_seq: seq };
        let settled = self.store(vec![row(sent, seq)], vec![outcome], seq).await?;
        self.seq = seq;
        self.stores.outbox.write(Urgency::Person, move |tx| outbox::remove(tx, id)).await?;
        self.pending.remove(0);
        self.acks.push(Ack::Left(id, seq));
        self.stores.replica.write(Urgency::Background, move |tx| apply::forget_settled(tx, &settled)).await
    }

    /// One step of the workload; `n` chooses which.
    async fn step(&mut self, n: u64) -> Result<()> {
        match n % 8 {
            0 => self.news(20).await,
            1 | 4 | 5 => self.edit().await,
            2 => self.type_on().await,
            3 | 6 => self.settle().await,
            _ => self.stores.scrub().await,
        }
    }
}

fn incoming(seq: u64) -> Message {
    Message {
        id: MessageId(uuid(3_000_000 + seq)),
        conversation: conversation(seq),
        direction: Direction::Incoming,
        author: None,
        content: Content::Text { body: MessageText::new(text(seq)) },
        sent_at: Timestamp(1_500),
        position: seq,
        delivery: None,
        reply_to: None,
        resend_of: None,
        forwarded: false,
        edited: false,
        revoked: false,
    }
}

fn row(message: Message, seq: u64) -> Row {
    let root = Key::new(Kind::Conversation, message.conversation);
    Row { key: Key::new(Kind::Message, message.id), root, seq, entity: Some(Entity::Message(message)) }
}

/// Opens files that were left behind.
fn reopen(dir: &Path) -> Result<(Stores, Mended)> {
    Stores::open(dir, DESK, &keys(), DirLock::take(dir)?, None)
}

/// Every page of a file carries its seal, and every table and index agrees.
async fn assert_whole(stores: &Stores, what: &str) {
    for db in [&stores.replica, &stores.outbox, &stores.media] {
        let what = what.to_owned();
        db.maintain(move |connection| {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            assert_eq!(lines(connection, "PRAGMA cipher_integrity_check")?, Vec::<String>::new(), "{what}");
            assert_eq!(lines(connection, "PRAGMA integrity_check")?, ["ok"], "{what}");
            Ok(())
        })
        .await
        .unwrap();
    }
}

fn lines(connection: &Connection, sql: &str) -> Result<Vec<String>> {
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(found)
}

/// The highest `seq` that the replica contains, and the (`seq`, id, text) of every message that the server numbered.
async fn held(stores: &Stores) -> Result<(u64, Vec<(u64, Uuid, String)>)> {
    stores
        .replica
        .read(|connection| {
            let upto = session::position(connection)?.upto;
            let mut statement =
                connection.prepare("SELECT seq, id, text FROM message WHERE position > 0 ORDER BY seq")?;
            let mut found = statement.query([])?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                rows.push((row.get(0)?, row.get::<_, Id>(1)?.0, row.get::<_, Option<String>>(2)?.unwrap_or_default()));
            }
            Ok((upto, rows))
        })
        .await
}

/// Memory if there is some, so that thousands of images do not wear a disk out.
fn scratch() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    if memory.is_dir()
        && let Ok(dir) = tempfile::tempdir_in(memory)
    {
        return dir;
    }
    tempfile::tempdir().unwrap()
}

/// How many of something: few in every test run, many with `PARLEY_SOAK`.
fn amount(few: usize, many: usize) -> usize {
    if std::env::var_os("PARLEY_SOAK").is_some() { many } else { few }
}

fn code_of(result: &Result<()>) -> Option<Code> {
    result.as_ref().err().map(Error::code)
}
