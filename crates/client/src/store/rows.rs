//! Synced rows in their tables: read one, write one, delete one. Derived columns (preview, unread) and full text follow in
//! the same transaction.

use std::collections::BTreeSet;

use parley_domain::contact::Contact;
use parley_domain::conversation::Conversation;
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::fact::Fact;
use parley_domain::order::{Order, OrderItem, Pipeline, Stage};
use parley_domain::workspace::{Inbox, Label, Member, Workspace};
use parley_domain::{LabelId, PersonName, Phone, Timestamp, Username};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::messages;
use super::search::words::indexed;
use super::value::{Id, at, id, maybe, parse, word};
use crate::Result;

/// What a write changed that other columns are derived from, and what the window must be told.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// Conversations whose preview and unread count must be computed again, and whose views are stale.
    pub conversations: BTreeSet<Uuid>,
    /// Orders, stages or pipelines changed.
    pub board: bool,
    /// Lists and counts changed.
    pub lists: bool,
}

/// Name of the table of a kind.
pub fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Order => "orders",
        other => other.as_str(),
    }
}

/// The generation with which a shown row came, if there is one.
pub fn generation_of(connection: &Connection, key: Key) -> Result<Option<i64>> {
    let sql = format!("SELECT generation FROM {} WHERE id = ?1", table(key.kind));
    Ok(connection.prepare_cached(&sql)?.query_row([Id(key.id)], |row| row.get(0)).optional()?)
}

/// Whether a row came with this generation; also when there is none.
pub fn is_of(connection: &Connection, key: Key, generation: i64) -> Result<bool> {
    Ok(generation_of(connection, key)?.is_none_or(|of| of >= generation))
}

/// Notes that the server named a shown row in this generation, though its own form is kept beside it.
pub fn named_in(connection: &Connection, key: Key, generation: i64) -> Result<()> {
    let sql = format!("UPDATE {} SET generation = ?2 WHERE id = ?1", table(key.kind));
    connection.prepare_cached(&sql)?.execute(params![Id(key.id), generation])?;
    Ok(())
}

/// `seq` of the row that is shown, if there is one.
pub fn seq_of(connection: &Connection, key: Key) -> Result<Option<u64>> {
    let sql = match key.kind {
        Kind::Workspace => "SELECT seq FROM workspace WHERE id = ?1",
        Kind::Member => "SELECT seq FROM member WHERE id = ?1",
        Kind::Inbox => "SELECT seq FROM inbox WHERE id = ?1",
        Kind::Label => "SELECT seq FROM label WHERE id = ?1",
        Kind::Pipeline => "SELECT seq FROM pipeline WHERE id = ?1",
        Kind::Stage => "SELECT seq FROM stage WHERE id = ?1",
        Kind::Contact => "SELECT seq FROM contact WHERE id = ?1",
        Kind::Conversation => "SELECT seq FROM conversation WHERE id = ?1",
        Kind::Message => "SELECT seq FROM message WHERE id = ?1",
        Kind::Order => "SELECT seq FROM orders WHERE id = ?1",
        Kind::OrderItem => "SELECT seq FROM order_item WHERE id = ?1",
        Kind::Fact => "SELECT seq FROM fact WHERE id = ?1",
    };
    Ok(connection.prepare_cached(sql)?.query_row([Id(key.id)], |row| row.get(0)).optional()?)
}

