//! Raw webhook bodies and those of their items that wait or failed.

use parley_domain::{AppId, Timestamp};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::rows::{self, among};
use super::{Db, table};
use crate::error::Result;

/// A webhook body, sealed.
#[derive(Clone, Debug)]
pub struct RawEvent {
    pub id: Uuid,
    pub app: AppId,
    pub received_at: Timestamp,
    pub sealed: Vec<u8>,
}

/// Waits for the apply worker.
const NEW: &str = "new";
/// Some item waits or is dead.
const KEPT: &str = "kept";
/// An item whose number is not known yet.
const WAITING: &str = "waiting";
/// An item that failed for good.
pub(super) const DEAD: &str = "dead";

/// Why an item was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// Its number is not connected yet.
    Waits { phone_number_id: String },
    /// It failed; the reason is a word of ours.
    Dead { reason: &'static str },
}

/// Stores bodies in one commit; they are durable when this returns.
pub async fn store(db: &Db, events: Vec<RawEvent>) -> Result<()> {
    let rows = events
        .into_iter()
        .map(|event| table::raw_event::Model {
            id: event.id.to_string(),
            app_id: event.app.0,
            received_at: event.received_at.0,
            body: event.sealed,
            state: NEW.to_owned(),
        })
        .collect();
    rows::insert::<table::raw_event::ActiveModel, table::raw_event::Model, _>(db.writer(), rows).await
}

/// The oldest bodies that were not applied yet.
pub async fn take_new(db: &Db, limit: u64) -> Result<Vec<RawEvent>> {
    use table::raw_event::{Column, Entity};
    let rows =
        Entity::find().filter(Column::State.eq(NEW)).order_by_asc(Column::Id).limit(limit).all(db.reader()).await?;
    rows.into_iter().map(of_row).collect()
}

/// The body with that id.
pub async fn find(db: &Db, id: Uuid) -> Result<Option<RawEvent>> {
    table::raw_event::Entity::find_by_id(id.to_string()).one(db.reader()).await?.map(of_row).transpose()
}

pub(super) fn of_row(row: table::raw_event::Model) -> Result<RawEvent> {
    Ok(RawEvent {
        id: rows::id(&row.id)?,
        app: AppId(row.app_id),
        received_at: Timestamp(row.received_at),
        sealed: row.body,
    })
}

/// Bodies of which an item waits for one of these numbers, with the items' places.
pub async fn waiting_for(db: &Db, numbers: &[String], limit: u64) -> Result<Vec<(Uuid, u32)>> {
    use table::item::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::State.eq(WAITING))
        .filter(among(Column::PhoneNumberId, numbers))
        .order_by_asc(Column::Body)
        .order_by_asc(Column::Place)
        .limit(limit)
        .all(db.reader())
        .await?;
    rows.into_iter().map(|row| Ok((rows::id(&row.body)?, u32::try_from(row.place).unwrap_or(0)))).collect()
}

/// Numbers for which items wait.
pub async fn waiting_numbers(db: &Db) -> Result<Vec<String>> {
    use table::item::{Column, Entity};
    let numbers: Vec<Option<String>> = Entity::find()
        .select_only()
        .column(Column::PhoneNumberId)
        .filter(Column::State.eq(WAITING))
        .distinct()
        .into_tuple()
        .all(db.reader())
        .await?;
    Ok(numbers.into_iter().flatten().collect())
}

/// Counts of bodies and of kept items, for tests and operators: (bodies, waiting items, dead items).
pub async fn counts(db: &Db) -> Result<(u64, u64, u64)> {
    use table::item::{Column, Entity};
    let bodies = table::raw_event::Entity::find().count(db.reader()).await?;
    let waiting = Entity::find().filter(Column::State.eq(WAITING)).count(db.reader()).await?;
    let dead = Entity::find().filter(Column::State.eq(DEAD)).count(db.reader()).await?;
    Ok((bodies, waiting, dead))
}

/// Deletes bodies whose last item is done.
pub async fn delete<C: ConnectionTrait>(txn: &C, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    table::raw_event::Entity::delete_many().filter(among(table::raw_event::Column::Id, &ids)).exec(txn).await?;
    Ok(())
}

/// Keeps items of a body that wait or failed; the body stays with them.
pub async fn keep<C: ConnectionTrait>(txn: &C, body: Uuid, items: &[(u32, Kept)], expires_at: Timestamp) -> Result<()> {
    use table::item::{ActiveModel, Column, Model};
    let rows = items
        .iter()
        .map(|(place, kept)| {
            let (state, number, reason) = match kept {
                Kept::Waits { phone_number_id } => (WAITING, Some(phone_number_id.clone()), None),
                Kept::Dead { reason } => (DEAD, None, Some((*reason).to_owned())),
            };
            Model {
                body: body.to_string(),
                place: i64::from(*place),
                workspace: None,
                phone_number_id: number,
                state: state.to_owned(),
                attempts: 1,
                reason,
                expires_at: expires_at.0,
            }
        })
        .collect();
    rows::upsert::<ActiveModel, Model, _, _, _>(
        txn,
        rows,
        &[Column::Body, Column::Place],
        &[Column::State, Column::PhoneNumberId, Column::Reason, Column::Attempts],
    )
    .await?;
    table::raw_event::Entity::update_many()
        .col_expr(table::raw_event::Column::State, Expr::value(KEPT))
        .filter(table::raw_event::Column::Id.eq(body.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// An item that waited is done; the body goes with its last item.
pub async fn release<C: ConnectionTrait>(txn: &C, body: Uuid, places: &[u32]) -> Result<()> {
    use table::item::{Column, Entity};
    Entity::delete_many()
        .filter(Column::Body.eq(body.to_string()))
        .filter(Column::Place.is_in(places.iter().map(|place| i64::from(*place))))
        .exec(txn)
        .await?;
    if Entity::find().filter(Column::Body.eq(body.to_string())).count(txn).await? == 0 {
        delete(txn, &[body]).await?;
    }
    Ok(())
}

/// Forgets what is past its time: bodies received before `bodies_before` with their items, and dedupe keys and early statuses
/// that expired by `now`.
pub async fn expire<C: ConnectionTrait>(txn: &C, bodies_before: Timestamp, now: Timestamp) -> Result<()> {
    let old: Vec<String> = table::raw_event::Entity::find()
        .select_only()
        .column(table::raw_event::Column::Id)
        .filter(table::raw_event::Column::ReceivedAt.lt(bodies_before.0))
        .limit(500)
        .into_tuple()
        .all(txn)
        .await?;
    if !old.is_empty() {
        table::item::Entity::delete_many().filter(among(table::item::Column::Body, &old)).exec(txn).await?;
        table::raw_event::Entity::delete_many().filter(among(table::raw_event::Column::Id, &old)).exec(txn).await?;
    }
    table::dedupe::Entity::delete_many().filter(table::dedupe::Column::ExpiresAt.lt(now.0)).exec(txn).await?;
    table::orphan_status::Entity::delete_many()
        .filter(table::orphan_status::Column::ExpiresAt.lt(now.0))
        .exec(txn)
        .await?;
    Ok(())
}
