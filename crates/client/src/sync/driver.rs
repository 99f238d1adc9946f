//! Carries out what the planner says: the only asynchronous part of sync.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parley_domain::entity::Key;
use parley_domain::limits::{PUSH_INTENTS, SLICE_ROWS};
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::change::{BackfillRequest, Poke, PullPage, PullRequest, SnapshotPage, SnapshotRequest};
use parley_domain::protocol::endpoint::{Backfill, Endpoint, Outcomes, Pull, Push, Snapshot};
use parley_domain::protocol::intent::{Command, Outcome, OutcomesRequest, PushRequest, Verdict};
use parley_domain::time::MINUTE;
use parley_domain::{Code, IntentId, Timestamp};
use tokio::sync::mpsc;

use super::machine::{Input, Machine, Output, Work};
use crate::Result;
use crate::contact;
use crate::egress::{Failure, next_poke};
use crate::live::{Live, lock};
use crate::store::apply::{self, Advance, Slice};
use crate::store::outbox::PendingState;
use crate::store::pool::Urgency;
use crate::store::session;
use crate::views::Event;

/// What others ask of the driver.
#[derive(Clone, PartialEq, Debug)]
pub enum Wish {
    /// A member made an edit.
    Edited,
    /// A member asked for sync.
    SyncNow,
    /// The local copy was emptied: a snapshot begins.
    Started,
    /// From the socket.
    Poked(u64),
    SocketUp,
    SocketDown,
    Revoked,
}

/// Why the driver ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Nobody needs it any more.
    Closed,
    /// The device was revoked: delete everything of this desk.
    Revoked,
}

/// The longest sleep, in milliseconds: a computer that slept meanwhile, or whose clock was set, is noticed soon.
const LONGEST_SLEEP: u64 = 10_000;

type Step = std::result::Result<Progress, Failure>;

/// What a piece of work led to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Progress {
    more: bool,
    remaining: u64,
    restarted: bool,
}

/// Runs until nobody asks any more or the device is revoked.
pub async fn run(live: Arc<Live>, mut wishes: mpsc::UnboundedReceiver<Wish>) -> End {
    let mut machine = Machine::new(live.clock.now());
    let Ok(facts) = live.facts().await else { return End::Closed };
    // Ends with this task, however it ends.
    let mut socket = tokio::task::JoinSet::new();
    let mut next = Some(Input::Start { facts });
    let mut wake_at = live.clock.now();
    let mut offered_at = live.clock.now();
    loop {
        let mut work = None;
        while let Some(input) = next.take() {
            let mut outputs = machine.step(input, live.clock.now());
            // Fold in what happened meanwhile before anything is started; work in hand is kept.
            while let Ok(wish) = wishes.try_recv() {
                outputs.extend(machine.step(input_of(&live, wish).await, live.clock.now()));
            }
            for output in outputs {
                match output {
                    Output::Do(piece) => work = Some(piece),
                    Output::WakeAt(at) => wake_at = at,
                    Output::OpenSocket => {
                        socket.shutdown().await;
                        socket.spawn(listen(live.clone()));
                    }
                    Output::LinkChanged => {
                        *lock(&live.link) = machine.link().clone();
                        live.events.send(Event::Connection);
                    }
                    Output::Wipe => return End::Revoked,
                }
            }
        }
        next = Some(match work {
            Some(work) => carry_out(&live, work).await,
            None => {
                let wait = u64::try_from(wake_at.since(live.clock.now())).unwrap_or(0).clamp(1, LONGEST_SLEEP);
                tokio::select! {
                    // What somebody wants goes before the clock.
                    biased;
                    wish = wishes.recv() => match wish {
                        Some(wish) => input_of(&live, wish).await,
                        None => return End::Closed,
                    },
                    () = tokio::time::sleep(Duration::from_millis(wait)) => tick(&live, &mut offered_at).await,
                }
            }
        });
    }
}

/// Time went by. Intents that were answered and whose outcome did not come are offered again, once a minute.
async fn tick(live: &Live, offered_at: &mut Timestamp) -> Input {
    let now = live.clock.now();
    if now.since(*offered_at) < MINUTE || lock(&live.answered).is_empty() {
        return Input::Tick;
    }
    *offered_at = now;
    lock(&live.answered).clear();
    input_of(live, Wish::Edited).await
}

async fn input_of(live: &Live, wish: Wish) -> Input {
    match wish {
        Wish::Edited => match live.facts().await {
            Ok(facts) => Input::Edited { facts },
            Err(_) => Input::SyncNow,
        },
        Wish::SyncNow => {
            lock(&live.answered).clear();
            Input::SyncNow
        }
        Wish::Started => match live.facts().await {
            Ok(facts) => Input::Emptied { facts },
            Err(_) => Input::SyncNow,
        },
        Wish::Poked(seq) => Input::Poked { seq },
        Wish::SocketUp => Input::SocketUp,
        Wish::SocketDown => Input::SocketDown,
        Wish::Revoked => Input::Revoked,
    }
}