/// Every row of this desk with its `seq`, by kind and id.
pub fn all(connection: &Connection) -> Result<Vec<(u64, Entity)>> {
    let mut held = Vec::new();
    for kind in Kind::ALL {
        let mut found = connection.prepare(&format!("SELECT id, seq FROM {} ORDER BY id", table(*kind)))?;
        let keys = found
            .query_map([], |row| Ok((row.get::<_, Id>(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        for (id, seq) in keys {
            held.extend(read(connection, Key { kind: *kind, id: id.0 })?.map(|entity| (seq, entity)));
        }
    }
    Ok(held)
}

/// Writes a row in place of an earlier one.
pub fn write(connection: &Connection, entity: &Entity, seq: u64, generation: i64, touched: &mut Touched) -> Result<()> {
    match entity {
        Entity::Message(row) => {
            messages::write(connection, row, None, seq, generation)?;
            touched.conversations.insert(row.conversation.0);
        }
        Entity::Conversation(row) => {
            write_conversation(connection, row, seq, generation)?;
            touched.conversations.insert(row.id.0);
        }
        Entity::Contact(row) => {
            write_contact(connection, row, seq, generation)?;
            touched.lists = true;
        }
        Entity::Order(row) => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO orders VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
                )?
                .execute(params![
                    id(row.id),
                    id(row.contact),
                    id(row.conversation),
                    row.number,
                    id(row.stage),
                    row.stage_by.map(|by| Id(by.0)),
                    word(&row.fulfilment)?,
                    word(&row.payment)?,
                    row.currency,
                    row.total_minor,
                    row.placed_at.0,
                    row.staged_at.0,
                    seq,
                    generation
                ])?;
            touched.board = true;
            touched.conversations.insert(row.conversation.0);
        }
        Entity::OrderItem(row) => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO order_item VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)")?
                .execute(params![
                    id(row.id),
                    id(row.order),
                    row.place,
                    row.sku,
                    row.name,
                    row.quantity,
                    row.price_minor,
                    seq,
                    generation
                ])?;
            touched.board = true;
        }
        Entity::Fact(row) => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO fact VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)")?
                .execute(params![
                    id(row.id),
                    id(row.inbox),
                    word(&row.kind)?,
                    row.at.0,
                    id(row.conversation),
                    id(row.contact),
                    maybe(row.member),
                    maybe(row.order),
                    maybe(row.stage),
                    row.amount_minor,
                    row.currency,
                    row.took_ms,
                    seq,
                    generation
                ])?;
        }
        Entity::Workspace(row) => {
            connection.prepare_cached("INSERT OR REPLACE INTO workspace VALUES (?1,?2,?3,?4)")?.execute(params![
                id(row.id),
                row.name,
                seq,
                generation
            ])?;
            touched.lists = true;
        }
        Entity::Member(row) => {
            connection.prepare_cached("INSERT OR REPLACE INTO member VALUES (?1,?2,?3,?4,?5,?6)")?.execute(params![
                id(row.id),
                row.name.expose(),
                row.role.as_str(),
                row.active,
                seq,
                generation
            ])?;
            touched.lists = true;
        }
        Entity::Inbox(row) => {
            let address = row.address.as_ref().map(Phone::expose);
            connection.prepare_cached("INSERT OR REPLACE INTO inbox VALUES (?1,?2,?3,?4,?5,?6,?7)")?.execute(
                params![id(row.id), row.name, row.channel.as_str(), address, row.connected, seq, generation],
            )?;
            touched.lists = true;
        }
        Entity::Label(row) => {
            connection.prepare_cached("INSERT OR REPLACE INTO label VALUES (?1,?2,?3,?4,?5)")?.execute(params![
                id(row.id),
                row.name,
                row.colour,
                seq,
                generation
            ])?;
            touched.lists = true;
        }
        Entity::Pipeline(row) => {
            connection.prepare_cached("INSERT OR REPLACE INTO pipeline VALUES (?1,?2,?3,?4)")?.execute(params![
                id(row.id),
                row.name,
                seq,
                generation
            ])?;
            touched.board = true;
            touched.lists = true;
        }
        Entity::Stage(row) => {
            connection
                .prepare_cached("INSERT OR REPLACE INTO stage VALUES (?1,?2,?3,?4,?5,?6,?7)")?
                .execute(params![id(row.id), id(row.pipeline), row.name, row.place, row.closed, seq, generation])?;
            touched.board = true;
            touched.lists = true;
        }
    }
    Ok(())
}

