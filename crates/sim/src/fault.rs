//! What can go wrong with one send.
//!
//! Promise: each fault says whether the message was accepted, which is what a client cannot see.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::batch::chance;
use crate::config::FaultPlan;

/// A fault of one send, asked for by [`crate::MetaSim::next_send`] or drawn from the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// 429 with code 130429. Not accepted.
    RateLimited,
    /// 400 with code 4, `is_transient`. Not accepted.
    AppLimited,
    /// Meta's own error for any code, e.g. 131048. Not accepted.
    Refuse {
        /// Meta's code.
        code: i64,
    },
    /// 500 with code 131000. Not accepted, though a client cannot know.
    Broken,
    /// 500 with code 2. Not accepted, though a client cannot know.
    Unexpected,
    /// 500 with code 131000 although the message **was accepted**.
    BrokenAfterAccept,
    /// 503 with an HTML page. Not accepted.
    Html503,
    /// The connection is held, then cut. Not accepted.
    TimeoutBeforeAccept {
        /// How long it is held.
        hold_ms: u64,
    },
    /// **Accepted**, then the connection is reset without an answer.
    ResetAfterAccept,
    /// **Accepted**, answered late.
    Slow {
        /// How late.
        ms: u64,
    },
    /// **Accepted**, answered only after its statuses were delivered.
    StatusFirst,
    /// **Accepted**, then a failed status with this code.
    FailLater {
        /// Meta's code.
        code: i64,
    },
    /// **Accepted** as `held_for_quality_assessment`; no status follows. Templates only.
    HeldForQuality,
}

/// Draws a fault from the plan's shares.
pub fn drawn(rng: &mut ChaCha8Rng, plan: &FaultPlan) -> Option<Fault> {
    let shares = [
        (plan.send_rate_limited_permille, Fault::RateLimited),
        (plan.send_500_permille, Fault::Broken),
        (plan.send_503_permille, Fault::Html503),
        (plan.send_timeout_permille, Fault::TimeoutBeforeAccept { hold_ms: plan.hold_ms }),
        (plan.send_reset_permille, Fault::ResetAfterAccept),
        (plan.send_slow_permille, Fault::Slow { ms: plan.hold_ms }),
    ];
    shares.into_iter().find(|(permille, _)| chance(rng, *permille)).map(|(_, fault)| fault)
}
