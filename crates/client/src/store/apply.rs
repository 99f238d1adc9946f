//! Writes what the server sent: a slice of rows, roots that came or went, outcomes, and the new position, in one
//! transaction.
//!
//! Promise: a row never overwrites one with a higher `seq`; a root that is gone is hidden when the transaction commits,
//! whatever happens afterwards; rows under it are deleted in slices.

use std::collections::BTreeSet;

use parley_domain::content::Content;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::message::Direction;
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::change::Row;
use parley_domain::protocol::intent::{Command, Outcome, Verdict};
use parley_domain::{ConversationId, InboxId, IntentId, MessageId, PersonName, Phone, Username};
use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::outbox::{Pending, PendingState};
use super::rows::{self, Touched};
use super::session::SignedIn;
use super::value::{Id, id};
use super::{messages, overlay, retention, session};
use crate::Result;
use crate::notify::Candidate;

/// Rows deleted in one transaction.
const DELETE_SLICE: usize = 400;

/// Where the position goes with a slice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Advance {
    /// Nowhere: more of the same page follows.
    Stay,
    /// A pull reached this cursor.
    Cursor { cursor: String, upto: u64 },
    /// A snapshot reached this place.
    Snapshot { after: String },
    /// A snapshot is complete; pulling goes on from its cursor.
    SnapshotDone { cursor: String },
    /// A root's backfill reached this place, or its end.
    Backfill { root: Key, after: Option<String> },
}

/// One transaction's worth of news.
#[derive(Clone, Debug)]
pub struct Slice {
    pub rows: Vec<Row>,
    pub enter: Vec<Key>,
    pub gone: Vec<Key>,
    pub outcomes: Vec<Outcome>,
    pub advance: Advance,
    /// Rows come from a pull, so incoming messages are new.
    pub live: bool,
}

/// A message from a customer that this desk did not hold before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    pub message: MessageId,
    pub conversation: ConversationId,
    pub position: u64,
}

/// What a slice did.
#[derive(Debug, Default)]
pub struct Applied {
    pub touched: Touched,
    pub arrivals: Vec<Arrival>,
    /// Outcomes of pending intents, to be carried out in outbox.db.
    pub settled: Vec<Outcome>,
    /// Roots were hidden.
    pub hid: bool,
}

/// Applies a slice.
pub fn apply(connection: &Connection, slice: &Slice, pending: &[Pending], signed_in: &SignedIn) -> Result<Applied> {
    let mut applied = Applied::default();
    let generation = session::generation(connection)?;
    for root in slice.gone.iter().filter(|_| !planted(Bug::GoneIgnored)) {
        hide(connection, *root, &mut applied.touched)?;
        applied.hid = true;
    }
    for root in slice.enter.iter().filter(|_| !planted(Bug::EnterIgnored)) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO backfill VALUES (?1, ?2, NULL)")?
            .execute(params![root.kind.as_str(), Id(root.id)])?;
    }
    let exists = |sql| -> Result<bool> { Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?) };
    let some_gone = exists("SELECT EXISTS (SELECT 1 FROM gone)")?;
    let some_beside = exists("SELECT EXISTS (SELECT 1 FROM confirmed)")?;
    let some_dead = exists("SELECT EXISTS (SELECT 1 FROM tombstone)")?;
    let mut rebase = false;
    let mut door = retention::Door::open(connection, signed_in.holds)?;
    for row in &slice.rows {
        if some_gone && is_gone(connection, row.root)? {
            continue;
        }
        if !door.lets_in(connection, row, slice.live, &mut applied.touched)? {
            continue;
        }
        let beside = if some_beside { overlay::is_confirmed_beside(connection, row.key)? } else { None };
        let shown = rows::seq_of(connection, row.key)?;
        let dead = if some_dead && shown.is_none() { tombstone(connection, row.key)? } else { None };
        let known = beside.or(shown).max(dead).unwrap_or(0);
        // A row of before a snapshot does not count: after a restore the server numbers anew.
        if known > row.seq && rows::is_of(connection, row.key, generation)? {
            continue;
        }
        if beside.is_some() {
            let json = row.entity.as_ref().map(serde_json::to_string).transpose()?;
            overlay::set_confirmed(connection, row.key, row.seq, json)?;
            rows::named_in(connection, row.key, generation)?;
            rebase = true;
            continue;
        }
        match &row.entity {
            Some(entity) => {
                rows::write(connection, entity, row.seq, generation, &mut applied.touched)?;
                if slice.live && shown.is_none() {
                    applied.arrivals.extend(arrival(entity));
                }
                if slice.live && row.key.kind == Kind::Contact {
                    let sql = "SELECT id FROM conversation WHERE contact = ?1";
                    applied.touched.conversations.extend(ids(connection, sql, row.key.id)?);
                }
            }
            None => {
                if row.key.kind == Kind::Conversation {
                    // What stands under it goes too, in slices, whatever else the server names.
                    hide(connection, row.key, &mut applied.touched)?;
                }
                rows::delete(connection, row.key, &mut applied.touched)?;
                connection.prepare_cached("INSERT OR REPLACE INTO tombstone VALUES (?1, ?2, ?3)")?.execute(params![
                    row.key.kind.as_str(),
                    Id(row.key.id),
                    row.seq
                ])?;
            }
        }
    }
    settle(connection, slice, pending, &mut applied)?;
    if rebase || !applied.settled.is_empty() {
        let left = after_outcomes(pending, &applied.settled);
        overlay::rebase(connection, &left, &signed_in.actor(connection)?, &mut applied.touched)?;
    }
    refresh(connection, &applied.touched)?;
    advance(connection, &slice.advance)?;
    Ok(applied)
}

