//! The simulation: the real engine, the real server's logic, the simulator's rules and a faulty network in one process, with
//! time and faults decided by a seed (docs/TESTING.md, docs/adr/0007-simulation.md).
//!
//! Promise: two runs of a plan give the same log; a run that violates an invariant can be written down, cut down and replayed.

pub mod acts;
pub mod history;
pub mod network;
pub mod plan;
pub mod rest;
pub mod shrink;
pub mod start;
pub mod tally;
pub mod world;

use std::future::Future;

use history::Violation;
use plan::{FAULTS, INBOUND, INTENTS, Plan};
use tally::Tally;
use world::World;

use crate::Fallible;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Report {
    pub seed: u64,
    /// SHA-256 of the log.
    pub hash: String,
    /// Lines of the log.
    pub lines: u64,
    pub tally: Tally,
    /// What was violated; the run ended there.
    pub violations: Vec<Violation>,
    /// The programs failed in a way that no plan may bring about.
    pub failure: Option<String>,
    /// The plan was carried out to its end.
    pub whole: bool,
}

impl Report {
    /// What speaks against the run; a whole run that had too little in it counts.
    pub fn wrong(&self) -> Option<String> {
        if let Some(failure) = &self.failure {
            return Some(failure.clone());
        }
        if let Some(first) = self.violations.first() {
            return Some(format!("{}: {}", first.invariant, first.text));
        }
        None
    }

    /// Whether the run had all that a seed must have.
    pub fn is_full(&self) -> bool {
        let tally = &self.tally;
        tally.inbound >= INBOUND as u64 && tally.intents >= INTENTS as u64 && tally.all_faults() >= FAULTS as u64
    }
}

/// A runtime of one thread whose clock stands until everything waits.
pub fn runtime() -> tokio::runtime::Runtime {
    #[expect(clippy::expect_used, reason = "without a runtime there is no run")]
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}

/// Does something while the clock stands: for what waits on threads that the clock knows nothing of.
pub async fn frozen<T>(work: impl Future<Output = T>) -> T {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    // A paused clock does not go on while a blocking task runs.
    let guard = tokio::task::spawn_blocking(move || {
        let _ = wait.recv();
    });
    let done = work.await;
    drop(release);
    let _ = guard.await;
    done
}

/// Carries a plan out.
pub fn run(plan: Plan, echo: bool) -> Report {
    let seed = plan.seed;
    let runtime = runtime();
    // A task of its own takes its turn among the desks' tasks.
    let task = runtime.spawn(async move {
        match World::new(plan, echo).await {
            Ok(world) => play(world).await,
            Err(failure) => Report {
                seed,
                hash: String::new(),
                lines: 0,
                tally: Tally::default(),
                violations: Vec::new(),
                failure: Some(failure.to_string()),
                whole: false,
            },
        }
    });
    let report = runtime.block_on(task).unwrap_or_else(|error| Report {
        seed,
        hash: String::new(),
        lines: 0,
        tally: Tally::default(),
        violations: Vec::new(),
        failure: Some(format!("the run panicked: {error}")),
        whole: false,
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    report
}

async fn play(mut world: World) -> Report {
    let outcome = steps(&mut world).await;
    let (hash, lines) = world.digest();
    let whole = matches!(outcome, Ok(true));
    let report = Report {
        seed: world.plan.seed,
        hash,
        lines,
        tally: world.history.tally.clone(),
        violations: world.history.violations.clone(),
        failure: outcome.err().map(|failure| failure.to_string()),
        whole,
    };
    world.close().await;
    report
}

async fn steps(world: &mut World) -> Fallible<bool> {
    for step in world.plan.steps.clone() {
        world.pump(step.at).await?;
        if !world.history.violations.is_empty() {
            return Ok(false);
        }
        world.step(step.op).await?;
    }
    if world.history.violations.is_empty() {
        world.rest(true).await?;
    }
    Ok(world.history.violations.is_empty())
}
