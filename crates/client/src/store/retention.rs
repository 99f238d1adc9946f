//! What the workspace's policy keeps off this desk: rows that are not stored when they come, and rows that go when they are old.
//!
//! Promise: everything is computed here, from the policy and the trusted clock, without the server (PRIVACY.md DSK-7.1, DSK-7.4).
//! Deleting runs in slices of bounded work. What an edit still needs stays until the edit was settled: rows with a pending edit,
//! conversations with a draft, and those of open orders.

use std::collections::BTreeSet;

use parley_domain::Timestamp;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::policy::{ContactScope, DeviceRules};
use parley_domain::protocol::change::Row;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::rows::{self, Touched};
use super::value::Id;
use super::{apply, overlay};
use crate::Result;

/// Messages looked at in one slice, and rows deleted in one.
const LOOK: i64 = 4_000;
const DELETE: usize = 400;
/// From here on conversations are not counted: that is no cap.
const UNCAPPED: u32 = 1_000_000;

/// The policy at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    pub rules: DeviceRules,
    pub now: Timestamp,
}

/// Decides for the rows of one slice.
pub struct Door {
    since: Timestamp,
    /// Conversations that still fit, and the oldest that is held; `None` where there is no cap.
    room: Option<(u32, i64)>,
    capped: bool,
}

impl Door {
    /// The door for a slice; without a policy everything comes in.
    pub fn open(connection: &Connection, holds: Option<Holds>) -> Result<Self> {
        let Some(holds) = holds else {
            return Ok(Self { since: Timestamp(i64::MIN), room: None, capped: false });
        };
        let most = holds.rules.conversations_max;
        let room = if most >= UNCAPPED {
            None
        } else {
            let (count, oldest): (u32, Option<i64>) = connection
                .prepare_cached("SELECT count(*), min(active_at) FROM conversation WHERE seq > 0")?
                .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Some((most.saturating_sub(count), oldest.unwrap_or(i64::MIN)))
        };
        Ok(Self { since: holds.rules.messages_since(holds.now), room, capped: is_capped(connection)? })
    }

    /// Whether the row is stored. One that is not, and stands here, goes.
    pub fn lets_in(&mut self, connection: &Connection, row: &Row, live: bool, touched: &mut Touched) -> Result<bool> {
        let held = || rows::seq_of(connection, row.key);
        match &row.entity {
            Some(Entity::Message(message)) => {
                let old = message.sent_at < self.since;
                let root = Key::new(Kind::Conversation, message.conversation);
                if !old && (!self.capped || rows::seq_of(connection, root)?.is_some()) {
                    return Ok(true);
                }
                note_cut(connection, message.conversation.0)?;
                if held()?.is_some() && overlay::is_confirmed_beside(connection, row.key)?.is_none() {
                    rows::delete(connection, row.key, touched)?;
                }
                Ok(false)
            }
            Some(Entity::Conversation(conversation)) => {
                let Some((room, oldest)) = &mut self.room else { return Ok(true) };
                if held()?.is_some() {
                    return Ok(true);
                }
                if *room == 0 && conversation.active_at.0 <= *oldest {
                    if !self.capped {
                        set_capped(connection)?;
                        self.capped = true;
                    }
                    return Ok(false);
                }
                *room = room.saturating_sub(1);
                if self.capped && live {
                    // It was left out before: its messages and its contact are fetched.
                    connection
                        .prepare_cached("INSERT OR IGNORE INTO backfill VALUES (?1, ?2, NULL)")?
                        .execute(params![row.key.kind.as_str(), Id(row.key.id)])?;
                }
                Ok(true)
            }
            _ => Ok(true),
        }
    }
}

fn is_capped(connection: &Connection) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT capped FROM held_back WHERE id = 1")?.query_row([], |row| row.get(0))?)
}

fn set_capped(connection: &Connection) -> Result<()> {
    connection.prepare_cached("UPDATE held_back SET capped = 1")?.execute([])?;
    Ok(())
}

fn note_cut(connection: &Connection, conversation: Uuid) -> Result<()> {
    connection.prepare_cached("INSERT OR IGNORE INTO cut VALUES (?1)")?.execute([Id(conversation)])?;
    Ok(())
}

/// Whether entries of a conversation were left out or went by the policy.
pub fn is_cut(connection: &Connection, conversation: Uuid) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM cut WHERE conversation = ?1)")?
        .query_row([Id(conversation)], |row| row.get(0))?)
}

/// Forgets what was left out: a snapshot brings what the policy lets in now.
pub fn begin_again(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE held_back SET capped = 0", [])?;
    connection.execute("DELETE FROM cut", [])?;
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    Messages { after: i64 },
    Conversations,
    Orders,
    Contacts,
    Done,
}

/// A run over everything, slice by slice.
#[derive(Debug)]
pub struct Sweep {
    stage: Stage,
    /// Rows deleted so far.
    pub deleted: u64,
}

impl Sweep {
    /// A new run.
    pub fn begin() -> Self {
        Self { stage: Stage::Messages { after: i64::MIN }, deleted: 0 }
    }