/// Listens for pokes until the socket closes.
async fn listen(live: Arc<Live>) {
    let opened = match live.auth.token(&live.egress).await {
        Ok((token, _)) => live.egress.open_socket(&token).await,
        Err(failure) => Err(failure),
    };
    if let Ok(mut socket) = opened {
        live.wish(Wish::SocketUp);
        while let Some(poke) = next_poke(&mut socket).await {
            match poke {
                Poke::Changed { seq } => live.wish(Wish::Poked(seq)),
                Poke::Revoked => live.wish(Wish::Revoked),
            }
        }
    }
    live.wish(Wish::SocketDown);
}

async fn carry_out(live: &Live, work: Work) -> Input {
    let result = match work {
        Work::Authenticate => authenticate(live).await,
        Work::Contact => met(live).await,
        Work::Outcomes => outcomes(live).await,
        Work::Push => push(live).await,
        Work::Pull => pull(live).await,
        Work::Snapshot => snapshot(live).await,
        Work::Backfill => backfill(live).await,
        Work::Clean => clean(live).await,
        Work::Sweep => sweep(live).await,
        Work::Retain => match contact::retain(live).await {
            Ok(more) => Ok(Progress { more, ..Progress::default() }),
            Err(error) => Err(error.into()),
        },
    };
    let facts = live.facts().await.map_err(Failure::from);
    match (result, facts) {
        (Ok(progress), Ok(facts)) if progress.restarted => Input::Restarted { facts },
        (Ok(progress), Ok(facts)) => Input::Done { facts, more: progress.more, remaining: progress.remaining },
        (Err(failure), _) | (_, Err(failure)) => {
            tracing::debug!(?work, code = failure.code.as_str(), "sync step failed");
            // The next contact begins with the server letting this desk in: nothing is offered into the void.
            live.auth.forget().await;
            // After a failure nobody knows what arrived: everything is offered again.
            lock(&live.answered).clear();
            let mut dice = [0u8; 8];
            live.randomness.fill(&mut dice);
            Input::Failed { code: failure.code, retry_after: failure.retry_after, dice: u64::from_le_bytes(dice) }
        }
    }
}

async fn call<E: Endpoint>(live: &Live, request: &E::Request) -> std::result::Result<E::Response, Failure> {
    let (token, renewed) = live.auth.token(&live.egress).await?;
    if let Some(session) = renewed {
        live.renew(&session).await?;
    }
    live.egress.call::<E>(Some(&token), request).await
}

async fn authenticate(live: &Live) -> Step {
    let (_, renewed) = live.auth.token(&live.egress).await?;
    if let Some(session) = renewed {
        live.renew(&session).await?;
    }
    Ok(Progress::default())
}

/// A contact. What is erased or taken away by it is gone before anything is offered.
async fn met(live: &Live) -> Step {
    let more = contact::contact(live).await?;
    Ok(Progress { more, ..Progress::default() })
}

/// Offers a batch. Each intent is marked as offered, durably, before the first byte of it leaves.
async fn push(live: &Live) -> Step {
    let (batch, fresh) = {
        let _edits = live.edits.lock().await;
        let pending = live.pending();
        let batch = live.offerable(&pending, PUSH_INTENTS);
        let mut marked = pending.as_ref().clone();
        let mut fresh = BTreeSet::new();
        for item in marked.iter_mut().filter(|item| batch.iter().any(|offered| offered.intent.id == item.intent.id)) {
            if !item.offered {
                fresh.insert(item.intent.id);
            }
            item.offered = true;
        }
        live.replace_pending(marked).await?;
        (batch, fresh)
    };
    if batch.is_empty() {
        return Ok(Progress::default());
    }
    let position = live.stores.replica.read(session::position).await?;
    let request = PushRequest {
        cursor: position.cursor.or(position.snapshot_after),
        offered_before: batch.iter().filter(|item| item.before).map(|item| item.intent.id).collect(),
        intents: batch.into_iter().map(|item| item.intent).collect(),
    };
    let answer = match call::<Push>(live, &request).await {
        Ok(answer) => answer,
        Err(failure) if failure.resync.is_some() => {
            // The server looked at nothing: what was offered for the first time still is new to it.
            take_back(live, &fresh).await?;
            return restart(live, failure).await;
        }
        Err(failure) => {
            if planted(Bug::NewIdOnRetry) {
                mint_again(live, &request).await?;
            }
            return Err(failure);
        }
    };
    if planted(Bug::OverlayDroppedEarly) {
        drop_answered(live, &answer).await?;
    }
    let mut answered = lock(&live.answered);
    for intent in &request.intents {
        // An intent without an answer was not looked at. One that is blocked waits for outcomes.
        if answer.answers.iter().any(|answer| answer.id == intent.id) {
            answered.insert(intent.id);
        }
    }
    Ok(Progress::default())
}

