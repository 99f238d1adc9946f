//! The apply worker: stored webhook bodies become contacts, conversations, messages, orders.
//!
//! Promise: each item (body, place) takes effect once, whatever is repeated or killed. Up to [`APPLY_ITEMS`] items of a
//! workspace share a transaction; they are worked on in memory, where each keeps or leaves its changes as a whole, and written
//! in a few multi-row statements. When such a transaction fails, its items are tried one by one, and one that fails alone is
//! kept as a dead letter; its siblings are untouched. A body goes when its last item is done.

mod draft;
mod identity;
mod message;
pub mod status;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parley_domain::limits::{APPLY_ITEMS, RAW_KEPT, UNKNOWN_NUMBER_WAITS};
use parley_domain::{Timestamp, WorkspaceId};
use parley_meta::webhook::{Fact, Item, parse};
use uuid::Uuid;

use crate::app::Core;
use crate::db::applying::{self, Route};
use crate::db::raw::{self, Kept, RawEvent};
use crate::db::{Txn, transaction};
use crate::error::Result;
use crate::ingest::body_place;
use crate::seal::{Purpose, Sealer};

/// How long the worker rests when nobody wakes it.
const REST: Duration = Duration::from_secs(5);

/// An item with where it belongs.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    body: Uuid,
    place: u32,
    route: Arc<Route>,
    fact: Fact,
    /// Keyed hash of its natural key.
    hash: Option<String>,
}

/// Applies what is stored until `stopping` is set. What was left by an earlier run is taken up first.
pub async fn run(core: Arc<Core>) {
    let mut failures = 0u32;
    loop {
        if core.stopping() {
            return;
        }
        let since = std::time::Instant::now();
        match step(&core).await {
            Ok(true) => {
                failures = 0;
                core.metrics.applied(since);
            }
            Ok(false) => {
                failures = 0;
                let _ = tokio::time::timeout(REST, core.apply_wake.notified()).await;
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                tracing::error!(%error, "applying failed; it is tried again");
                let pause = Duration::from_millis(100 * u64::from(failures.min(50)));
                let _ = tokio::time::timeout(pause, core.stop.notified()).await;
            }
        }
    }
}

/// Applies one round of bodies; `false` when there was nothing to do.
///
/// # Errors
/// The database failed; nothing is lost, the round can be repeated.
pub async fn step(core: &Core) -> Result<bool> {
    if core.take_up_waiting() && take_up_waiting(core).await? {
        return Ok(true);
    }
    let bodies = raw::take_new(&core.db, core.db.round_bodies(core.was_fed())).await?;
    if bodies.is_empty() {
        return Ok(false);
    }
    let mut round = Round::default();
    let mut parsed = Vec::with_capacity(bodies.len());
    for body in bodies {
        match items_of(core, &body) {
            Ok(items) => parsed.push((body, items)),
            Err(reason) => {
                round.keep(body.id, 0, Kept::Dead { reason });
                round.bodies.push(body.id);
            }
        }
    }
    let routes = routes(core, parsed.iter().flat_map(|(_, items)| items)).await?;
    for (body, items) in parsed {
        round.bodies.push(body.id);
        for item in items {
            match place(core, &body, item, &routes) {
                Placed::Work(work) => round.work.entry(work.route.workspace).or_default().push(*work),
                Placed::Kept(place, kept) => round.keep(body.id, place, kept),
                Placed::Done => {}
            }
        }
    }
    round.finish(core).await?;
    Ok(true)
}

/// Items of a body, or why it has none.
fn items_of(core: &Core, body: &RawEvent) -> std::result::Result<Vec<Item>, &'static str> {
    let row = body.id.to_string();
    let opened = Sealer::new(&core.keys, Purpose::Body(body.received_at))
        .open(body_place(&row), &body.sealed)
        .map_err(|_| "sealed")?;
    parse(&opened).map_err(|_| "not_a_webhook")
}

type Routes = HashMap<String, Arc<Route>>;

