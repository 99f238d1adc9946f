//! The server's outbox: messages that Meta has not taken yet, one lane per inbox and contact.
//!
//! Promise: a row leaves `queued` by compare-and-swap only, so one sender has it; a lane never has two rows in hand.

use parley_domain::planted::{Bug, planted};
use parley_domain::{ContactId, ConversationId, InboxId, MessageId, Timestamp, WorkspaceId};
use sea_orm::sea_query::{Alias, Condition, Expr, Query};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{count, insert, maybe, typed, whole};
use super::table;
use super::table::outbox::{Column, Entity, Model};
use crate::error::{Error, Result};

/// Where a row stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Queued,
    Sending,
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Unknown => "unknown",
        }
    }
}

/// A message that waits or is in hand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub workspace: WorkspaceId,
    pub message: MessageId,
    pub conversation: ConversationId,
    pub inbox: InboxId,
    pub contact: ContactId,
    pub resend_of: Option<MessageId>,
    /// Order within the lane.
    pub place: u64,
    pub state: State,
    pub node: Option<String>,
    pub lease_until: Option<Timestamp>,
    pub attempt: u64,
    pub started_at: Option<Timestamp>,
    pub not_before: Timestamp,
    /// For unknown ones: when the lane goes on and the message is shown as unconfirmed.
    pub settle_by: Option<Timestamp>,
}

fn entry(row: Model) -> Result<Entry> {
    Ok(Entry {
        workspace: typed(&row.workspace)?,
        message: typed(&row.message)?,
        conversation: typed(&row.conversation)?,
        inbox: typed(&row.inbox)?,
        contact: typed(&row.contact)?,
        resend_of: maybe(row.resend_of.as_ref())?,
        place: count(row.place),
        state: match row.state.as_str() {
            "queued" => State::Queued,
            "sending" => State::Sending,
            "unknown" => State::Unknown,
            _ => return Err(Error::Damaged("outbox state")),
        },
        node: row.node,
        lease_until: row.lease_until.map(Timestamp),
        attempt: count(row.attempt),
        started_at: row.started_at.map(Timestamp),
        not_before: Timestamp(row.not_before),
        settle_by: row.settle_by.map(Timestamp),
    })
}

/// Queues messages.
pub async fn queue<C: ConnectionTrait>(txn: &C, entries: &[Entry]) -> Result<()> {
    let rows = entries
        .iter()
        .map(|entry| Model {
            workspace: entry.workspace.to_string(),
            message: entry.message.to_string(),
            conversation: entry.conversation.to_string(),
            inbox: entry.inbox.to_string(),
            contact: entry.contact.to_string(),
            resend_of: entry.resend_of.map(|id| id.to_string()),
            place: whole(entry.place),
            state: State::Queued.as_str().to_owned(),
            node: None,
            lease_until: None,
            attempt: 0,
            started_at: None,
            not_before: entry.not_before.0,
            settle_by: None,
        })
        .collect();
    insert::<table::outbox::ActiveModel, Model, _>(txn, rows).await
}

/// The first message of every lane that is free, oldest first.
pub async fn ready<C: ConnectionTrait>(connection: &C, now: Timestamp, limit: u64) -> Result<Vec<Entry>> {
    let ahead = Alias::new("ahead");
    let column = |column: Column| Expr::col((ahead.clone(), column));
    let same = |of: Column| column(of).equals((Entity, of));
    let mut blocking = Query::select();
    blocking.expr(Expr::value(1)).from_as(Entity, ahead.clone()).cond_where(
        Condition::all().add(same(Column::Workspace)).add(same(Column::Inbox)).add(same(Column::Contact)).add(
            Condition::any()
                .add(column(Column::State).eq(State::Sending.as_str()))
                .add(column(Column::State).eq(State::Unknown.as_str()))
                .add(
                    Condition::all()
                        .add(column(Column::State).eq(State::Queued.as_str()))
                        .add(column(Column::Place).lt(Expr::col((Entity, Column::Place)))),
                ),
        ),
    );
    let free =
        if planted(Bug::LaneIgnored) { Condition::all() } else { Condition::all().add(Expr::exists(blocking).not()) };
    let rows = Entity::find()
        .filter(Column::State.eq(State::Queued.as_str()))
        .filter(Column::NotBefore.lte(now.0))
        .filter(free)
        .order_by_asc(Column::NotBefore)
        .order_by_asc(Column::Place)
        .limit(limit)
        .all(connection)
        .await?;
    rows.into_iter().map(entry).collect()
}