/// Computes the derived columns of what was touched.
pub fn refresh(connection: &Connection, touched: &Touched) -> Result<()> {
    for conversation in &touched.conversations {
        messages::refresh(connection, *conversation)?;
    }
    Ok(())
}

fn arrival(entity: &Entity) -> Option<Arrival> {
    let Entity::Message(message) = entity else { return None };
    let from_customer = message.direction == Direction::Incoming
        && message.content.is_conversational()
        && !message.revoked
        && !matches!(message.content, Content::System { .. });
    from_customer.then_some(Arrival {
        message: message.id,
        conversation: message.conversation,
        position: message.position,
    })
}

fn settle(connection: &Connection, slice: &Slice, pending: &[Pending], applied: &mut Applied) -> Result<()> {
    for outcome in &slice.outcomes {
        let waits = pending.iter().any(|item| item.intent.id == outcome.id && item.state == PendingState::Queued);
        if waits && outcome.verdict != Verdict::Blocked {
            connection
                .prepare_cached("INSERT OR REPLACE INTO settled VALUES (?1, ?2)")?
                .execute(params![Id(outcome.id.0), serde_json::to_string(&outcome.verdict)?])?;
            applied.settled.push(outcome.clone());
        }
    }
    Ok(())
}

/// The intents that are left when these outcomes are carried out.
pub fn after_outcomes(pending: &[Pending], outcomes: &[Outcome]) -> Vec<Pending> {
    let mut left = Vec::new();
    for item in pending {
        let mut item = item.clone();
        match outcomes.iter().find(|outcome| outcome.id == item.intent.id).map(|outcome| outcome.verdict) {
            Some(Verdict::Applied | Verdict::NoOp) => continue,
            Some(Verdict::Refused { code }) => {
                item.state = PendingState::NeedsReview(code);
                item.ask = false;
            }
            Some(Verdict::Blocked) | None => {}
        }
        left.push(item);
    }
    left
}

/// Outcomes that were applied and perhaps not carried out in outbox.db.
pub fn settled(connection: &Connection) -> Result<Vec<Outcome>> {
    let mut statement = connection.prepare_cached("SELECT id, verdict FROM settled")?;
    let mut found = statement.query([])?;
    let mut outcomes = Vec::new();
    while let Some(row) = found.next()? {
        let verdict = serde_json::from_str(row.get_ref(1)?.as_str().unwrap_or_default())?;
        outcomes.push(Outcome { id: IntentId(row.get::<_, Id>(0)?.0), verdict, at_seq: 0 });
    }
    Ok(outcomes)
}

/// Forgets outcomes that are carried out.
pub fn forget_settled(connection: &Connection, outcomes: &[Outcome]) -> Result<()> {
    for outcome in outcomes {
        connection.prepare_cached("DELETE FROM settled WHERE id = ?1")?.execute([Id(outcome.id.0)])?;
    }
    Ok(())
}

fn is_gone(connection: &Connection, root: Key) -> Result<bool> {
    Ok(connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM gone WHERE kind = ?1 AND id = ?2)")?
        .query_row(params![root.kind.as_str(), Id(root.id)], |row| row.get(0))?)
}

fn tombstone(connection: &Connection, key: Key) -> Result<Option<u64>> {
    Ok(connection
        .prepare_cached("SELECT seq FROM tombstone WHERE kind = ?1 AND id = ?2")?
        .query_row(params![key.kind.as_str(), Id(key.id)], |row| row.get(0))
        .optional()?)
}