/// The defect [`Bug::NewIdOnRetry`].
async fn mint_again(live: &Live, request: &PushRequest) -> Result<()> {
    let _edits = live.edits.lock().await;
    let mut items = live.pending().as_ref().clone();
    let fresh = || parley_domain::time::new_uuid(live.clock.as_ref(), live.randomness.as_ref());
    for item in items.iter_mut().filter(|item| request.intents.iter().any(|sent| sent.id == item.intent.id)) {
        if let Command::SendMessage { message, .. } | Command::AddNote { message, .. } = &mut item.intent.command {
            *message = parley_domain::MessageId(fresh());
            item.intent.after.clear();
        }
        item.intent.id = IntentId(fresh());
    }
    live.replace_pending(items).await?;
    live.redraw().await
}

/// The defect [`Bug::OverlayDroppedEarly`].
async fn drop_answered(live: &Live, answer: &parley_domain::protocol::intent::PushAnswer) -> Result<()> {
    let _edits = live.edits.lock().await;
    let applied = |id| answer.answers.iter().any(|one| one.id == id && one.result == Verdict::Applied);
    let left = live.pending().iter().filter(|item| !applied(item.intent.id)).cloned().collect();
    live.replace_pending(left).await?;
    live.redraw().await
}

/// Unmarks intents that no server has taken anything of.
async fn take_back(live: &Live, fresh: &BTreeSet<IntentId>) -> Result<()> {
    let _edits = live.edits.lock().await;
    let mut unmarked = live.pending().as_ref().clone();
    for item in unmarked.iter_mut().filter(|item| fresh.contains(&item.intent.id)) {
        item.offered = false;
    }
    live.replace_pending(unmarked).await
}

/// Asks for outcomes by id. An intent that the server does not know was never accepted: it is offered again, or refused when
/// its root is gone.
async fn outcomes(live: &Live) -> Step {
    let ids: Vec<IntentId> = live
        .pending()
        .iter()
        .filter(|item| item.ask && item.state == PendingState::Queued)
        .map(|item| item.intent.id)
        .take(PUSH_INTENTS)
        .collect();
    let answer = call::<Outcomes>(live, &OutcomesRequest { ids: ids.clone() }).await?;
    let pending = live.pending();
    let orphans = live.stores.replica.read(move |c| apply::orphans(c, &pending)).await?;
    let known = |id: &IntentId| answer.outcomes.iter().find(|outcome| outcome.id == *id).cloned();
    let again: BTreeSet<IntentId> =
        ids.iter().copied().filter(|id| known(id).is_none() && !orphans.contains(id)).collect();
    let refused = Verdict::Refused { code: Code::OutOfScope };
    let found: Vec<Outcome> = ids
        .into_iter()
        .filter(|id| !again.contains(id))
        .map(|id| known(&id).unwrap_or(Outcome { id, verdict: refused, at_seq: 0 }))
        .collect();
    live.offer_again(&again).await?;
    let slice = Slice {
        rows: Vec::new(),
        enter: Vec::new(),
        gone: Vec::new(),
        outcomes: found,
        advance: Advance::Stay,
        live: true,
    };
    live.store_slice(slice).await?;
    Ok(Progress::default())
}

async fn pull(live: &Live) -> Step {
    let position = live.stores.replica.read(session::position).await?;
    let Some(cursor) = position.cursor else { return Ok(Progress::default()) };
    let page = match call::<Pull>(live, &PullRequest { cursor }).await {
        Ok(page) => page,
        Err(failure) => return restart(live, failure).await,
    };
    if page.upto < position.upto {
        // Read below what is stored already, by a server that lags behind: no news.
        return Ok(Progress::default());
    }
    let more = page.more;
    // Outcomes free the blocked: they are offered again.
    if !page.outcomes.is_empty() {
        lock(&live.answered).clear();
    }
    let mut arrivals = Vec::new();
    // An erased person must be out of the log and the free pages too, not only out of the tables.
    let deletes = page.rows.iter().any(|row| row.entity.is_none());
    for slice in slices(page) {
        arrivals.extend(live.store_slice(slice).await?);
    }
    if deletes {
        live.stores.scrub().await?;
    }
    live.notify(arrivals).await?;
    Ok(Progress { more, ..Progress::default() })
}

