//! Rows of jobs.

use parley_domain::{Timestamp, WorkspaceId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, Insert, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{count, maybe, whole};
use super::table::job::{ActiveModel, Column, Entity, Model};
use crate::error::Result;
use crate::jobs::Job;

/// Jobs looked at for one round: enough that a share can be fair.
const LOOKED_AT: u64 = 512;

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Queued,
    Running,
    Dead,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

/// A job as it is stored.
#[derive(Clone, Debug)]
pub struct JobRow {
    pub name: String,
    pub kind: String,
    pub workspace: Option<WorkspaceId>,
    /// Lower goes first.
    pub priority: u8,
    pub run_at: Timestamp,
    pub every: Option<i64>,
    /// Failed tries.
    pub attempts: u64,
    /// Times that it was taken in hand: what a claim compares.
    pub claims: u64,
    /// Code of the last failure.
    pub reason: Option<String>,
    pub body: String,
}

impl JobRow {
    /// A job that was never tried.
    pub fn of(job: &Job) -> Self {
        Self {
            name: job.name.clone(),
            kind: job.kind.to_owned(),
            workspace: job.workspace,
            priority: job.priority,
            run_at: job.run_at,
            every: job.every,
            attempts: 0,
            claims: 0,
            reason: None,
            body: job.body.clone(),
        }
    }
}

fn job(row: Model) -> Result<JobRow> {
    Ok(JobRow {
        workspace: maybe(row.workspace.as_ref())?,
        name: row.name,
        kind: row.kind,
        priority: u8::try_from(row.priority).unwrap_or(u8::MAX),
        run_at: Timestamp(row.run_at),
        every: row.every_ms,
        attempts: count(row.attempts),
        claims: count(row.claims),
        reason: row.reason,
        body: row.body,
    })
}

/// Adds a job, in the transaction of what it follows from; one of that name stays as it is.
pub async fn enqueue<C: ConnectionTrait>(txn: &C, job: &Job) -> Result<()> {
    let row = Model {
        name: job.name.clone(),
        kind: job.kind.to_owned(),
        workspace: job.workspace.map(|workspace| workspace.to_string()),
        priority: i64::from(job.priority),
        state: State::Queued.as_str().to_owned(),
        run_at: job.run_at.0,
        every_ms: job.every,
        lease_until: None,
        node: None,
        attempts: 0,
        claims: 0,
        reason: None,
        body: job.body.clone(),
    };
    let keep = OnConflict::column(Column::Name).update_column(Column::Name).to_owned();
    Insert::one(ActiveModel::from(row)).on_conflict(keep).exec_without_returning(txn).await?;
    Ok(())
}

/// Jobs whose time has come, and those whose node went away.
pub async fn due<C: ConnectionTrait>(connection: &C, now: Timestamp) -> Result<Vec<JobRow>> {
    let waits = Condition::all().add(Column::State.eq(State::Queued.as_str())).add(Column::RunAt.lte(now.0));
    let lost = Condition::all().add(Column::State.eq(State::Running.as_str())).add(Column::LeaseUntil.lte(now.0));
    let rows = Entity::find()
        .filter(Condition::any().add(waits).add(lost))
        .order_by_asc(Column::Priority)
        .order_by_asc(Column::RunAt)
        .limit(LOOKED_AT)
        .all(connection)
        .await?;
    rows.into_iter().map(job).collect()
}

/// Takes a job in hand; `false` when somebody else was faster.
pub async fn claim<C: ConnectionTrait>(txn: &C, job: &JobRow, node: &str, lease_until: Timestamp) -> Result<bool> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Running.as_str()))
        .col_expr(Column::Node, Expr::value(node))
        .col_expr(Column::LeaseUntil, Expr::value(lease_until.0))
        .col_expr(Column::Claims, Expr::value(whole(job.claims + 1)))
        .filter(Column::Name.eq(&job.name))
        .filter(Column::Claims.eq(whole(job.claims)))
        .filter(Column::State.ne(State::Dead.as_str()))
        .exec(txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Ends a run: the job waits again, or is dead.
pub async fn put_back<C: ConnectionTrait>(
    txn: &C,
    name: &str,
    state: State,
    run_at: Timestamp,
    attempts: u64,
    reason: Option<&str>,
) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state.as_str()))
        .col_expr(Column::RunAt, Expr::value(run_at.0))
        .col_expr(Column::Attempts, Expr::value(whole(attempts)))
        .col_expr(Column::Reason, Expr::value(reason.map(str::to_owned)))
        .col_expr(Column::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(Column::Node, Expr::value(None::<String>))
        .filter(Column::Name.eq(name))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets a job that is done.
pub async fn remove<C: ConnectionTrait>(txn: &C, name: &str) -> Result<()> {
    Entity::delete_by_id(name.to_owned()).exec(txn).await?;
    Ok(())
}

/// Dead jobs, oldest first.
pub async fn dead<C: ConnectionTrait>(connection: &C) -> Result<Vec<JobRow>> {
    let query = Entity::find().filter(Column::State.eq(State::Dead.as_str())).order_by_asc(Column::RunAt);
    query.all(connection).await?.into_iter().map(job).collect()
}

/// Lets a dead job run again; `false` when there is none of that name.
pub async fn replay<C: ConnectionTrait>(txn: &C, name: &str, now: Timestamp) -> Result<bool> {
    let done = Entity::update_many()
        .col_expr(Column::State, Expr::value(State::Queued.as_str()))
        .col_expr(Column::RunAt, Expr::value(now.0))
        .col_expr(Column::Attempts, Expr::value(0i64))
        .filter(Column::Name.eq(name))
        .filter(Column::State.eq(State::Dead.as_str()))
        .exec(txn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Every job, for tests and operators.
pub async fn all<C: ConnectionTrait>(connection: &C) -> Result<Vec<JobRow>> {
    Entity::find().order_by_asc(Column::Name).all(connection).await?.into_iter().map(job).collect()
}
