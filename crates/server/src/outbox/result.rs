//! What became of a send, each in its own short transaction.

use std::time::Duration;

use parley_domain::delivery::{DeliveryState, Failure};
use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::limits::UNKNOWN_HOLDS_LANE;
use parley_domain::message::Message;
use parley_domain::time::{MINUTE, SECOND};
use parley_domain::{Code, Wamid};

use super::send::message_of;
use crate::app::Core;
use crate::apply::status::Report;
use crate::db::outbox::{self, Entry};
use crate::db::rows::{self, Written};
use crate::db::sequence::{self, Moved};
use crate::db::{Txn, applying, transaction};
use crate::error::Result;

/// A message that Meta did not take after so many tries has failed.
const ATTEMPTS: u64 = 12;

/// What became of a send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    /// Meta took it.
    Accepted { wamid: Wamid, held: bool },
    /// Meta, or the gate, refused it for good.
    Rejected { code: Code, meta_code: Option<i64> },
    /// It certainly did not reach Meta; it may go again, `after` so many milliseconds.
    NotSent { after: Option<i64>, code: Code },
    /// Nobody knows.
    Unknown,
    /// The lease was over before the call: somebody else decides.
    LeaseOver,
}

/// Records a result; the database is asked again until it takes it or the server stops, because the result is the only
/// evidence at hand. If it is lost after all, the row is found in hand and becomes unknown.
pub(super) async fn record(core: &Core, entry: &Entry, sent: Sent) {
    core.metrics.sent(match &sent {
        Sent::Accepted { .. } => "accepted",
        Sent::Rejected { .. } => "rejected",
        Sent::NotSent { .. } => "not_sent",
        Sent::Unknown => "unknown",
        Sent::LeaseOver => "lease_over",
    });
    let mut pause = Duration::from_millis(50);
    loop {
        match try_record(core, entry, &sent).await {
            Ok(()) => return,
            Err(error) => tracing::error!(%error, message = %entry.message, "a result could not be recorded"),
        }
        if core.stopping() {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

async fn try_record(core: &Core, entry: &Entry, sent: &Sent) -> Result<()> {
    let moved = match sent {
        Sent::Accepted { wamid, held } => transaction!(core.db, |txn| accepted(&txn, core, entry, wamid, *held))?,
        Sent::Rejected { code, meta_code } => {
            let failure = Failure { code: *code, meta_code: *meta_code, at: core.now() };
            transaction!(core.db, |txn| failed(&txn, core, entry, &failure))?
        }
        Sent::NotSent { code, .. } if entry.attempt >= ATTEMPTS => {
            let failure = Failure { code: *code, meta_code: None, at: core.now() };
            transaction!(core.db, |txn| failed(&txn, core, entry, &failure))?
        }
        Sent::NotSent { after, .. } => {
            let not_before = core.now() + backoff(core, entry.attempt).max(after.unwrap_or(0));
            transaction!(core.db, |txn| outbox::requeue(&txn, entry.workspace, entry.message, not_before))?;
            None
        }
        Sent::Unknown => {
            let settle_by = core.now() + UNKNOWN_HOLDS_LANE;
            transaction!(core.db, |txn| outbox::unknown(&txn, entry.workspace, entry.message, settle_by))?;
            None
        }
        Sent::LeaseOver => None,
    };
    if let Some(moved) = moved {
        core.pokes.moved(moved);
    }
    Ok(())
}

/// An unknown message whose time is over is shown as unconfirmed; its lane goes on. Evidence may still move it.
pub(super) async fn unconfirmed(core: &Core, entry: &Entry) -> Result<()> {
    let moved = transaction!(core.db, |txn| unconfirmed_in(&txn, core, entry))?;
    if let Some(moved) = moved {
        core.pokes.moved(moved);
    }
    Ok(())
}

async fn unconfirmed_in(txn: &Txn, core: &Core, entry: &Entry) -> Result<Option<Moved>> {
    let now = core.now();
    let still = outbox::find(txn, entry.workspace, entry.message).await?;
    if still.is_none_or(|row| row.settle_by.is_none_or(|by| by > now)) {
        return Ok(None);
    }
    settle(txn, core, entry, |message| {
        message.delivery.as_mut().is_some_and(|delivery| delivery.observe(DeliveryState::Unconfirmed, now))
    })
    .await
}

/// What was on its way when a backup was made may have been sent since: it is unconfirmed, and leaves the outbox.
pub(crate) async fn unconfirmed_after_restore(txn: &Txn, core: &Core, entry: &Entry) -> Result<Option<Moved>> {
    let now = core.now();
    settle(txn, core, entry, |message| {
        message.delivery.as_mut().is_some_and(|delivery| delivery.observe(DeliveryState::Unconfirmed, now))
    })
    .await
}

async fn accepted(txn: &Txn, core: &Core, entry: &Entry, wamid: &Wamid, held: bool) -> Result<Option<Moved>> {
    let now = core.now();
    rows::bind_wamid(txn, entry.workspace, entry.message, wamid).await?;
    // Statuses may come before the answer to the call (meta-platform.md §4.2).
    let early = applying::unpark(txn, entry.workspace, entry.inbox, wamid).await?;
    let reports: Vec<Report> = early.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
    let state = if held { DeliveryState::Held } else { DeliveryState::Accepted };
    settle(txn, core, entry, |message| {
        message.delivery.as_mut().is_some_and(|delivery| {
            let mut changed = delivery.observe(state, now);
            for report in &reports {
                changed |= report.apply(delivery);
            }
            changed
        })
    })
    .await
}

async fn failed(txn: &Txn, core: &Core, entry: &Entry, failure: &Failure) -> Result<Option<Moved>> {
    settle(txn, core, entry, |message| message.delivery.as_mut().is_some_and(|delivery| delivery.fail(failure.clone())))
        .await
}

/// Changes the message under lock and takes it out of the outbox.
async fn settle(
    txn: &Txn,
    core: &Core,
    entry: &Entry,
    change: impl FnOnce(&mut Message) -> bool,
) -> Result<Option<Moved>> {
    let key = Key::new(Kind::Message, entry.message);
    let stored = rows::load(txn, entry.workspace, [key], true).await?.into_iter().next();
    let mut moved = None;
    if let Some(mut message) = stored.and_then(|stored| message_of(stored.entity))
        && change(&mut message)
    {
        let mut block = sequence::take(txn, entry.workspace, 1, 0).await?;
        let written = vec![Written::changed(Entity::Message(message), Some(entry.inbox))];
        moved = Some(sequence::write(txn, entry.workspace, &mut block, written, core.now()).await?);
    }
    outbox::remove(txn, entry.workspace, entry.message).await?;
    Ok(moved)
}

/// Waiting time before the next try: doubles from one second to five minutes, with up to half of it at random.
fn backoff(core: &Core, attempt: u64) -> i64 {
    let full = SECOND.saturating_mul(1 << attempt.saturating_sub(1).min(9)).min(5 * MINUTE);
    let mut bytes = [0u8; 4];
    core.randomness.fill(&mut bytes);
    full / 2 + i64::from(u32::from_le_bytes(bytes)) % (full / 2 + 1)
}