fn write_conversation(connection: &Connection, row: &Conversation, seq: u64, generation: i64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO conversation (id, inbox, contact, status, assignee, snoozed_until, customer_wrote_at,
                 entry_point_until, active_at, read_upto, unread, seq, generation)
             VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,0,?11,?12)
             ON CONFLICT (id) DO UPDATE SET inbox=?2, contact=?3, status=?4, assignee=?5, snoozed_until=?6,
                 customer_wrote_at=?7, entry_point_until=?8, active_at=?9, read_upto=?10, seq=?11, generation=?12",
        )?
        .execute(params![
            id(row.id),
            id(row.inbox),
            id(row.contact),
            row.status.as_str(),
            maybe(row.assignee),
            at(row.snoozed_until),
            at(row.customer_wrote_at),
            at(row.entry_point_until),
            row.active_at.0,
            row.read_upto,
            seq,
            generation
        ])?;
    let known = labels(connection, row.id.0)?;
    if known != row.labels {
        connection.prepare_cached("DELETE FROM conversation_label WHERE conversation = ?1")?.execute([id(row.id)])?;
        let mut insert = connection.prepare_cached("INSERT INTO conversation_label VALUES (?1, ?2)")?;
        for label in &row.labels {
            insert.execute([id(row.id), id(*label)])?;
        }
    }
    Ok(())
}

