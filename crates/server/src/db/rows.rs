//! The one place where rows become entities and entities become rows.
//!
//! Reads and writes are batched: one statement per kind, whatever the number of rows.

use std::collections::BTreeMap;

use parley_domain::contact::Contact;
use parley_domain::conversation::Conversation;
use parley_domain::entity::{Entity, Key, Kind, Root};
use parley_domain::fact::Fact;
use parley_domain::message::Message;
use parley_domain::order::{Order, OrderItem, Pipeline, Stage};
use parley_domain::workspace::{Inbox, Label, Member, Workspace};
use parley_domain::{InboxId, PersonName, Phone, Timestamp, Username, Wamid, WorkspaceId};
use sea_orm::sea_query::{Expr, IntoColumnRef, OnConflict, SimpleExpr};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, Insert, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde::de::IntoDeserializer;
use serde::de::value::{Error as WordError, StrDeserializer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::table;
use crate::error::{Error, Result};

/// Rows in one statement: rows × columns stays below the parameter limit of both databases.
const STATEMENT_ROWS: usize = 1_000;

/// A synced row as stored.
#[derive(Clone, Debug)]
pub struct Stored {
    pub entity: Entity,
    /// The `seq` of its last change.
    pub seq: u64,
    /// For messages: where they stand, and Meta's id.
    pub inbox: Option<InboxId>,
    pub wamid: Option<Wamid>,
}

/// A synced row to be written.
#[derive(Clone, Debug)]
pub struct Written {
    pub entity: Entity,
    /// The inbox it belongs to: stored with messages, and the scope of the poke. `None` for rows of the workspace.
    pub inbox: Option<InboxId>,
    /// Meta's id of a new message.
    pub wamid: Option<Wamid>,
    /// Not stored yet.
    pub new: bool,
    /// Who may see the root changes with this.
    pub rescoped: bool,
}

impl Written {
    /// A row that is stored already and stays in its scope.
    pub fn changed(entity: Entity, inbox: Option<InboxId>) -> Self {
        Self { entity, inbox, wamid: None, new: false, rescoped: false }
    }

    /// A row that is not stored yet.
    pub fn new(entity: Entity, inbox: Option<InboxId>) -> Self {
        Self { entity, inbox, wamid: None, new: true, rescoped: false }
    }
}

pub(super) fn id(text: &str) -> Result<Uuid> {
    Uuid::parse_str(text).map_err(|_| Error::Damaged("an id"))
}

pub(super) fn typed<T: From<Uuid>>(text: &str) -> Result<T> {
    id(text).map(T::from)
}

pub(super) fn maybe<T: From<Uuid>>(text: Option<&String>) -> Result<Option<T>> {
    text.map(|text| typed(text)).transpose()
}

/// A word of an enum, as serde writes it.
pub(super) fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    let words: StrDeserializer<'a, WordError> = text.into_deserializer();
    T::deserialize(words).map_err(|_| Error::Damaged("a word"))
}

fn to_word(value: impl Serialize) -> Result<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(Error::Damaged("a word")),
    }
}

fn json<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| Error::Damaged("JSON"))
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|_| Error::Damaged("JSON"))
}

/// A count or `seq` as the database has it.
pub(crate) fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count or `seq` from the database.
pub(crate) fn count(whole: i64) -> u64 {
    u64::try_from(whole).unwrap_or(0)
}

fn small(whole: i64) -> u32 {
    u32::try_from(whole).unwrap_or(0)
}

