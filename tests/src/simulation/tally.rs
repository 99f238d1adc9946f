//! How often each kind of fault struck and each invariant was put to the test.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Kinds of faults.
pub const FAULTS: &[&str] = &[
    "request lost",
    "answer lost",
    "request repeated",
    "request delayed",
    "poke lost",
    "poke late",
    "refresh answer lost",
    "token expired",
    "desk cut off",
    "desk crash",
    "desk closed",
    "slow disk",
    "clock skew",
    "server crash",
    "server crash: sending",
    "server crash: pushed or hooked",
    "access changed",
    "role changed",
    "reassigned",
    "contact erased",
    "meta 429",
    "meta 500, not accepted",
    "meta 500, accepted",
    "meta 503",
    "meta timeout before accept",
    "meta reset after accept",
    "meta fails later",
    "meta answers after status",
    "webhook lost",
    "webhook answer lost",
    "webhook repeated",
    "webhook late, overtaken",
    "webhooks gathered",
];

/// Invariants (docs/TESTING.md). I11 speaks of campaigns, which are not there yet.
pub const INVARIANTS: &[(&str, &str)] = &[
    ("I1", "nothing acknowledged to Meta is lost"),
    ("I2", "each message of a customer is stored once, shown once"),
    ("I3", "each edit takes effect exactly once"),
    ("I4", "no edit makes Meta accept two sends"),
    ("I5", "a delivery never goes back"),
    ("I6", "one order per conversation, everywhere"),
    ("I7", "at rest every desk equals the server"),
    ("I8", "no desk gets or keeps what it may not see"),
    ("I9", "no cursor stands past a change that is not there"),
    ("I10", "with faults off, all is equal within 30 s"),
];

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub faults: BTreeMap<String, u64>,
    pub invariants: BTreeMap<String, u64>,
    pub inbound: u64,
    pub intents: u64,
}

impl Tally {
    /// A fault struck.
    pub fn struck(&mut self, fault: &str) {
        debug_assert!(FAULTS.contains(&fault), "{fault}");
        *self.faults.entry(fault.to_owned()).or_default() += 1;
    }

    /// An invariant was put to the test.
    pub fn checked(&mut self, invariant: &str, times: u64) {
        *self.invariants.entry(invariant.to_owned()).or_default() += times;
    }

    /// Faults in all.
    pub fn all_faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Both together.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.faults {
            *self.faults.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.invariants {
            *self.invariants.entry(name.clone()).or_default() += count;
        }
        self.inbound += other.inbound;
        self.intents += other.intents;
    }

    /// What never struck and what was never put to the test.
    pub fn zeros(&self) -> Vec<&'static str> {
        let faults = FAULTS.iter().filter(|name| !self.faults.contains_key(**name)).copied();
        let invariants = INVARIANTS
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| self.invariants.get(*name).is_none_or(|count| *count == 0));
        faults.chain(invariants).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<34} {:>10}", "fault", "struck")?;
        for name in FAULTS {
            writeln!(f, "{name:<34} {:>10}", self.faults.get(*name).copied().unwrap_or_default())?;
        }
        writeln!(f, "\n{:<55} {:>10}", "invariant", "tested")?;
        for (name, what) in INVARIANTS {
            let count = self.invariants.get(*name).copied().unwrap_or_default();
            writeln!(f, "{:<55} {count:>10}", format!("{name} {what}"))?;
        }
        writeln!(f, "{:<55} {:>10}", "I11 campaigns", "no feature yet")?;
        write!(f, "\n{} messages of customers, {} edits, {} faults", self.inbound, self.intents, self.all_faults())
    }
}
