//! Sending: takes messages from their lanes, hands each to Meta once, and records what became of it.
//!
//! Promise: a message is `sending` in a committed row before the first byte goes out, so a crash leaves evidence that it may
//! have gone. Such a row, and every call without a clear answer, is *unknown*: it is never sent again by itself. It holds its
//! lane for [`UNKNOWN_HOLDS_LANE`], then is shown as unconfirmed; a status that names it settles it at any time.

mod result;
mod send;

use std::sync::Arc;
use std::time::Duration;

use parley_domain::limits::{SEND_LEASE, UNKNOWN_HOLDS_LANE};
use parley_domain::planted::{Bug, planted};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::app::Core;
use crate::db::outbox::{self, Entry};
use crate::db::transaction;
use crate::error::Result;

pub use result::Sent;
pub(crate) use result::unconfirmed_after_restore;

/// How long the loop rests when nobody wakes it: leases and waiting times are looked at this often.
const REST: Duration = Duration::from_millis(250);

/// Sends until the server stops; then waits for what is in hand.
pub async fn run(core: Arc<Core>) {
    let slots = Arc::new(Semaphore::new(core.config.senders.max(1)));
    let mut in_hand = JoinSet::new();
    if let Err(error) = give_up(&core, true).await {
        tracing::error!(%error, "the outbox could not be read at start");
    }
    while !core.stopping() {
        while in_hand.try_join_next().is_some() {}
        match step(&core, &slots, &mut in_hand).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the outbox failed; it is tried again"),
        }
        let _ = tokio::time::timeout(REST, core.outbox_wake.notified()).await;
    }
    while in_hand.join_next().await.is_some() {}
}

async fn step(core: &Arc<Core>, slots: &Arc<Semaphore>, in_hand: &mut JoinSet<()>) -> Result<bool> {
    let claimed = take_in_hand(core, slots.available_permits() as u64).await?;
    let any = !claimed.is_empty();
    for entry in claimed {
        let Ok(slot) = slots.clone().acquire_owned().await else { return Ok(false) };
        let core = core.clone();
        in_hand.spawn(async move {
            let _slot = slot;
            send_one(&core, &entry).await;
            core.outbox_wake.notify_one();
        });
    }
    Ok(any)
}

/// Looks at leases and waiting times, then takes in hand what may be sent now, `room` at most.
pub(crate) async fn take_in_hand(core: &Core, room: u64) -> Result<Vec<Entry>> {
    give_up(core, false).await?;
    show_unconfirmed(core).await?;
    if room == 0 {
        return Ok(Vec::new());
    }
    let ready = outbox::ready(core.db.reader(), core.now(), room).await?;
    claim(core, ready).await
}

/// Sends a message that is in hand and records what became of it.
pub(crate) async fn send_one(core: &Core, entry: &Entry) {
    let sent = send::send(core, entry).await;
    result::record(core, entry, sent).await;
}

/// Takes messages in hand, all in one commit.
async fn claim(core: &Core, ready: Vec<Entry>) -> Result<Vec<Entry>> {
    if ready.is_empty() {
        return Ok(ready);
    }
    transaction!(core.db, |txn| claim_in(&txn, core, &ready))
}

async fn claim_in(txn: &crate::db::Txn, core: &Core, ready: &[Entry]) -> Result<Vec<Entry>> {
    let now = core.now();
    let lease_until = now + SEND_LEASE;
    let mut claimed = Vec::with_capacity(ready.len());
    for entry in ready {
        if outbox::claim(txn, entry.workspace, entry.message, &core.node, lease_until, now).await? {
            claimed.push(Entry {
                node: Some(core.node.clone()),
                lease_until: Some(lease_until),
                started_at: Some(now),
                attempt: entry.attempt + 1,
                ..entry.clone()
            });
        }
    }
    Ok(claimed)
}

/// Rows in hand that nobody will finish become unknown: nobody can tell how far they came.
pub(crate) async fn give_up(core: &Core, at_start: bool) -> Result<()> {
    let reborn = at_start.then_some(core.node.as_str());
    let lost = outbox::lost(core.db.reader(), core.now(), reborn).await?;
    for entry in lost {
        tracing::warn!(message = %entry.message, "a message was in hand when its sender went away");
        if planted(Bug::CrashResends) {
            transaction!(core.db, |txn| outbox::requeue(&txn, entry.workspace, entry.message, core.now()))?;
            continue;
        }
        let settle_by = core.now() + UNKNOWN_HOLDS_LANE;
        transaction!(core.db, |txn| outbox::unknown(&txn, entry.workspace, entry.message, settle_by))?;
    }
    Ok(())
}

async fn show_unconfirmed(core: &Core) -> Result<()> {
    for entry in outbox::unsettled(core.db.reader(), core.now()).await? {
        result::unconfirmed(core, &entry).await?;
    }
    Ok(())
}
