//! Work to be done later, or again and again: a table of jobs and one runner.
//!
//! Promise: a job that was committed is run until it succeeds or is dead; it may be run twice when a node goes away, so what it
//! does is idempotent. One node has it at a time, for [`LEASE`]; priorities go first, and among equals no workspace waits behind
//! another's many (docs/adr/0004-jobs.md). Dead jobs stay, are listed and can be replayed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parley_domain::limits::TOMBSTONE_KEPT;
use parley_domain::time::{HOUR, MINUTE, SECOND};
use parley_domain::{Timestamp, WorkspaceId};

use crate::app::{Core, forget_access, until};
use crate::db::jobs::{self, JobRow, State};
use crate::db::{sequence, transaction};
use crate::error::{Error, Result};
use crate::{apply, audit};

/// How long a node may have a job.
pub const LEASE: i64 = 10 * MINUTE;
/// Tries before a job is dead. One that recurs never is.
pub const TRIES: u64 = 8;
/// Jobs taken in hand in one round.
const ROUND: usize = 16;
/// How often the table is looked at.
const REST: Duration = Duration::from_secs(1);

/// Comes before everything else.
pub const HIGH: u8 = 0;
/// The usual.
pub const NORMAL: u8 = 5;
/// Sweeps.
pub const LOW: u8 = 9;

/// A job to be done.
#[derive(Clone, Debug)]
pub struct Job {
    /// The idempotency key: a job of that name that is there already stays as it is.
    pub name: String,
    /// What is to be done; [`carry_out`] knows the kinds.
    pub kind: &'static str,
    pub workspace: Option<WorkspaceId>,
    pub priority: u8,
    pub run_at: Timestamp,
    /// For jobs that recur: milliseconds between the end of one run and the next.
    pub every: Option<i64>,
    pub body: String,
}

/// The server's own sweeps.
fn sweeps(now: Timestamp) -> [Job; 4] {
    let sweep = |kind: &'static str, every| Job {
        name: format!("sweep/{kind}"),
        kind,
        workspace: None,
        priority: LOW,
        run_at: now,
        every: Some(every),
        body: String::new(),
    };
    [sweep("expire", HOUR), sweep("access", HOUR), sweep("tombstones", HOUR), sweep("audit_checkpoints", 10 * SECOND)]
}

/// Plans the server's own sweeps, where they are not planned yet.
///
/// # Errors
/// The database failed.
pub async fn plan(core: &Core) -> Result<()> {
    for job in sweeps(core.now()) {
        jobs::enqueue(core.db.writer(), &job).await?;
    }
    Ok(())
}

/// Runs jobs until the server stops.
pub async fn run(core: Arc<Core>) {
    let mut stop = core.until_stopping();
    if let Err(error) = plan(&core).await {
        tracing::error!(%error, "the sweeps could not be planned");
    }
    while !core.stopping() {
        match step(&core).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(%error, "jobs could not be read; it is tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = until(&mut stop) => return,
        }
    }
}

/// Runs one round; how many jobs it had.
///
/// # Errors
/// The database failed.
pub async fn step(core: &Core) -> Result<usize> {
    let due = fair(jobs::due(core.db.reader(), core.now()).await?, ROUND);
    let mut count = 0;
    for job in due {
        if core.stopping() {
            break;
        }
        let now = core.now();
        if !jobs::claim(core.db.writer(), &job, &core.node, now + LEASE).await? {
            continue;
        }
        count += 1;
        let outcome = carry_out(core, &job).await;
        finish(core, &job, outcome).await?;
    }
    Ok(count)
}

/// By priority; among equals each workspace in its turn, then by time.
fn fair(mut due: Vec<JobRow>, most: usize) -> Vec<JobRow> {
    due.sort_by_key(|job| (job.priority, job.run_at, job.name.clone()));
    let mut turns: BTreeMap<(u8, Option<WorkspaceId>), u64> = BTreeMap::new();
    let mut placed: Vec<(u8, u64, JobRow)> = due
        .into_iter()
        .map(|job| {
            let turn = turns.entry((job.priority, job.workspace)).or_default();
            *turn += 1;
            (job.priority, *turn, job)
        })
        .collect();
    placed.sort_by_key(|(priority, turn, job)| (*priority, *turn, job.run_at));
    placed.into_iter().map(|(_, _, job)| job).take(most).collect()
}