fn write_contact(connection: &Connection, row: &Contact, seq: u64, generation: i64) -> Result<()> {
    unindex_contact(connection, row.id.0)?;
    let (name, phone) = (row.name.as_ref().map(PersonName::expose), row.phone.as_ref().map(Phone::expose));
    let username = row.username.as_ref().map(Username::expose);
    let place: i64 = connection
        .prepare_cached(
            "INSERT INTO contact (id, name, phone, username, blocked, reachable, seq, generation) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)
             ON CONFLICT (id) DO UPDATE SET name=?2, phone=?3, username=?4, blocked=?5, reachable=?6, seq=?7, generation=?8
             RETURNING row",
        )?
        .query_row(params![id(row.id), name, phone, username, row.blocked, row.reachable, seq, generation], |row| row.get(0))?;
    connection
        .prepare_cached("INSERT INTO contact_text (rowid, name, phone, username) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![place, name.map(indexed), phone.map(indexed), username.map(indexed)])?;
    Ok(())
}

/// A text is taken out of the index by the form in which it went in.
fn unindex_contact(connection: &Connection, contact: Uuid) -> Result<()> {
    let mut known = connection.prepare_cached("SELECT row, name, phone, username FROM contact WHERE id = ?1")?;
    let mut found = known.query([Id(contact)])?;
    let Some(row) = found.next()? else { return Ok(()) };
    let form = |column| -> Result<Option<String>> { Ok(row.get::<_, Option<String>>(column)?.as_deref().map(indexed)) };
    connection
        .prepare_cached(
            "INSERT INTO contact_text (contact_text, rowid, name, phone, username) VALUES ('delete', ?1, ?2, ?3, ?4)",
        )?
        .execute(params![row.get::<_, i64>(0)?, form(1)?, form(2)?, form(3)?])?;
    Ok(())
}

/// Deletes a row that may be there.
pub fn delete(connection: &Connection, key: Key, touched: &mut Touched) -> Result<()> {
    match key.kind {
        Kind::Message => {
            if let Some(conversation) = messages::delete(connection, key.id)? {
                touched.conversations.insert(conversation);
            }
            return Ok(());
        }
        Kind::Conversation => {
            connection
                .prepare_cached("DELETE FROM conversation_label WHERE conversation = ?1")?
                .execute([Id(key.id)])?;
            touched.conversations.insert(key.id);
            touched.lists = true;
        }
        Kind::Contact => unindex_contact(connection, key.id)?,
        Kind::Order => {
            let sql = "SELECT conversation FROM orders WHERE id = ?1";
            let conversation: Option<Id> =
                connection.prepare_cached(sql)?.query_row([Id(key.id)], |row| row.get(0)).optional()?;
            touched.conversations.extend(conversation.map(|conversation| conversation.0));
            touched.board = true;
        }
        Kind::OrderItem | Kind::Stage | Kind::Pipeline => touched.board = true,
        _ => {}
    }
    touched.lists = true;
    connection.prepare_cached(&format!("DELETE FROM {} WHERE id = ?1", table(key.kind)))?.execute([Id(key.id)])?;
    Ok(())
}

/// Reads a row as it is shown.
pub fn read(connection: &Connection, key: Key) -> Result<Option<Entity>> {
    if key.kind == Kind::Message {
        return Ok(messages::read(connection, key.id)?.map(Entity::Message));
    }
    if key.kind == Kind::Fact {
        return Ok(fact(connection, key.id)?.map(Entity::Fact));
    }
    let columns = match key.kind {
        Kind::Workspace | Kind::Pipeline => "id, name",
        Kind::Member => "id, name, role, active",
        Kind::Inbox => "id, name, channel, address, connected",
        Kind::Label => "id, name, colour",
        Kind::Stage => "id, pipeline, name, place, closed",
        Kind::Contact => CONTACT,
        Kind::Conversation => CONVERSATION,
        Kind::Order => ORDER,
        Kind::OrderItem | Kind::Message | Kind::Fact => ORDER_ITEM,
    };
    let mut statement =
        connection.prepare_cached(&format!("SELECT {columns} FROM {} WHERE id = ?1", table(key.kind)))?;
    let mut rows = statement.query([Id(key.id)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(match key.kind {
        Kind::Workspace => Entity::Workspace(Workspace { id: get(row, 0)?, name: row.get(1)? }),
        Kind::Pipeline => Entity::Pipeline(Pipeline { id: get(row, 0)?, name: row.get(1)? }),
        Kind::Member => Entity::Member(member(row)?),
        Kind::Inbox => Entity::Inbox(inbox(row)?),
        Kind::Label => Entity::Label(Label { id: get(row, 0)?, name: row.get(1)?, colour: row.get(2)? }),
        Kind::Stage => Entity::Stage(stage(row)?),
        Kind::Contact => Entity::Contact(contact(row)?),
        Kind::Conversation => {
            let mut read = conversation(row)?;
            read.labels = labels(connection, key.id)?;
            Entity::Conversation(read)
        }
        Kind::Order => Entity::Order(order(row)?),
        Kind::OrderItem | Kind::Message | Kind::Fact => Entity::OrderItem(order_item(row)?),
    }))
}

fn fact(connection: &Connection, id: Uuid) -> Result<Option<Fact>> {
    let sql =
        "SELECT id, inbox, kind, at, conversation, contact, member, order_id, stage, amount_minor, currency, took_ms
               FROM fact WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([Id(id)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(Fact {
        id: get(row, 0)?,
        inbox: get(row, 1)?,
        kind: parse(row.get_ref(2)?.as_str().unwrap_or_default(), "fact.kind")?,
        at: time(row, 3)?,
        conversation: get(row, 4)?,
        contact: get(row, 5)?,
        member: get_maybe(row, 6)?,
        order: get_maybe(row, 7)?,
        stage: get_maybe(row, 8)?,
        amount_minor: row.get(9)?,
        currency: row.get(10)?,
        took_ms: row.get(11)?,
    }))
}

/// An id of any type from a column.
pub fn get<T: From<Uuid>>(row: &Row<'_>, column: usize) -> Result<T> {
    Ok(row.get::<_, Id>(column)?.0.into())
}

/// An id of any type, or NULL, from a column.
pub fn get_maybe<T: From<Uuid>>(row: &Row<'_>, column: usize) -> Result<Option<T>> {
    Ok(row.get::<_, Option<Id>>(column)?.map(|found| found.0.into()))
}

/// A time from a column.
pub fn time(row: &Row<'_>, column: usize) -> Result<Timestamp> {
    Ok(Timestamp(row.get(column)?))
}

fn time_maybe(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp))
}

/// Columns for [`contact`].
pub const CONTACT: &str = "id, name, phone, username, blocked, reachable";
/// Columns for [`conversation`].
pub const CONVERSATION: &str =
    "id, inbox, contact, status, assignee, snoozed_until, customer_wrote_at, entry_point_until, active_at, read_upto";
/// Columns for [`order`].
pub const ORDER: &str = "id, contact, conversation, number, stage, stage_by, fulfilment, payment, currency, total_minor, placed_at, staged_at";
/// Columns for [`order_item`].
pub const ORDER_ITEM: &str = "id, order_id, place, sku, name, quantity, price_minor";

/// A member from columns `id, name, role, active`.
pub fn member(row: &Row<'_>) -> Result<Member> {
    Ok(Member {
        id: get(row, 0)?,
        name: PersonName::new(row.get::<_, String>(1)?),
        role: parse(row.get_ref(2)?.as_str().unwrap_or_default(), "member.role")?,
        active: row.get(3)?,
    })
}

/// An inbox from columns `id, name, channel, address, connected`.
pub fn inbox(row: &Row<'_>) -> Result<Inbox> {
    Ok(Inbox {
        id: get(row, 0)?,
        name: row.get(1)?,
        channel: parse(row.get_ref(2)?.as_str().unwrap_or_default(), "inbox.channel")?,
        address: row.get::<_, Option<String>>(3)?.map(Phone::new),
        connected: row.get(4)?,
    })
}

/// A stage from columns `id, pipeline, name, place, closed`.
pub fn stage(row: &Row<'_>) -> Result<Stage> {
    Ok(Stage { id: get(row, 0)?, pipeline: get(row, 1)?, name: row.get(2)?, place: row.get(3)?, closed: row.get(4)? })
}

/// A contact from [`CONTACT`].
pub fn contact(row: &Row<'_>) -> Result<Contact> {
    Ok(Contact {
        id: get(row, 0)?,
        name: row.get::<_, Option<String>>(1)?.map(PersonName::new),
        phone: row.get::<_, Option<String>>(2)?.map(Phone::new),
        username: row.get::<_, Option<String>>(3)?.map(Username::new),
        blocked: row.get(4)?,
        reachable: row.get(5)?,
    })
}

/// A conversation from [`CONVERSATION`], without its labels.
pub fn conversation(row: &Row<'_>) -> Result<Conversation> {
    Ok(Conversation {
        id: get(row, 0)?,
        inbox: get(row, 1)?,
        contact: get(row, 2)?,
        status: parse(row.get_ref(3)?.as_str().unwrap_or_default(), "conversation.status")?,
        assignee: get_maybe(row, 4)?,
        labels: BTreeSet::new(),
        snoozed_until: time_maybe(row, 5)?,
        customer_wrote_at: time_maybe(row, 6)?,
        entry_point_until: time_maybe(row, 7)?,
        active_at: time(row, 8)?,
        read_upto: row.get(9)?,
    })
}

/// Labels of a conversation.
pub fn labels(connection: &Connection, conversation: Uuid) -> Result<BTreeSet<LabelId>> {
    let mut statement =
        connection.prepare_cached("SELECT label FROM conversation_label WHERE conversation = ?1 ORDER BY label")?;
    let mut rows = statement.query([Id(conversation)])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        found.insert(get(row, 0)?);
    }
    Ok(found)
}

/// An order from [`ORDER`].
pub fn order(row: &Row<'_>) -> Result<Order> {
    Ok(Order {
        id: get(row, 0)?,
        contact: get(row, 1)?,
        conversation: get(row, 2)?,
        number: row.get(3)?,
        stage: get(row, 4)?,
        stage_by: get_maybe(row, 5)?,
        fulfilment: parse(row.get_ref(6)?.as_str().unwrap_or_default(), "orders.fulfilment")?,
        payment: parse(row.get_ref(7)?.as_str().unwrap_or_default(), "orders.payment")?,
        currency: row.get(8)?,
        total_minor: row.get(9)?,
        placed_at: time(row, 10)?,
        staged_at: time(row, 11)?,
    })
}

/// An order's line from [`ORDER_ITEM`].
pub fn order_item(row: &Row<'_>) -> Result<OrderItem> {
    Ok(OrderItem {
        id: get(row, 0)?,
        order: get(row, 1)?,
        place: row.get(2)?,
        sku: row.get(3)?,
        name: row.get(4)?,
        quantity: row.get(5)?,
        price_minor: row.get(6)?,
    })
}
