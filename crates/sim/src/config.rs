//! What a simulated platform is made of, and how badly it behaves.
//!
//! Promise: with [`SimConfig::new`] and the default [`FaultPlan`] nothing goes wrong by itself; every
//! misbehaviour is asked for here or by [`crate::MetaSim::next_send`].

use std::path::PathBuf;
use std::time::Duration;

use crate::clock::{self, Clock};

/// One business phone number on the platform.
#[derive(Debug, Clone)]
pub struct Number {
    /// The id under which the Graph API knows the number.
    pub phone_number_id: String,
    /// As Meta prints it, e.g. `+1 555-078-3881`; webhooks carry its digits only.
    pub display_phone_number: String,
    /// The business name that customers see.
    pub verified_name: String,
}

impl Number {
    /// The digits of the display number, as webhooks write it.
    #[must_use]
    pub fn digits(&self) -> String {
        self.display_phone_number.chars().filter(char::is_ascii_digit).collect()
    }
}

/// When a send that Meta will not deliver is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// In the HTTP answer: 400 and the code.
    AtOnce,
    /// Accepted first, then a `failed` status with the code.
    Later,
}

/// How long after acceptance each status is raised, in milliseconds of real time. Zero: at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatusPace {
    /// `sent` after acceptance.
    pub sent_ms: u64,
    /// `delivered` after `sent`, when the customer is online.
    pub delivered_ms: u64,
    /// `read` after `delivered`, when the customer reads.
    pub read_ms: u64,
}

/// Seeded misbehaviour. Every `_permille` is a probability in thousandths.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    /// A body takes more than one event.
    pub batch_permille: u32,
    /// Most events in one body.
    pub batch_max: usize,
    /// An event or a whole body is delivered again.
    pub duplicate_permille: u32,
    /// An event changes places with a later one.
    pub reorder_permille: u32,
    /// A body is held back by up to `delay_ms`.
    pub delay_permille: u32,
    /// Longest hold of a delayed body, in milliseconds.
    pub delay_ms: u64,
    /// Time to wait for more events before bodies are made, so that single events meet in a batch.
    pub linger_ms: u64,
    /// Webhook bodies in flight at the same time.
    pub concurrency: usize,
    /// First wait after a webhook body was not answered 200; doubled on each failure.
    pub retry_first: Duration,
    /// Longest wait between two tries.
    pub retry_max: Duration,
    /// A send is answered 429 with code 130429.
    pub send_rate_limited_permille: u32,
    /// A send is answered 500 with code 131000, and not accepted.
    pub send_500_permille: u32,
    /// A send is answered 503 with an HTML page, and not accepted.
    pub send_503_permille: u32,
    /// A send is held for `hold_ms`, then cut without being accepted.
    pub send_timeout_permille: u32,
    /// A send is accepted, then its connection is cut.
    pub send_reset_permille: u32,
    /// A send is accepted and answered only after `hold_ms`.
    pub send_slow_permille: u32,
    /// How long the seeded timeouts and slow answers last.
    pub hold_ms: u64,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            batch_permille: 0,
            batch_max: 8,
            duplicate_permille: 0,
            reorder_permille: 0,
            delay_permille: 0,
            delay_ms: 0,
            linger_ms: 0,
            concurrency: 1,
            retry_first: Duration::from_millis(200),
            retry_max: Duration::from_secs(2),
            send_rate_limited_permille: 0,
            send_500_permille: 0,
            send_503_permille: 0,
            send_timeout_permille: 0,
            send_reset_permille: 0,
            send_slow_permille: 0,
            hold_ms: 1_000,
        }
    }
}

impl FaultPlan {
    /// Webhooks as Meta delivers them on a bad day: batched, repeated, reordered, late, concurrent.
    /// Sends are not touched.
    #[must_use]
    pub fn rough_webhooks() -> Self {
        Self {
            batch_permille: 500,
            duplicate_permille: 200,
            reorder_permille: 300,
            delay_permille: 100,
            delay_ms: 50,
            linger_ms: 5,
            concurrency: 4,
            ..Self::default()
        }
    }

    /// The same plan with each kind of send fault at this share.
    #[must_use]
    pub fn with_send_faults(self, permille: u32) -> Self {
        Self {
            send_rate_limited_permille: permille,
            send_500_permille: permille,
            send_503_permille: permille,
            send_timeout_permille: permille,
            send_reset_permille: permille,
            send_slow_permille: permille,
            ..self
        }
    }
}

/// Everything a platform needs to start.
#[derive(Clone)]
pub struct SimConfig {
    /// Decides ids, customers' BSUIDs and every seeded fault.
    pub seed: u64,
    /// Loopback port; 0 takes any free one.
    pub port: u16,
    /// The Meta app's id.
    pub app_id: String,
    /// Key of the webhook signature.
    pub app_secret: String,
    /// The only Bearer token that is accepted.
    pub access_token: String,
    /// The WhatsApp Business Account that owns all numbers.
    pub waba_id: String,
    /// The business numbers; the first one is where customers write by default.
    pub numbers: Vec<Number>,
    /// Where webhooks go. Without one they wait.
    pub webhook_url: Option<String>,
    /// What the webhook verification GET presents.
    pub verify_token: String,
    /// Time, for windows, timestamps and expiries.
    pub clock: Clock,
    /// Seeded misbehaviour.
    pub faults: FaultPlan,
    /// When statuses follow an accepted send.
    pub pace: StatusPace,
    /// A phone number that is no customer's (131026). Meta does both; the default is at once.
    pub unknown_recipient: Refusal,
    /// A free-form message outside the 24 h window (131047). The default is later, as in practice.
    pub closed_window: Refusal,
    /// Messages per second and number before 130429 (`meta-platform.md` §11). Off by default.
    pub throughput_per_second: Option<u32>,
    /// Messages at once to one customer before 131056; one more every 6 s (Meta: 45). Off by default.
    pub pair_burst: Option<u32>,
    /// Accepted sends are appended here, one JSON object a line, synced before the answer.
    pub ledger_path: Option<PathBuf>,
}

impl SimConfig {
    /// One number, fixed pretend credentials, the system clock, no faults, any port.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            port: 0,
            app_id: "634974000000001".into(),
            app_secret: "sim-app-secret".into(),
            access_token: "sim-access-token".into(),
            waba_id: "102290000000001".into(),
            numbers: vec![Number {
                phone_number_id: "106540000000001".into(),
                display_phone_number: "+1 555-010-0001".into(),
                verified_name: "Lantern & Loom".into(),
            }],
            webhook_url: None,
            verify_token: "sim-verify-token".into(),
            clock: clock::system(),
            faults: FaultPlan::default(),
            pace: StatusPace::default(),
            unknown_recipient: Refusal::AtOnce,
            closed_window: Refusal::Later,
            throughput_per_second: None,
            pair_burst: None,
            ledger_path: None,
        }
    }
}

impl std::fmt::Debug for SimConfig {
    /// Leaves out the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimConfig").field("seed", &self.seed).field("waba_id", &self.waba_id).finish_non_exhaustive()
    }
}