async fn routes(core: &Core, items: impl Iterator<Item = &Item>) -> Result<Routes> {
    let mut numbers: Vec<String> =
        items.filter_map(|item| item.phone_number_id.as_ref().map(|number| number.0.clone())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let found = applying::routes(&core.db, &numbers).await?;
    Ok(found.into_iter().map(|route| (route.phone_number_id.clone(), Arc::new(route))).collect())
}

enum Placed {
    Work(Box<Work>),
    Kept(u32, Kept),
    Done,
}

fn place(core: &Core, body: &RawEvent, item: Item, routes: &Routes) -> Placed {
    match &item.fact {
        Fact::Message(message) if message.group.is_some() => return Placed::Kept(item.index, dead("group")),
        Fact::Message(_) | Fact::Status(_) => {}
        // Kinds of later features: they change nothing yet.
        Fact::Management { .. } => return Placed::Done,
        Fact::Error(error) => {
            tracing::warn!(code = error.code, "Meta reports a problem of a number");
            return Placed::Done;
        }
        Fact::Unreadable { reason } => return Placed::Kept(item.index, dead(reason)),
    }
    let Some(number) = &item.phone_number_id else {
        return Placed::Kept(item.index, dead("no_number"));
    };
    let Some(route) = routes.get(number.as_str()) else {
        return Placed::Kept(item.index, Kept::Waits { phone_number_id: number.0.clone() });
    };
    if route.app != body.app.0 {
        tracing::warn!(app = %body.app.0, inbox = %route.inbox, "an app spoke for a number that is not its own");
        return Placed::Kept(item.index, dead("other_app"));
    }
    let hash = match &item.fact {
        // Statuses repeat harmlessly: the lattice absorbs them.
        Fact::Status(_) => None,
        _ => item.dedupe_key().map(|key| core.keys.dedupe_hash(&key)),
    };
    Placed::Work(Box::new(Work { body: body.id, place: item.index, route: route.clone(), fact: item.fact, hash }))
}

fn dead(reason: &'static str) -> Kept {
    // The column takes 64 characters; reasons are words of ours.
    Kept::Dead { reason: reason.get(..64).unwrap_or(reason) }
}

/// The items of a round of bodies.
#[derive(Default)]
struct Round {
    bodies: Vec<Uuid>,
    work: BTreeMap<WorkspaceId, Vec<Work>>,
    kept: HashMap<Uuid, Vec<(u32, Kept)>>,
}

impl Round {
    fn keep(&mut self, body: Uuid, place: u32, kept: Kept) {
        self.kept.entry(body).or_default().push((place, kept));
    }

    async fn finish(&mut self, core: &Core) -> Result<()> {
        let work = std::mem::take(&mut self.work);
        let batches: Vec<(WorkspaceId, Vec<Work>)> = work
            .into_iter()
            .flat_map(|(workspace, work)| {
                work.chunks(APPLY_ITEMS).map(|chunk| (workspace, chunk.to_vec())).collect::<Vec<_>>()
            })
            .collect();
        // With one batch and nothing to keep, the bodies go in its transaction.
        let together = batches.len() == 1 && self.kept.is_empty();
        let bodies = if together { self.bodies.clone() } else { Vec::new() };
        let mut gone = false;
        for (workspace, batch) in &batches {
            match apply(core, *workspace, batch, &bodies).await {
                Ok(()) => gone = together,
                Err(error) => {
                    tracing::warn!(%error, items = batch.len(), "a batch failed; its items are tried one by one");
                    for one in batch {
                        self.alone(core, *workspace, one).await?;
                    }
                }
            }
        }
        if gone {
            return Ok(());
        }
        self.clear(core).await
    }

    /// Applies one item by itself, or keeps it as a dead letter.
    async fn alone(&mut self, core: &Core, workspace: WorkspaceId, one: &Work) -> Result<()> {
        if let Err(error) = apply(core, workspace, std::slice::from_ref(one), &[]).await {
            // A database that is gone fails everything; then nothing is dead.
            core.db.alive().await?;
            tracing::error!(%error, body = %one.body, place = one.place, "an item cannot be applied");
            self.keep(one.body, one.place, dead("failed"));
        }
        Ok(())
    }

    /// Keeps what waits or failed, and deletes the bodies that are done.
    async fn clear(&self, core: &Core) -> Result<()> {
        let done: Vec<Uuid> = self.bodies.iter().copied().filter(|body| !self.kept.contains_key(body)).collect();
        let expires_at = core.now() + UNKNOWN_NUMBER_WAITS;
        transaction!(core.db, |txn| clear(&txn, &self.kept, &done, expires_at))
    }
}

async fn clear(txn: &Txn, kept: &HashMap<Uuid, Vec<(u32, Kept)>>, done: &[Uuid], expires_at: Timestamp) -> Result<()> {
    for (body, kept) in kept {
        raw::keep(txn, *body, kept, expires_at).await?;
    }
    raw::delete(txn, done).await
}

/// Applies items that waited for a number which is connected now; `false` when there were none.
async fn take_up_waiting(core: &Core) -> Result<bool> {
    let numbers = raw::waiting_numbers(&core.db).await?;
    let known = applying::routes(&core.db, &numbers).await?;
    let numbers: Vec<String> = known.into_iter().map(|route| route.phone_number_id).collect();
    if numbers.is_empty() {
        return Ok(false);
    }
    let waiting = raw::waiting_for(&core.db, &numbers, 1_000).await?;
    let mut by_body: BTreeMap<Uuid, HashSet<u32>> = BTreeMap::new();
    for (body, place) in waiting {
        by_body.entry(body).or_default().insert(place);
    }
    let any = !by_body.is_empty();
    for (id, places) in by_body {
        let Some(body) = raw::find(&core.db, id).await? else { continue };
        let items: Vec<Item> =
            items_of(core, &body).unwrap_or_default().into_iter().filter(|item| places.contains(&item.index)).collect();
        let routes = routes(core, items.iter()).await?;
        let mut round = Round::default();
        for item in items {
            match self::place(core, &body, item, &routes) {
                Placed::Work(work) => round.work.entry(work.route.workspace).or_default().push(*work),
                Placed::Kept(place, kept) => round.keep(body.id, place, kept),
                Placed::Done => {}
            }
        }
        round.finish(core).await?;
        let kept: HashSet<u32> = round.kept.values().flatten().map(|(place, _)| *place).collect();
        let done: Vec<u32> = places.difference(&kept).copied().collect();
        transaction!(core.db, |txn| raw::release(&txn, id, &done))?;
    }
    if any {
        core.wake_waiting();
    }
    Ok(any)
}

/// Applies items of one workspace in one transaction, and deletes `bodies` in it.
async fn apply(core: &Core, workspace: WorkspaceId, batch: &[Work], bodies: &[Uuid]) -> Result<()> {
    let moved = transaction!(core.db, |txn| draft::apply(&txn, core, workspace, batch, bodies))?;
    if let Some(done) = moved {
        if done.settled {
            core.outbox_wake.notify_one();
        }
        core.pokes.moved(done.moved);
    }
    Ok(())
}

/// Forgets what is past its time.
///
/// # Errors
/// The database failed.
pub async fn expire(core: &Core) -> Result<()> {
    let now = core.now();
    transaction!(core.db, |txn| raw::expire(&txn, now - RAW_KEPT, now))
}