/// Takes a queued message in hand; `false` when somebody else was faster or it was cancelled.
pub async fn claim<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    message: MessageId,
    node: &str,
    lease_until: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Sending.as_str()))
        .col_expr(Column::Node, Expr::value(node))
        .col_expr(Column::LeaseUntil, Expr::value(lease_until.0))
        .col_expr(Column::StartedAt, Expr::value(now.0))
        .col_expr(Column::Attempt, Expr::col(Column::Attempt).add(1i64))
        .filter(of(workspace, message))
        .filter(Column::State.eq(State::Queued.as_str()))
        .exec(txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// A row, locked.
pub async fn find<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, message: MessageId) -> Result<Option<Entry>> {
    Entity::find().filter(of(workspace, message)).lock_exclusive().one(txn).await?.map(entry).transpose()
}

/// Puts a message back into its lane: Meta did not take it.
pub async fn requeue<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    message: MessageId,
    not_before: Timestamp,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Queued.as_str()))
        .col_expr(Column::Node, Expr::value(None::<String>))
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(Column::NotBefore, Expr::value(not_before.0))
        .filter(of(workspace, message))
        .filter(Column::State.eq(State::Sending.as_str()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Whether Meta took it is not known; the lane waits until `settle_by`.
pub async fn unknown<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    message: MessageId,
    settle_by: Timestamp,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Unknown.as_str()))
        .col_expr(Column::SettleBy, Expr::value(settle_by.0))
        .filter(of(workspace, message))
        .filter(Column::State.eq(State::Sending.as_str()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Rows in hand that nobody will finish: with an expired lease, or of an earlier life of the node `reborn`.
pub async fn lost<C: ConnectionTrait>(connection: &C, now: Timestamp, reborn: Option<&str>) -> Result<Vec<Entry>> {
    let mut given_up = Condition::any().add(Column::LeaseUntil.lte(now.0));
    if let Some(node) = reborn {
        given_up = given_up.add(Column::Node.eq(node));
    }
    let rows =
        Entity::find().filter(Column::State.eq(State::Sending.as_str())).filter(given_up).all(connection).await?;
    rows.into_iter().map(entry).collect()
}

/// Unknown rows whose time is over.
pub async fn unsettled<C: ConnectionTrait>(connection: &C, now: Timestamp) -> Result<Vec<Entry>> {
    let rows = Entity::find()
        .filter(Column::State.eq(State::Unknown.as_str()))
        .filter(Column::SettleBy.lte(now.0))
        .all(connection)
        .await?;
    rows.into_iter().map(entry).collect()
}

/// Queued resends of a message.
pub async fn resends<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, message: MessageId) -> Result<Vec<Entry>> {
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::ResendOf.eq(message.to_string()))
        .filter(Column::State.eq(State::Queued.as_str()))
        .lock_exclusive()
        .all(txn)
        .await?;
    rows.into_iter().map(entry).collect()
}

/// Takes a row out: its message is settled.
pub async fn remove<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, message: MessageId) -> Result<()> {
    Entity::delete_many().filter(of(workspace, message)).exec(txn).await?;
    Ok(())
}

/// Takes a row out if it still waits; `false` when it is in hand or gone.
pub async fn withdraw<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, message: MessageId) -> Result<bool> {
    let done = Entity::delete_many()
        .filter(of(workspace, message))
        .filter(Column::State.eq(State::Queued.as_str()))
        .exec(txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// How many rows there are.
pub async fn count_rows<C: ConnectionTrait>(connection: &C) -> Result<u64> {
    use sea_orm::PaginatorTrait;
    Ok(Entity::find().count(connection).await?)
}

/// Every row, for tests and operators.
pub async fn all<C: ConnectionTrait>(connection: &C) -> Result<Vec<Entry>> {
    Entity::find().order_by_asc(Column::Place).all(connection).await?.into_iter().map(entry).collect()
}

fn of(workspace: WorkspaceId, message: MessageId) -> Condition {
    Condition::all().add(Column::Workspace.eq(workspace.to_string())).add(Column::Message.eq(message.to_string()))
}