/// Hides a root: its own row goes now, and with it every way to what hangs on it; the rest is deleted by [`clean`].
pub(super) fn hide(connection: &Connection, root: Key, touched: &mut Touched) -> Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO gone VALUES (?1, ?2)")?
        .execute(params![root.kind.as_str(), Id(root.id)])?;
    connection
        .prepare_cached("DELETE FROM backfill WHERE kind = ?1 AND id = ?2")?
        .execute(params![root.kind.as_str(), Id(root.id)])?;
    forget_confirmed(connection, root)?;
    if root.kind == Kind::Inbox {
        for conversation in ids(connection, "SELECT id FROM conversation WHERE inbox = ?1", root.id)? {
            hide(connection, Key { kind: Kind::Conversation, id: conversation }, touched)?;
        }
    }
    if root.kind == Kind::Conversation {
        // Orders are roots of their own and are named by the server too; none may outlive its conversation in a view.
        for order in ids(connection, "SELECT id FROM orders WHERE conversation = ?1", root.id)? {
            hide(connection, Key { kind: Kind::Order, id: order }, touched)?;
        }
    }
    rows::delete(connection, root, touched)
}

fn forget_confirmed(connection: &Connection, key: Key) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM confirmed WHERE kind = ?1 AND id = ?2")?
        .execute(params![key.kind.as_str(), Id(key.id)])?;
    Ok(())
}

fn ids(connection: &Connection, sql: &str, of: Uuid) -> Result<Vec<Uuid>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut found = statement.query([Id(of)])?;
    let mut ids = Vec::new();
    while let Some(row) = found.next()? {
        ids.push(row.get::<_, Id>(0)?.0);
    }
    Ok(ids)
}

/// Hides everything outside the inboxes that stay allowed.
pub fn hide_outside(connection: &Connection, allowed: &BTreeSet<InboxId>) -> Result<Touched> {
    let mut touched = Touched::default();
    let mut outside = Vec::new();
    {
        let mut statement = connection.prepare("SELECT DISTINCT inbox FROM conversation UNION SELECT id FROM inbox")?;
        let mut found = statement.query([])?;
        while let Some(row) = found.next()? {
            let inbox: InboxId = rows::get(row, 0)?;
            if !allowed.contains(&inbox) {
                outside.push(inbox);
            }
        }
    }
    for inbox in outside {
        hide(connection, Key::new(Kind::Inbox, inbox), &mut touched)?;
    }
    Ok(touched)
}

/// Deletes a slice of what is hidden; returns whether more is left.
pub fn clean(connection: &Connection) -> Result<bool> {
    let next: Option<(String, Id)> = connection
        .prepare_cached("SELECT kind, id FROM gone LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((kind, root)) = next else {
        return Ok(false);
    };
    let mut touched = Touched::default();
    let (child, sql) = match Kind::parse(&kind) {
        Some(Kind::Conversation) => (Kind::Message, "SELECT id FROM message WHERE conversation = ?1 LIMIT 400"),
        Some(Kind::Inbox) => (Kind::Fact, "SELECT id FROM fact WHERE inbox = ?1 LIMIT 400"),
        Some(Kind::Order) => (Kind::OrderItem, "SELECT id FROM order_item WHERE order_id = ?1 LIMIT 400"),
        _ => (Kind::Message, "SELECT id FROM message WHERE 0 AND id = ?1"),
    };
    let children = ids(connection, sql, root.0)?;
    for id in &children {
        let key = Key { kind: child, id: *id };
        forget_confirmed(connection, key)?;
        rows::delete(connection, key, &mut touched)?;
    }
    if children.len() < DELETE_SLICE {
        connection.prepare_cached("DELETE FROM gone WHERE kind = ?1 AND id = ?2")?.execute(params![kind, root])?;
    }
    Ok(true)
}

/// Makes what a server said void that was restored since: outcomes, tombstones, numbers beside pending edits.
pub fn void(connection: &Connection) -> Result<()> {
    connection.execute("DELETE FROM settled", [])?;
    connection.execute("DELETE FROM tombstone", [])?;
    connection.execute("UPDATE confirmed SET seq = 0", [])?;
    Ok(())
}

/// Starts a snapshot over: rows of the present generation stay visible until it ends without them.
pub fn restart(connection: &Connection) -> Result<()> {
    connection.execute(
        "UPDATE sync_state SET cursor = NULL, upto = 0, snapshot_after = NULL, sweep = 0, generation = generation + 1",
        [],
    )?;
    connection.execute("DELETE FROM backfill", [])?;
    // The snapshot brings every kind in its present shape.
    session::note_shapes(connection)?;
    retention::begin_again(connection)
}

