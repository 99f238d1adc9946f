//! Orders beside a conversation and on a board.

use std::collections::BTreeMap;

use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::order::{Order, Stage};
use parley_domain::window::{Window, service_window};
use parley_domain::{ConversationId, PipelineId};
use rusqlite::Connection;

use super::lists::Looker;
use super::rows::{self, get};
use super::value::id;
use crate::Result;
use crate::views::{Board, BoardColumn, OrderItemView, OrderTag, OrderView, Total};

/// Cards sent to the window per column; the count tells of all.
const CARDS: u32 = 200;

/// The newest order of a conversation that is not closed.
pub fn open_tag(connection: &Connection, conversation: ConversationId) -> Result<Option<OrderTag>> {
    let mut statement = connection.prepare_cached(
        "SELECT orders.id, number, stage.name FROM orders JOIN stage ON stage.id = orders.stage
         WHERE conversation = ?1 AND NOT closed ORDER BY placed_at DESC LIMIT 1",
    )?;
    let mut found = statement.query([id(conversation)])?;
    match found.next()? {
        Some(row) => Ok(Some(OrderTag { id: get(row, 0)?, number: row.get(1)?, stage: row.get(2)? })),
        None => Ok(None),
    }
}

/// The order that a cart message became: placed in its conversation at its time.
pub fn tag_of_cart(connection: &Connection, conversation: ConversationId, sent_at: i64) -> Result<Option<OrderTag>> {
    let mut statement = connection.prepare_cached(
        "SELECT orders.id, number, coalesce(stage.name, '') FROM orders LEFT JOIN stage ON stage.id = orders.stage
         WHERE conversation = ?1 AND placed_at = ?2 LIMIT 1",
    )?;
    let mut found = statement.query(rusqlite::params![id(conversation), sent_at])?;
    match found.next()? {
        Some(row) => Ok(Some(OrderTag { id: get(row, 0)?, number: row.get(1)?, stage: row.get(2)? })),
        None => Ok(None),
    }
}

/// Orders of a conversation, newest first.
pub fn of_conversation(connection: &Connection, looker: &Looker, wanted: ConversationId) -> Result<Vec<OrderView>> {
    let sql = format!("SELECT {} FROM orders WHERE conversation = ?1 ORDER BY placed_at DESC", rows::ORDER);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([id(wanted)])?;
    let mut orders = Vec::new();
    while let Some(row) = found.next()? {
        orders.push(view(connection, looker, rows::order(row)?)?);
    }
    Ok(orders)
}

/// A board: the one asked for, or the first by name.
pub fn board(connection: &Connection, looker: &Looker, wanted: Option<PipelineId>) -> Result<Option<Board>> {
    let mut statement = connection
        .prepare_cached("SELECT id, name FROM pipeline WHERE ?1 IS NULL OR id = ?1 ORDER BY name, id LIMIT 1")?;
    let mut found = statement.query([wanted.map(id)])?;
    let Some(row) = found.next()? else {
        return Ok(None);
    };
    let mut board = Board { id: get(row, 0)?, name: row.get(1)?, columns: Vec::new() };
    for stage in stages(connection, board.id)? {
        board.columns.push(column(connection, looker, stage)?);
    }
    Ok(Some(board))
}

fn stages(connection: &Connection, pipeline: PipelineId) -> Result<Vec<Stage>> {
    let mut statement = connection
        .prepare_cached("SELECT id, pipeline, name, place, closed FROM stage WHERE pipeline = ?1 ORDER BY place, id")?;
    let mut found = statement.query([id(pipeline)])?;
    let mut stages = Vec::new();
    while let Some(row) = found.next()? {
        stages.push(rows::stage(row)?);
    }
    Ok(stages)
}

fn column(connection: &Connection, looker: &Looker, stage: Stage) -> Result<BoardColumn> {
    let mut sums: BTreeMap<String, (u32, i64)> = BTreeMap::new();
    let mut statement = connection
        .prepare_cached("SELECT currency, count(*), sum(total_minor) FROM orders WHERE stage = ?1 GROUP BY 1")?;
    let mut found = statement.query([id(stage.id)])?;
    while let Some(row) = found.next()? {
        sums.insert(row.get(0)?, (row.get(1)?, row.get(2)?));
    }
    let count = sums.values().map(|(count, _)| count).sum();
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    let sql =
        format!("SELECT {} FROM orders WHERE stage = ?1 ORDER BY staged_at DESC, id DESC LIMIT {CARDS}", rows::ORDER);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([id(stage.id)])?;
    let mut cards = Vec::new();
    while let Some(row) = found.next()? {
        cards.push(view(connection, looker, rows::order(row)?)?);
    }
    Ok(BoardColumn {
        stage: stage.id,
        name: stage.name,
        closed: stage.closed,
        count,
        totals: sums.into_iter().map(|(currency, (_, minor))| Total { currency, minor }).collect(),
        cards,
    })
}

fn view(connection: &Connection, looker: &Looker, order: Order) -> Result<OrderView> {
    let stage = match rows::read(connection, Key::new(Kind::Stage, order.stage))? {
        Some(Entity::Stage(stage)) => Some(stage),
        _ => None,
    };
    let siblings = match &stage {
        Some(stage) => stages(connection, stage.pipeline)?,
        None => Vec::new(),
    };
    let place = siblings.iter().position(|sibling| sibling.id == order.stage).unwrap_or(0);
    let contact_name = match rows::read(connection, Key::new(Kind::Contact, order.contact))? {
        Some(Entity::Contact(contact)) => contact.name,
        _ => None,
    };
    let conversation = match rows::read(connection, Key::new(Kind::Conversation, order.conversation))? {
        Some(Entity::Conversation(conversation)) => Some(conversation),
        _ => None,
    };
    Ok(OrderView {
        id: order.id,
        number: order.number,
        conversation: order.conversation,
        contact_name,
        pipeline: stage.as_ref().map_or(PipelineId(uuid::Uuid::nil()), |stage| stage.pipeline),
        stage: order.stage,
        stage_name: stage.map(|stage| stage.name).unwrap_or_default(),
        stage_place: u32::try_from(place).unwrap_or(0),
        stage_count: u32::try_from(siblings.len()).unwrap_or(0),
        fulfilment: order.fulfilment,
        payment: order.payment,
        currency: order.currency,
        total_minor: order.total_minor,
        placed_at: order.placed_at,
        staged_at: order.staged_at,
        items: items(connection, order.id)?,
        assignee: conversation.as_ref().and_then(|conversation| conversation.assignee),
        window: conversation.map_or(Window::NeverOpened, |conversation| service_window(&conversation, looker.now)),
        pending: looker.moving.contains(&order.id),
    })
}

fn items(connection: &Connection, order: parley_domain::OrderId) -> Result<Vec<OrderItemView>> {
    let sql = format!("SELECT {} FROM order_item WHERE order_id = ?1 ORDER BY place, id", rows::ORDER_ITEM);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([id(order)])?;
    let mut items = Vec::new();
    while let Some(row) = found.next()? {
        let item = rows::order_item(row)?;
        items.push(OrderItemView {
            id: item.id,
            sku: item.sku,
            name: item.name,
            quantity: item.quantity,
            price_minor: item.price_minor,
        });
    }
    Ok(items)
}