    /// Whether the run is over.
    pub fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// One slice. `spared` are conversations that stay whatever the cap says.
    pub fn step(&mut self, connection: &Connection, holds: Holds, spared: &BTreeSet<Uuid>) -> Result<Touched> {
        let mut touched = Touched::default();
        self.stage = match self.stage {
            Stage::Messages { after } => self.messages(connection, holds, after, &mut touched)?,
            Stage::Conversations => self.conversations(connection, holds, spared, &mut touched)?,
            Stage::Orders => self.orders(connection, holds, &mut touched)?,
            Stage::Contacts => self.contacts(connection, holds, &mut touched)?,
            Stage::Done => Stage::Done,
        };
        apply::refresh(connection, &touched)?;
        Ok(touched)
    }

    fn messages(&mut self, connection: &Connection, holds: Holds, after: i64, touched: &mut Touched) -> Result<Stage> {
        let since = holds.rules.messages_since(holds.now);
        let mut last = None;
        let mut looked = 0;
        let mut old = Vec::new();
        {
            let mut statement = connection.prepare_cached(
                "SELECT row, id, conversation, sent_at, seq FROM message WHERE row > ?1 ORDER BY row LIMIT ?2",
            )?;
            let mut found = statement.query(params![after, LOOK])?;
            while let Some(row) = found.next()? {
                looked += 1;
                last = Some(row.get::<_, i64>(0)?);
                // What only this desk knows waits to be sent.
                if row.get::<_, i64>(3)? < since.0 && row.get::<_, u64>(4)? > 0 {
                    old.push((row.get::<_, Id>(1)?.0, row.get::<_, Id>(2)?.0));
                    if old.len() == DELETE {
                        break;
                    }
                }
            }
        }
        let full = old.len() == DELETE;
        for (id, conversation) in old {
            let key = Key { kind: Kind::Message, id };
            if overlay::is_confirmed_beside(connection, key)?.is_none() {
                rows::delete(connection, key, touched)?;
                note_cut(connection, conversation)?;
                self.deleted += 1;
            }
        }
        Ok(match last {
            Some(after) if full || looked == LOOK => Stage::Messages { after },
            _ => Stage::Conversations,
        })
    }

    fn conversations(
        &mut self,
        connection: &Connection,
        holds: Holds,
        spared: &BTreeSet<Uuid>,
        touched: &mut Touched,
    ) -> Result<Stage> {
        let most = holds.rules.conversations_max;
        if most >= UNCAPPED {
            return Ok(Stage::Orders);
        }
        // Those that are spared may push the count over the cap; they are few.
        let over = ids(
            connection,
            "SELECT id FROM conversation WHERE seq > 0 AND NOT EXISTS (
                SELECT 1 FROM orders JOIN stage ON stage.id = orders.stage
                WHERE orders.conversation = conversation.id AND NOT stage.closed)
             ORDER BY active_at DESC, id DESC LIMIT 50 OFFSET ?1",
            i64::from(most),
        )?;
        let mut went = 0;
        for id in over.into_iter().filter(|id| !spared.contains(id)) {
            set_capped(connection)?;
            apply::hide(connection, Key { kind: Kind::Conversation, id }, touched)?;
            touched.lists = true;
            self.deleted += 1;
            went += 1;
        }
        Ok(if went > 0 { Stage::Conversations } else { Stage::Orders })
    }

    fn orders(&mut self, connection: &Connection, holds: Holds, touched: &mut Touched) -> Result<Stage> {
        let since = holds.rules.closed_orders_since(holds.now);
        let closed = ids(
            connection,
            "SELECT orders.id FROM orders JOIN stage ON stage.id = orders.stage
             WHERE stage.closed AND orders.staged_at < ?1 AND orders.seq > 0
               AND NOT EXISTS (SELECT 1 FROM confirmed WHERE kind = 'order' AND confirmed.id = orders.id) LIMIT 50",
            since.0,
        )?;
        let more = !closed.is_empty();
        for id in closed {
            let mut statement = connection.prepare_cached("SELECT id FROM order_item WHERE order_id = ?1")?;
            let items: Vec<Id> = statement.query_map([Id(id)], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            for item in items {
                rows::delete(connection, Key { kind: Kind::OrderItem, id: item.0 }, touched)?;
                self.deleted += 1;
            }
            rows::delete(connection, Key { kind: Kind::Order, id }, touched)?;
            self.deleted += 1;
        }
        Ok(if more { Stage::Orders } else { Stage::Contacts })
    }

    /// Contacts of whom nothing else is held. Rows may come before what refers to them, so this runs only where the cap has
    /// taken conversations away, and their return brings the contact again.
    fn contacts(&mut self, connection: &Connection, holds: Holds, touched: &mut Touched) -> Result<Stage> {
        if holds.rules.contacts == ContactScope::All || !is_capped(connection)? {
            return Ok(Stage::Done);
        }
        let upto: i64 = connection.query_row("SELECT upto FROM sync_state WHERE id = 1", [], |row| row.get(0))?;
        let alone = ids(
            connection,
            "SELECT id FROM contact WHERE seq <= ?1
               AND NOT EXISTS (SELECT 1 FROM conversation WHERE conversation.contact = contact.id)
               AND NOT EXISTS (SELECT 1 FROM orders WHERE orders.contact = contact.id) LIMIT 200",
            upto,
        )?;
        let more = !alone.is_empty();
        for id in alone {
            rows::delete(connection, Key { kind: Kind::Contact, id }, touched)?;
            self.deleted += 1;
        }
        Ok(if more { Stage::Contacts } else { Stage::Done })
    }
}

fn ids(connection: &Connection, sql: &str, of: i64) -> Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([of])?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        ids.push(row.get::<_, Id>(0)?.0);
    }
    Ok(ids)
}