/// Deletes rows that the last snapshot did not name; `true` when nothing is left to sweep.
pub fn sweep(connection: &Connection, pending: &[Pending], signed_in: &SignedIn) -> Result<(bool, Touched)> {
    let mut touched = Touched::default();
    let generation = session::generation(connection)?;
    let mut found_any = false;
    for kind in Kind::ALL {
        let sql =
            format!("SELECT id FROM {} WHERE generation < ?1 AND seq > 0 LIMIT {DELETE_SLICE}", rows::table(*kind));
        let mut old: Vec<Uuid> = Vec::new();
        {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut found = statement.query([generation])?;
            while let Some(row) = found.next()? {
                old.push(row.get::<_, Id>(0)?.0);
            }
        }
        found_any |= !old.is_empty();
        let mut redraw = false;
        for id in old {
            let key = Key { kind: *kind, id };
            if overlay::is_confirmed_beside(connection, key)?.is_some() {
                overlay::set_confirmed(connection, key, 0, None)?;
                redraw = true;
            } else if *kind == Kind::Conversation {
                hide(connection, key, &mut touched)?;
            } else {
                rows::delete(connection, key, &mut touched)?;
            }
        }
        if redraw {
            overlay::rebase(connection, pending, &signed_in.actor(connection)?, &mut touched)?;
        }
    }
    refresh(connection, &touched)?;
    if !found_any {
        connection.execute("UPDATE sync_state SET sweep = 0", [])?;
    }
    Ok((!found_any, touched))
}

/// What a notification needs to know of messages that came in; those whose conversation is not here are left out.
pub fn candidates(connection: &Connection, arrivals: &[Arrival]) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for arrival in arrivals {
        let Some(Entity::Conversation(conversation)) =
            rows::read(connection, Key::new(Kind::Conversation, arrival.conversation))?
        else {
            continue;
        };
        let contact = match rows::read(connection, Key::new(Kind::Contact, conversation.contact))? {
            Some(Entity::Contact(contact)) => Some(contact),
            _ => None,
        };
        let title = contact.and_then(|contact| {
            let name = contact.name.map(PersonName::into_exposed);
            let username = contact.username.map(Username::into_exposed);
            name.or(username).or(contact.phone.map(Phone::into_exposed))
        });
        found.push(Candidate {
            conversation: arrival.conversation,
            assignee: conversation.assignee,
            read: arrival.position <= conversation.read_upto,
            title: title.unwrap_or_default(),
        });
    }
    Ok(found)
}

/// Pending intents whose conversation or order this desk does not hold, though it holds everything in scope.
pub fn orphans(connection: &Connection, pending: &[Pending]) -> Result<Vec<IntentId>> {
    let mut found = Vec::new();
    for item in pending.iter().filter(|item| item.state == PendingState::Queued) {
        if let Command::MoveOrder { order, .. } = &item.intent.command
            && rows::seq_of(connection, Key::new(Kind::Order, *order))?.is_some()
        {
            // Its conversation may be one that the policy keeps off the desk.
            continue;
        }
        let held = match overlay::conversation_of(connection, &item.intent.command)? {
            Some(conversation) => {
                rows::seq_of(connection, Key { kind: Kind::Conversation, id: conversation })?.is_some()
            }
            None => false,
        };
        if !held {
            found.push(item.intent.id);
        }
    }
    Ok(found)
}

fn advance(connection: &Connection, to: &Advance) -> Result<()> {
    match to {
        Advance::Stay => {}
        Advance::Cursor { cursor, upto } => {
            connection
                .prepare_cached("UPDATE sync_state SET cursor = ?1, upto = max(upto, ?2)")?
                .execute(params![cursor, upto])?;
        }
        Advance::Snapshot { after } => {
            connection.prepare_cached("UPDATE sync_state SET snapshot_after = ?1")?.execute([after])?;
        }
        Advance::SnapshotDone { cursor } => {
            connection.execute("UPDATE sync_state SET cursor = ?1, snapshot_after = NULL, sweep = 1", [cursor])?;
        }
        Advance::Backfill { root, after: Some(after) } => {
            connection
                .prepare_cached("UPDATE backfill SET after = ?3 WHERE kind = ?1 AND id = ?2")?
                .execute(params![root.kind.as_str(), Id(root.id), after])?;
        }
        Advance::Backfill { root, after: None } => {
            connection
                .prepare_cached("DELETE FROM backfill WHERE kind = ?1 AND id = ?2")?
                .execute(params![root.kind.as_str(), id(root.id)])?;
        }
    }
    Ok(())
}
