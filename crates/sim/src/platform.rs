//! The platform's memory: who exists, what was sent, what is uploaded.
//!
//! Promise: one lock, never held across an await; time comes from the config's clock alone.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::config::SimConfig;
use crate::delivery::Queue;
use crate::event::{Event, Identity, What};
use crate::fault::{self, Fault};
use crate::ids::Mint;
use crate::ledger::Ledger;
use crate::media::Medium;
use crate::template::Template;

/// After this long without contact by phone a username hides the phone again (`meta-platform.md` §3.3).
const PHONE_KNOWN_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// A customer.
#[derive(Debug)]
pub struct Person {
    pub user_id: String,
    pub name: String,
    pub phone: Option<String>,
    pub username: Option<String>,
    pub online: bool,
    pub reads_at_once: bool,
    pub blocked_us: bool,
    /// Per business number: when they last wrote.
    pub last_inbound: HashMap<usize, i64>,
    /// Per business number: when they were last addressed by phone.
    pub phone_used: HashMap<usize, i64>,
    /// Sends that wait until they are online.
    pub waiting: Vec<String>,
}

impl Person {
    /// As webhooks of one business number show them.
    pub fn identity(&self, number: usize, now: i64) -> Identity<'_> {
        let known = self.phone_used.get(&number).is_some_and(|at| now - at < PHONE_KNOWN_MS);
        let phone = self.phone.as_deref().filter(|_| self.username.is_none() || known);
        Identity { user_id: &self.user_id, phone, name: &self.name, username: self.username.as_deref() }
    }
}

/// A message of the business that was accepted.
#[derive(Debug)]
pub struct Outbound {
    pub number: usize,
    pub person: Option<usize>,
    /// The digits it was addressed to, if it was a phone.
    pub phone: Option<String>,
    pub opaque: Option<String>,
    pub category: String,
    pub fails_with: Option<i64>,
    pub delivered: bool,
    pub read: bool,
}

/// A message of a customer.
#[derive(Debug, Clone, Copy)]
pub struct Inbound {
    pub number: usize,
    pub person: usize,
}

/// Everything that changes.
#[derive(Debug)]
pub struct State {
    pub mint: Mint,
    pub send_rng: ChaCha8Rng,
    pub people: Vec<Person>,
    pub inbound: HashMap<String, Inbound>,
    pub outbound: HashMap<String, Outbound>,
    pub media: HashMap<String, Medium>,
    pub templates: Vec<Template>,
    pub next_sends: VecDeque<Fault>,
    pub ledger: Ledger,
    pub token: String,
    pub subscribed: bool,
    pub number_rate: HashMap<usize, i64>,
    pub pair_rate: HashMap<(usize, usize), i64>,
    /// How often each code was answered, refusals only.
    pub refused: BTreeMap<i64, u64>,
    /// How often each kind of fault struck.
    pub faults: BTreeMap<String, u64>,
    /// Customers' messages that the business marked read, in order; the flag tells of a typing indicator.
    pub read_marks: Vec<(String, bool)>,
}

/// The platform behind every handle.
#[derive(Debug)]
pub struct Platform {
    pub config: Arc<SimConfig>,
    pub base_url: String,
    pub queue: Arc<Queue>,
    pub accepted: watch::Sender<usize>,
    pub runtime: Handle,
    state: Mutex<State>,
}

impl Platform {
    pub fn new(config: Arc<SimConfig>, base_url: String, queue: Arc<Queue>, runtime: Handle, state: State) -> Self {
        Self { config, base_url, queue, accepted: watch::Sender::new(0), runtime, state: Mutex::new(state) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds of the simulator's clock.
    pub fn now(&self) -> i64 {
        (self.config.clock)()
    }

    /// Index of a business number.
    pub fn number(&self, phone_number_id: &str) -> Option<usize> {
        self.config.numbers.iter().position(|number| number.phone_number_id == phone_number_id)
    }

    /// Raises a webhook event; an account without a subscription raises none (`meta-platform.md` §1.5).
    pub fn raise(&self, state: &State, number: usize, what: What) {
        if state.subscribed {
            self.queue.push(Event { number, what });
        }
    }

    /// The fault of the next send: scripted ones first, then the plan's.
    pub fn take_fault(&self) -> Option<Fault> {
        let mut state = self.lock();
        let fault = match state.next_sends.pop_front() {
            Some(fault) => Some(fault),
            None => fault::drawn(&mut state.send_rng, &self.config.faults),
        };
        if let Some(fault) = &fault {
            let name = serde_json::to_value(fault)
                .ok()
                .and_then(|value| value["kind"].as_str().map(str::to_owned))
                .unwrap_or_default();
            *state.faults.entry(name).or_default() += 1;
        }
        fault
    }
}
