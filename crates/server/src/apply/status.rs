//! Delivery statuses: evidence that moves one of our messages.

use parley_domain::delivery::{Delivery, DeliveryState, Failure};
use parley_domain::{MessageId, Timestamp};
use parley_meta::webhook::{ReportedState, StatusUpdate};
use serde::{Deserialize, Serialize};

/// What a status says, in the form in which it waits for its message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    state: DeliveryState,
    at: Timestamp,
    /// Meta's code of a failure.
    meta_code: Option<i64>,
}

impl Report {
    /// The report of a status; `None` for states that move nothing.
    pub fn of(status: &StatusUpdate) -> Option<Self> {
        let state = match status.state {
            ReportedState::Sent => DeliveryState::Sent,
            ReportedState::Delivered => DeliveryState::Delivered,
            ReportedState::Read => DeliveryState::Read,
            ReportedState::Played => DeliveryState::Played,
            ReportedState::Failed => DeliveryState::Failed,
            ReportedState::Other(_) => return None,
        };
        Some(Self { state, at: status.at, meta_code: status.errors.first().map(|error| error.code) })
    }

    /// Moves a delivery; returns whether anything changed.
    pub fn apply(&self, delivery: &mut Delivery) -> bool {
        if self.state == DeliveryState::Failed {
            let code = parley_meta::error::failure_code(self.meta_code.unwrap_or_default());
            return delivery.fail(Failure { code, meta_code: self.meta_code, at: self.at });
        }
        // That it was sent implies that Meta took it.
        let accepted = self.state == DeliveryState::Sent
            && delivery.accepted_at.is_none()
            && delivery.observe(DeliveryState::Accepted, self.at);
        delivery.observe(self.state, self.at) || accepted
    }
}

/// Our message's id in `biz_opaque_callback_data`.
pub fn opaque(message: MessageId) -> String {
    serde_json::json!({ "o": message }).to_string()
}

/// The message that an opaque text names, if it is one of ours.
pub fn named(opaque: &str) -> Option<MessageId> {
    #[derive(Deserialize)]
    struct Ours {
        o: MessageId,
    }
    serde_json::from_str::<Ours>(opaque).ok().map(|ours| ours.o)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_opaque_text_names_its_message() {
        let message: MessageId = "01890f3c-0000-7000-8000-000000000001".parse().unwrap();
        assert_eq!(named(&opaque(message)), Some(message));
        assert!(opaque(message).len() <= parley_domain::limits::OPAQUE_MAX);
        for other in ["", "{}", "{\"o\":1}", "01890f3c-0000-7000-8000-000000000001"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