/// Does what the job says.
async fn carry_out(core: &Core, job: &JobRow) -> Result<()> {
    match job.kind.as_str() {
        "expire" => apply::expire(core).await,
        "access" => forget_access(core).await,
        "audit_checkpoints" => audit::checkpoint(core, false).await,
        "tombstones" => {
            let before = core.now() - TOMBSTONE_KEPT;
            transaction!(core.db, |txn| sequence::forget_tombstones(&txn, before))
        }
        _ => Err(Error::Damaged("job kind")),
    }
}

async fn finish(core: &Core, job: &JobRow, outcome: Result<()>) -> Result<()> {
    let (writer, now) = (core.db.writer(), core.now());
    match (outcome, job.every) {
        (Ok(()), None) => jobs::remove(writer, &job.name).await,
        (Ok(()), Some(every)) => jobs::put_back(writer, &job.name, State::Queued, now + every, 0, None).await,
        (Err(error), every) => {
            let tries = job.attempts + 1;
            let reason: &'static str = error.code().as_str();
            tracing::warn!(%error, kind = job.kind, tries, "a job failed");
            let state = if tries >= TRIES && every.is_none() { State::Dead } else { State::Queued };
            let pause = SECOND.saturating_mul(1 << tries.min(12)).min(HOUR);
            jobs::put_back(writer, &job.name, state, now + pause, tries, Some(reason)).await
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use parley_domain::Clock;
    use parley_domain::time::{ManualClock, SeededRandomness};

    use super::*;
    use crate::system::SystemClock;
    use crate::{App, Config, Deps};

    fn job(name: &str, workspace: Option<u128>, priority: u8, at: i64) -> Job {
        Job {
            name: name.to_owned(),
            kind: "unknown",
            workspace: workspace.map(|n| WorkspaceId(uuid::Uuid::from_u128(n))),
            priority,
            run_at: Timestamp(at),
            every: None,
            body: String::new(),
        }
    }

    #[test]
    fn priorities_go_first_and_no_workspace_waits_behind_anothers_many() {
        let rows = |jobs: Vec<Job>| -> Vec<JobRow> { jobs.iter().map(JobRow::of).collect() };
        let mut jobs: Vec<Job> = (0..6).map(|n| job(&format!("big {n}"), Some(1), NORMAL, n)).collect();
        jobs.push(job("small", Some(2), NORMAL, 50));
        jobs.push(job("sweep", None, LOW, 0));
        jobs.push(job("urgent", Some(1), HIGH, 99));
        let order: Vec<String> = fair(rows(jobs), 4).into_iter().map(|job| job.name).collect();
        assert_eq!(order, ["urgent", "big 0", "small", "big 1"]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_failing_job_dies_is_seen_and_replayed_and_a_lost_one_is_taken_up() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(SystemClock.now()));
        let deps = Deps { clock: clock.clone(), randomness: Arc::new(SeededRandomness::new(6)) };
        let app = App::open(Config::new(dir.path()), deps).await.unwrap();
        let core = &app.core;
        let writer = core.db.writer();
        let new = job("broken", None, NORMAL, clock.now().0);
        jobs::enqueue(writer, &new).await.unwrap();
        jobs::enqueue(writer, &new).await.unwrap();
        for n in 1..=TRIES {
            assert_eq!(step(core).await.unwrap(), 1, "try {n}");
            assert_eq!(step(core).await.unwrap(), 0, "it waits");
            clock.advance(HOUR);
        }
        assert_eq!(step(core).await.unwrap(), 0, "dead");
        let dead = app.admin().dead_jobs().await.unwrap();
        assert_eq!(dead.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["broken"]);
        assert!(app.admin().replay_job("broken").await.unwrap());
        assert!(!app.admin().replay_job("broken").await.unwrap());
        assert_eq!(step(core).await.unwrap(), 1);
        // A node that goes away with a job in hand: another has it when the lease is over, and not before.
        jobs::enqueue(writer, &Job { kind: "expire", ..job("lost", None, NORMAL, clock.now().0) }).await.unwrap();
        let row =
            jobs::due(core.db.reader(), core.now()).await.unwrap().into_iter().find(|job| job.name == "lost").unwrap();
        assert!(jobs::claim(writer, &row, "gone", core.now() + LEASE).await.unwrap());
        assert!(!jobs::claim(writer, &row, "late", core.now() + LEASE).await.unwrap(), "one at a time");
        let lost = async || jobs::all(core.db.reader()).await.unwrap().into_iter().any(|job| job.name == "lost");
        step(core).await.unwrap();
        assert!(lost().await);
        clock.advance(LEASE);
        step(core).await.unwrap();
        assert!(!lost().await, "done by the second");
    }
}