/// Cuts a page at its marks, so that a slice and its cursor are one transaction. A page with outcomes keeps its old cursor
/// until its last slice: outcomes, their rows and the cursor are one transaction, and the rest may come twice.
fn slices(page: PullPage) -> Vec<Slice> {
    let PullPage { rows, enter, gone, outcomes, upto, cursor, marks, .. } = page;
    let total = rows.len();
    let mut cuts: Vec<(usize, Advance)> = if outcomes.is_empty() {
        let mark = |cursor| Advance::Cursor { cursor, upto: 0 };
        marks
            .into_iter()
            .filter(|mark| mark.index > 0 && mark.index < total)
            .map(|found| (found.index, mark(found.cursor)))
            .collect()
    } else {
        (1..total.div_ceil(SLICE_ROWS)).map(|n| (n * SLICE_ROWS, Advance::Stay)).collect()
    };
    cuts.push((total, Advance::Cursor { cursor, upto }));
    let mut rows = rows.into_iter();
    let (mut enter, mut gone, mut outcomes) = (Some(enter), Some(gone), Some(outcomes));
    let (mut from, last) = (0, cuts.len() - 1);
    let mut slices = Vec::with_capacity(cuts.len());
    for (place, (to, advance)) in cuts.into_iter().enumerate() {
        slices.push(Slice {
            rows: rows.by_ref().take(to - from).collect(),
            enter: enter.take().unwrap_or_default(),
            gone: gone.take().unwrap_or_default(),
            outcomes: if place == last { outcomes.take().unwrap_or_default() } else { Vec::new() },
            advance,
            live: true,
        });
        from = to;
    }
    slices
}

async fn snapshot(live: &Live) -> Step {
    let position = live.stores.replica.read(session::position).await?;
    match call::<Snapshot>(live, &SnapshotRequest { after: position.snapshot_after }).await {
        Ok(page) => {
            let (more, remaining) = (page.after.is_some(), page.remaining);
            let advance = match &page.after {
                Some(after) => Advance::Snapshot { after: after.clone() },
                None => Advance::SnapshotDone { cursor: page.cursor.clone() },
            };
            store_page(live, page, advance).await?;
            Ok(Progress { more, remaining, ..Progress::default() })
        }
        Err(failure) => restart(live, failure).await,
    }
}

async fn backfill(live: &Live) -> Step {
    let position = live.stores.replica.read(session::position).await?;
    let Some((root, after)) = position.backfill.into_iter().next() else { return Ok(Progress::default()) };
    match call::<Backfill>(live, &BackfillRequest { root, after }).await {
        Ok(page) => {
            let advance = Advance::Backfill { root, after: page.after.clone() };
            store_page(live, page, advance).await?;
            Ok(Progress::default())
        }
        // The root went out of sight again: a pull says so.
        Err(failure) if matches!(failure.code, Code::NotFound | Code::OutOfScope | Code::Forbidden) => {
            drop_backfill(live, root).await?;
            Ok(Progress::default())
        }
        Err(failure) => restart(live, failure).await,
    }
}

async fn drop_backfill(live: &Live, root: Key) -> Result<()> {
    let slice = Slice {
        rows: Vec::new(),
        enter: Vec::new(),
        gone: Vec::new(),
        outcomes: Vec::new(),
        advance: Advance::Backfill { root, after: None },
        live: false,
    };
    live.store_slice(slice).await.map(|_| ())
}

/// Stores a page of a snapshot or backfill in slices; the place goes forward with the last one.
async fn store_page(live: &Live, page: SnapshotPage, advance: Advance) -> Result<()> {
    let mut rows = page.rows.into_iter();
    loop {
        let part: Vec<_> = rows.by_ref().take(SLICE_ROWS).collect();
        let last = rows.len() == 0;
        let slice = Slice {
            rows: part,
            enter: Vec::new(),
            gone: Vec::new(),
            outcomes: Vec::new(),
            advance: if last { advance.clone() } else { Advance::Stay },
            live: false,
        };
        live.store_slice(slice).await?;
        if last {
            return Ok(());
        }
    }
}

async fn restart(live: &Live, failure: Failure) -> Step {
    let Some(resync) = failure.resync else { return Err(failure) };
    tracing::info!(reason = ?resync.reason, "the server asks for a new snapshot");
    live.resync(resync.reason, resync.allowed).await?;
    Ok(Progress { restarted: true, ..Progress::default() })
}

async fn clean(live: &Live) -> Step {
    let more = live.stores.replica.write(Urgency::Background, |tx| apply::clean(tx)).await?;
    if !live.stores.replica.read(session::position).await?.gone {
        live.stores.scrub().await?;
    }
    Ok(Progress { more, ..Progress::default() })
}

async fn sweep(live: &Live) -> Step {
    let (pending, signed_in) = (live.pending(), live.signed_in());
    let (done, touched) =
        live.stores.replica.write(Urgency::Background, move |tx| apply::sweep(tx, &pending, &signed_in)).await?;
    live.tell(touched, true);
    if done {
        live.refuse_orphans().await?;
        live.stores.scrub().await?;
        live.stores.forget_damaged()?;
    }
    Ok(Progress { more: !done, ..Progress::default() })
}
