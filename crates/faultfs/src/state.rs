//! What is watched, what was recorded, and what is to fail.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::layer;

/// One thing that reached a file. Files are named relative to the watched folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    Create {
        file: String,
    },
    Write {
        file: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        size: u64,
    },
    /// Everything of this file so far is on the platter, its name too.
    Sync {
        file: String,
    },
    /// `synced` when the folder was synced with it.
    Delete {
        file: String,
        synced: bool,
    },
    /// The test said so: what it was told was committed.
    Mark(u64),
}

/// What goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No space is left: writes fail, syncs work.
    Full,
    /// The device fails: writes and syncs fail.
    Device,
    /// The file system became read-only.
    ReadOnly,
}

/// Writes (creations, truncations, syncs, deletions too) fail from number `from` on, counted from when the plan was made,
/// until it is taken back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    pub from: u64,
    pub fault: Fault,
}

#[derive(Default)]
struct State {
    folder: Option<String>,
    recording: bool,
    ops: Vec<Op>,
    plan: Option<Plan>,
    count: u64,
    failed: u64,
}

static STATE: Mutex<State> =
    Mutex::new(State { folder: None, recording: false, ops: Vec::new(), plan: None, count: 0, failed: 0 });
/// One test at a time in a process.
static TURN: Mutex<()> = Mutex::new(());

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A watched folder; dropping it ends the watch.
pub struct Watch {
    _turn: MutexGuard<'static, ()>,
}

/// Watches the files of a folder. Connections must be opened after this call.
pub fn watch(folder: &Path) -> Watch {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    layer::install();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    *state() = State { folder: Some(format!("{}/", folder.display())), ..State::default() };
    Watch { _turn: turn }
}

impl Watch {
    /// From now on operations are kept.
    pub fn record(&self) {
        let mut state = state();
        state.recording = true;
        state.ops.clear();
    }

    /// Puts a mark behind what reached the files so far.
    pub fn mark(&self, number: u64) {
        mark(number);
    }

    /// What was recorded; recording ends.
    pub fn taken(&self) -> Vec<Op> {
        let mut state = state();
        state.recording = false;
        std::mem::take(&mut state.ops)
    }

    /// From now on this goes wrong; `None`: everything works again. The count begins anew.
    pub fn fail(&self, plan: Option<Plan>) {
        let mut state = state();
        (state.plan, state.count, state.failed) = (plan, 0, 0);
    }

    /// Writes since the last [`Watch::fail`].
    pub fn writes(&self) -> u64 {
        state().count
    }

    /// Writes that were made to fail since the last [`Watch::fail`].
    pub fn failed(&self) -> u64 {
        state().failed
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        *state() = State::default();
    }
}

fn mark(number: u64) {
    let mut state = state();
    if state.recording {
        state.ops.push(Op::Mark(number));
    }
}

/// The name within the watched folder, or `None` for a file elsewhere.
pub(crate) fn within(path: &str) -> Option<String> {
    state().folder.as_deref().and_then(|folder| path.strip_prefix(folder)).map(str::to_owned)
}

/// Counts a write, and says whether and how it fails.
pub(crate) fn verdict(is_sync: bool) -> Option<Fault> {
    let mut state = state();
    state.count += 1;
    let plan = state.plan?;
    if state.count < plan.from || (is_sync && plan.fault == Fault::Full) {
        return None;
    }
    state.failed += 1;
    Some(plan.fault)
}

/// Whether writes fail at this moment, without counting one.
pub(crate) fn failing() -> bool {
    let state = state();
    state.plan.is_some_and(|plan| state.count >= plan.from)
}

/// Keeps what reached a file.
pub(crate) fn keep(op: Op) {
    let mut state = state();
    if state.recording {
        state.ops.push(op);
    }
}
