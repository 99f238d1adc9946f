//! The delivery lattice of an outgoing message (design words: `queued → sending → accepted (| held) → sent → delivered →
//! read → played`; ends `failed`, `cancelled`, `expired`; aside `unconfirmed`).
//!
//! Promise: [`Delivery::observe`] is commutative and idempotent for everything Meta reports, so statuses may come in any
//! order, any number of times (meta-platform.md §4.1). The shown state never goes back; delivered, read and played beat
//! `failed` in whatever order they arrive, and both are recorded.

use serde::{Deserialize, Serialize};

use crate::planted::{Bug, planted};
use crate::{Code, Timestamp};

/// Where an outgoing message stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum DeliveryState {
    /// Waits for its turn: on the desk, or in the server's outbox.
    Queued,
    /// A sender has it in hand.
    Sending,
    /// Whether Meta took it is not known; left by evidence or by an explicit resend only.
    Unconfirmed,
    /// Taken back before it was sent.
    Cancelled,
    /// Never sent: refused by the gate, by Meta, or failed afterwards.
    Failed,
    /// Meta took it.
    Accepted,
    /// Meta took it and holds it for a quality check.
    Held,
    /// On its way.
    Sent,
    /// On the customer's phone.
    Delivered,
    /// Seen.
    Read,
    /// Listened to.
    Played,
}

impl DeliveryState {
    /// Height in the lattice; a state is replaced only by a higher one.
    fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Sending => 1,
            Self::Unconfirmed => 2,
            Self::Cancelled => 3,
            Self::Held => 4,
            Self::Accepted => 5,
            Self::Sent => 6,
            Self::Failed => 7,
            Self::Delivered => 8,
            Self::Read => 9,
            Self::Played => 10,
        }
    }

    /// Whether a member may write the message again as a new one.
    pub fn may_resend(self) -> bool {
        matches!(self, Self::Failed | Self::Unconfirmed | Self::Cancelled)
    }

    /// The text form, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Unconfirmed => "unconfirmed",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Accepted => "accepted",
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
        }
    }
}

/// Why a message was not sent or not delivered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Failure {
    pub code: Code,
    /// Meta's number for it, when Meta said it.
    #[cfg_attr(feature = "ts", ts(type = "number | null"))]
    pub meta_code: Option<i64>,
    pub at: Timestamp,
}

/// The delivery of one message: the shown state and when each step was first reported.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Delivery {
    pub state: DeliveryState,
    pub accepted_at: Option<Timestamp>,
    pub sent_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub read_at: Option<Timestamp>,
    pub played_at: Option<Timestamp>,
    pub failure: Option<Failure>,
}

impl Delivery {
    /// A message that waits for its turn.
    pub fn queued() -> Self {
        Self {
            state: DeliveryState::Queued,
            accepted_at: None,
            sent_at: None,
            delivered_at: None,
            read_at: None,
            played_at: None,
            failure: None,
        }
    }

    /// Records that `state` was reached at `at`; returns whether anything changed. Going back changes nothing, but the
    /// time of a step that was skipped is kept.
    pub fn observe(&mut self, state: DeliveryState, at: Timestamp) -> bool {
        let before = self.clone();
        let slot = match state {
            DeliveryState::Accepted | DeliveryState::Held => Some(&mut self.accepted_at),
            DeliveryState::Sent => Some(&mut self.sent_at),
            DeliveryState::Delivered => Some(&mut self.delivered_at),
            DeliveryState::Read => Some(&mut self.read_at),
            DeliveryState::Played => Some(&mut self.played_at),
            _ => None,
        };
        if let Some(slot) = slot {
            // The earliest report stands, so the result does not depend on the order of arrival.
            *slot = Some(slot.map_or(at, |known| known.min(at)));
        }
        let late = planted(Bug::StatusRegress) && state.rank() >= DeliveryState::Sent.rank();
        if state.rank() > self.state.rank() || late {
            self.state = state;
        }
        *self != before
    }

    /// Records a failure; returns whether anything changed. A delivered message stays delivered, the failure is kept.
    pub fn fail(&mut self, failure: Failure) -> bool {
        let before = self.clone();
        let earlier =
            |known: &Failure| (known.at, known.meta_code, known.code) <= (failure.at, failure.meta_code, failure.code);
        if !self.failure.as_ref().is_some_and(earlier) {
            self.failure = Some(failure);
        }
        if DeliveryState::Failed.rank() > self.state.rank() {
            self.state = DeliveryState::Failed;
        }
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reported() -> impl Strategy<Value = (usize, i64)> {
        (0usize..6, 0i64..50)
    }

    fn record(delivery: &mut Delivery, (step, at): (usize, i64)) {
        let states = [
            DeliveryState::Accepted,
            DeliveryState::Sent,
            DeliveryState::Delivered,
            DeliveryState::Read,
            DeliveryState::Played,
        ];
        match states.get(step) {
            Some(state) => delivery.observe(*state, Timestamp(at)),
            None => delivery.fail(Failure { code: Code::MetaRejected, meta_code: Some(131_026), at: Timestamp(at) }),
        };
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_gives_the_same_delivery(
            reports in proptest::collection::vec(reported(), 0..12),
            order in any::<u64>(),
        ) {
            let mut straight = Delivery::queued();
            for report in &reports {
                record(&mut straight, *report);
            }
            let mut shuffled = reports.clone();
            shuffled.extend(reports.iter().rev().copied());
            let len = shuffled.len().max(1);
            shuffled.rotate_left((order as usize) % len);
            let mut other = Delivery::queued();
            for report in &shuffled {
                record(&mut other, *report);
            }
            prop_assert_eq!(straight, other);
        }

        #[test]
        fn the_shown_state_never_goes_back(reports in proptest::collection::vec(reported(), 0..20)) {
            let mut delivery = Delivery::queued();
            let mut highest = delivery.state.rank();
            for report in reports {
                record(&mut delivery, report);
                prop_assert!(delivery.state.rank() >= highest);
                highest = delivery.state.rank();
            }
        }
    }

    #[test]
    fn delivered_beats_failed_and_both_are_recorded() {
        let mut delivery = Delivery::queued();
        delivery.fail(Failure { code: Code::MetaRejected, meta_code: None, at: Timestamp(5) });
        assert_eq!(delivery.state, DeliveryState::Failed);
        delivery.observe(DeliveryState::Delivered, Timestamp(4));
        assert_eq!(delivery.state, DeliveryState::Delivered);
        assert!(delivery.failure.is_some());
    }

    #[test]
    fn evidence_moves_an_unconfirmed_message_and_doubt_never_moves_an_accepted_one() {
        let mut delivery = Delivery::queued();
        delivery.observe(DeliveryState::Unconfirmed, Timestamp(1));
        delivery.observe(DeliveryState::Accepted, Timestamp(2));
        assert_eq!(delivery.state, DeliveryState::Accepted);
        assert!(!delivery.observe(DeliveryState::Unconfirmed, Timestamp(3)));
    }
}