pub(super) fn of_workspace(row: table::workspace::Model) -> Result<Stored> {
    let entity = Entity::Workspace(Workspace { id: typed(&row.id)?, name: row.name });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_member(row: table::member::Model) -> Result<Stored> {
    let entity = Entity::Member(Member {
        id: typed(&row.id)?,
        name: PersonName::new(row.name),
        role: word(&row.role)?,
        active: row.active,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_inbox(row: table::inbox::Model) -> Result<Stored> {
    let inbox: InboxId = typed(&row.id)?;
    let entity = Entity::Inbox(Inbox {
        id: inbox,
        name: row.name,
        channel: word(&row.channel)?,
        address: row.address.map(Phone::new),
        connected: row.connected,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: Some(inbox), wamid: None })
}

pub(super) fn of_label(row: table::label::Model) -> Result<Stored> {
    let entity = Entity::Label(Label { id: typed(&row.id)?, name: row.name, colour: row.colour });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_pipeline(row: table::pipeline::Model) -> Result<Stored> {
    let entity = Entity::Pipeline(Pipeline { id: typed(&row.id)?, name: row.name });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_stage(row: table::stage::Model) -> Result<Stored> {
    let entity = Entity::Stage(Stage {
        id: typed(&row.id)?,
        pipeline: typed(&row.pipeline)?,
        name: row.name,
        place: small(row.place),
        closed: row.closed,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_contact(row: table::contact::Model) -> Result<Stored> {
    let entity = Entity::Contact(Contact {
        id: typed(&row.id)?,
        name: row.name.map(PersonName::new),
        phone: row.phone.map(Phone::new),
        username: row.username.map(Username::new),
        blocked: row.blocked,
        reachable: row.reachable,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_conversation(row: table::conversation::Model) -> Result<Stored> {
    let inbox: InboxId = typed(&row.inbox)?;
    let entity = Entity::Conversation(Conversation {
        id: typed(&row.id)?,
        inbox,
        contact: typed(&row.contact)?,
        status: word(&row.status)?,
        assignee: maybe(row.assignee.as_ref())?,
        labels: json(&row.labels)?,
        snoozed_until: row.snoozed_until.map(Timestamp),
        customer_wrote_at: row.customer_wrote_at.map(Timestamp),
        entry_point_until: row.entry_point_until.map(Timestamp),
        active_at: Timestamp(row.active_at),
        read_upto: count(row.read_upto),
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: Some(inbox), wamid: None })
}

pub(super) fn of_message(row: table::message::Model) -> Result<Stored> {
    let entity = Entity::Message(Message {
        id: typed(&row.id)?,
        conversation: typed(&row.conversation)?,
        direction: word(&row.direction)?,
        author: maybe(row.author.as_ref())?,
        content: json(&row.content)?,
        sent_at: Timestamp(row.sent_at),
        position: count(row.position),
        delivery: row.delivery.as_deref().map(json).transpose()?,
        reply_to: maybe(row.reply_to.as_ref())?,
        resend_of: maybe(row.resend_of.as_ref())?,
        forwarded: row.forwarded,
        edited: row.edited,
        revoked: row.revoked,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: maybe(Some(&row.inbox))?, wamid: row.wamid.map(Wamid) })
}

pub(super) fn of_order(row: table::sales_order::Model) -> Result<Stored> {
    let entity = Entity::Order(Order {
        id: typed(&row.id)?,
        contact: typed(&row.contact)?,
        conversation: typed(&row.conversation)?,
        number: count(row.number),
        stage: typed(&row.stage)?,
        stage_by: maybe(row.stage_by.as_ref())?,
        fulfilment: word(&row.fulfilment)?,
        payment: word(&row.payment)?,
        currency: row.currency,
        total_minor: row.total_minor,
        placed_at: Timestamp(row.placed_at),
        staged_at: Timestamp(row.staged_at),
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_order_item(row: table::order_item::Model) -> Result<Stored> {
    let entity = Entity::OrderItem(OrderItem {
        id: typed(&row.id)?,
        order: typed(&row.sales_order)?,
        place: small(row.place),
        sku: row.sku,
        name: row.name,
        quantity: small(row.quantity),
        price_minor: row.price_minor,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: None, wamid: None })
}

pub(super) fn of_fact(row: table::fact::Model) -> Result<Stored> {
    let inbox: InboxId = typed(&row.inbox)?;
    let entity = Entity::Fact(Fact {
        id: typed(&row.id)?,
        inbox,
        kind: word(&row.kind)?,
        at: Timestamp(row.at),
        conversation: typed(&row.conversation)?,
        contact: typed(&row.contact)?,
        member: maybe(row.member.as_ref())?,
        order: maybe(row.sales_order.as_ref())?,
        stage: maybe(row.stage.as_ref())?,
        amount_minor: row.amount_minor,
        currency: row.currency,
        took_ms: row.took_ms,
    });
    Ok(Stored { entity, seq: count(row.row_seq), inbox: Some(inbox), wamid: None })
}

/// The rows with these keys in order of (kind, id); keys without a row are left out. With `lock` they stay locked until the
/// transaction ends.
pub async fn load<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    keys: impl IntoIterator<Item = Key>,
    lock: bool,
) -> Result<Vec<Stored>> {
    let mut by_kind: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for key in keys {
        by_kind.entry(key.kind).or_default().push(key.id.to_string());
    }
    let workspace = workspace.to_string();
    let mut found = Vec::new();
    macro_rules! read {
        ($table:ident, $of:path, $ids:expr) => {
            for ids in $ids.chunks(STATEMENT_ROWS) {
                let mut query = table::$table::Entity::find()
                    .filter(table::$table::Column::Workspace.eq(&workspace))
                    .filter(table::$table::Column::Id.is_in(ids))
                    .order_by_asc(table::$table::Column::Id);
                if lock {
                    query = query.lock_exclusive();
                }
                for row in query.all(connection).await? {
                    found.push($of(row)?);
                }
            }
        };
    }
    for (kind, mut ids) in by_kind {
        ids.sort_unstable();
        ids.dedup();
        match kind {
            Kind::Workspace => {
                // Never locked here: taking a block of `seq` locks it, last.
                if let Some(row) = table::workspace::Entity::find_by_id(workspace.clone()).one(connection).await? {
                    found.push(of_workspace(row)?);
                }
            }
            Kind::Member => read!(member, of_member, ids),
            Kind::Inbox => read!(inbox, of_inbox, ids),
            Kind::Label => read!(label, of_label, ids),
            Kind::Pipeline => read!(pipeline, of_pipeline, ids),
            Kind::Stage => read!(stage, of_stage, ids),
            Kind::Contact => read!(contact, of_contact, ids),
            Kind::Conversation => read!(conversation, of_conversation, ids),
            Kind::Message => read!(message, of_message, ids),
            Kind::Order => read!(sales_order, of_order, ids),
            Kind::OrderItem => read!(order_item, of_order_item, ids),
            Kind::Fact => read!(fact, of_fact, ids),
        }
    }
    Ok(found)
}

/// Inserts rows, many in one statement.
pub(super) async fn insert<A, M, C>(connection: &C, rows: Vec<M>) -> Result<()>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    M: IntoActiveModel<A>,
    C: ConnectionTrait,
{
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<M> = rows.by_ref().take(STATEMENT_ROWS).collect();
        Insert::many(chunk).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// Inserts rows or, where the key is there already, overwrites `update`.
pub(super) async fn upsert<A, M, C, K, U>(connection: &C, rows: Vec<M>, key: &[K], update: &[U]) -> Result<()>
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    M: IntoActiveModel<A>,
    C: ConnectionTrait,
    K: ColumnTrait,
    U: ColumnTrait,
{
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<M> = rows.by_ref().take(STATEMENT_ROWS).collect();
        let conflict = OnConflict::columns(key.iter().copied()).update_columns(update.iter().copied()).to_owned();
        Insert::many(chunk).on_conflict(conflict).exec_without_returning(connection).await?;
    }
    Ok(())
}

/// Writes the rows with their `seq`; `change` rows are written by [`super::sequence`]. Parents are written before children.
pub(super) async fn put<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    rows: &[(u64, Written)],
) -> Result<()> {
    let workspace = workspace.to_string();
    macro_rules! write {
        ($kind:ident, $table:ident, |$row:ident, $seq:ident, $written:ident| $model:expr, [$($column:ident),*]) => {{
            let (mut new, mut old) = (Vec::new(), Vec::new());
            for ($seq, $written) in rows {
                if let Entity::$kind($row) = &$written.entity {
                    let $seq = whole(*$seq);
                    let model = $model;
                    if $written.new { new.push(model) } else { old.push(model) }
                }
            }
            use table::$table::{ActiveModel, Column};
            insert::<ActiveModel, _, _>(connection, new).await?;
            upsert::<ActiveModel, _, _, _, _>(connection, old, &[Column::Workspace, Column::Id], &[$(Column::$column),*]).await?;
        }};
    }
    write!(
        Contact,
        contact,
        |row, seq, _written| table::contact::Model {
            workspace: workspace.clone(),
            id: row.id.to_string(),
            name: row.name.as_ref().map(|name| name.expose().to_owned()),
            phone: row.phone.as_ref().map(|phone| phone.expose().to_owned()),
            username: row.username.as_ref().map(|name| name.expose().to_owned()),
            blocked: row.blocked,
            reachable: row.reachable,
            row_seq: seq,
        },
        [Name, Phone, Username, Blocked, Reachable, RowSeq]
    );
    write!(
        Conversation,
        conversation,
        |row, seq, _written| table::conversation::Model {
            workspace: workspace.clone(),
            id: row.id.to_string(),
            inbox: row.inbox.to_string(),
            contact: row.contact.to_string(),
            status: row.status.as_str().to_owned(),
            assignee: row.assignee.map(|who| who.to_string()),
            labels: to_json(&row.labels)?,
            snoozed_until: row.snoozed_until.map(|at| at.0),
            customer_wrote_at: row.customer_wrote_at.map(|at| at.0),
            entry_point_until: row.entry_point_until.map(|at| at.0),
            active_at: row.active_at.0,
            read_upto: whole(row.read_upto),
            row_seq: seq,
        },
        [Status, Assignee, Labels, SnoozedUntil, CustomerWroteAt, EntryPointUntil, ActiveAt, ReadUpto, RowSeq]
    );
    write!(
        Message,
        message,
        |row, seq, written| table::message::Model {
            workspace: workspace.clone(),
            id: row.id.to_string(),
            conversation: row.conversation.to_string(),
            inbox: written.inbox.ok_or(Error::Damaged("message"))?.to_string(),
            direction: row.direction.as_str().to_owned(),
            author: row.author.map(|who| who.to_string()),
            content: to_json(&row.content)?,
            sent_at: row.sent_at.0,
            position: whole(row.position),
            delivery: row.delivery.as_ref().map(to_json).transpose()?,
            reply_to: row.reply_to.map(|id| id.to_string()),
            resend_of: row.resend_of.map(|id| id.to_string()),
            forwarded: row.forwarded,
            edited: row.edited,
            revoked: row.revoked,
            wamid: written.wamid.as_ref().map(|wamid| wamid.0.clone()),
            row_seq: seq,
        },
        [Author, Content, SentAt, Delivery, ReplyTo, ResendOf, Edited, Revoked, RowSeq]
    );
    write!(
        Order,
        sales_order,
        |row, seq, _written| table::sales_order::Model {
            workspace: workspace.clone(),
            id: row.id.to_string(),
            contact: row.contact.to_string(),
            conversation: row.conversation.to_string(),
            number: whole(row.number),
            stage: row.stage.to_string(),
            stage_by: row.stage_by.map(|id| id.to_string()),
            fulfilment: to_word(row.fulfilment)?,
            payment: to_word(row.payment)?,
            currency: row.currency.clone(),
            total_minor: row.total_minor,
            placed_at: row.placed_at.0,
            staged_at: row.staged_at.0,
            row_seq: seq,
        },
        [Stage, StageBy, Fulfilment, Payment, Currency, TotalMinor, StagedAt, RowSeq]
    );
    write!(
        OrderItem,
        order_item,
        |row, seq, _written| table::order_item::Model {
            workspace: workspace.clone(),
            id: row.id.to_string(),
            sales_order: row.order.to_string(),
            place: i64::from(row.place),
            sku: row.sku.clone(),
            name: row.name.clone(),
            quantity: i64::from(row.quantity),
            price_minor: row.price_minor,
            row_seq: seq,
        },
        [Quantity, PriceMinor, RowSeq]
    );
    write!(
        Fact,
        fact,
        |row, seq, _written| table::fact::Model {
            workspace: workspace.clone(),
            id: row.id.to_string(),
            inbox: row.inbox.to_string(),
            kind: to_word(row.kind)?,
            at: row.at.0,
            conversation: row.conversation.to_string(),
            contact: row.contact.to_string(),
            member: row.member.map(|id| id.to_string()),
            sales_order: row.order.map(|id| id.to_string()),
            stage: row.stage.map(|id| id.to_string()),
            amount_minor: row.amount_minor,
            currency: row.currency.clone(),
            took_ms: row.took_ms,
            row_seq: seq,
        },
        [Conversation, Contact, SalesOrder, RowSeq]
    );
    Ok(())
}

/// Sets `row_seq` of workspace rows (members, labels, …), whose content is written by [`super::admin`].
pub(super) async fn stamp<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    rows: &[(u64, Key)],
) -> Result<()> {
    let workspace = workspace.to_string();
    macro_rules! stamp {
        ($table:ident, $seq:expr, $key:expr) => {
            table::$table::Entity::update_many()
                .col_expr(table::$table::Column::RowSeq, Expr::value(whole($seq)))
                .filter(table::$table::Column::Workspace.eq(&workspace))
                .filter(table::$table::Column::Id.eq($key.id.to_string()))
                .exec(connection)
                .await?
        };
    }
    for (seq, key) in rows {
        match key.kind {
            Kind::Workspace => {
                table::workspace::Entity::update_many()
                    .col_expr(table::workspace::Column::RowSeq, Expr::value(whole(*seq)))
                    .filter(table::workspace::Column::Id.eq(&workspace))
                    .exec(connection)
                    .await?
            }
            Kind::Member => stamp!(member, *seq, key),
            Kind::Inbox => stamp!(inbox, *seq, key),
            Kind::Label => stamp!(label, *seq, key),
            Kind::Pipeline => stamp!(pipeline, *seq, key),
            Kind::Stage => stamp!(stage, *seq, key),
            _ => continue,
        };
    }
    Ok(())
}

/// Binds Meta's id to a message that we sent.
pub async fn bind_wamid<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    message: parley_domain::MessageId,
    wamid: &Wamid,
) -> Result<()> {
    table::message::Entity::update_many()
        .col_expr(table::message::Column::Wamid, Expr::value(wamid.0.clone()))
        .filter(table::message::Column::Workspace.eq(workspace.to_string()))
        .filter(table::message::Column::Id.eq(message.to_string()))
        .filter(table::message::Column::Wamid.is_null())
        .exec(connection)
        .await?;
    Ok(())
}

/// The root of a row.
pub fn root_of(entity: &Entity, workspace: WorkspaceId) -> Root {
    entity.root(workspace)
}

/// `column IN (…)` as an expression; an empty list matches nothing.
pub(super) fn among<C: ColumnTrait + IntoColumnRef>(column: C, values: &[String]) -> SimpleExpr {
    column.is_in(values)
}
