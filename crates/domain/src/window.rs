//! The customer service window (meta-platform.md §10): 24 hours from the customer's last message or call, per business
//! number and user. Free-form messages go only inside it; a template may always go. A 72-hour free entry point makes
//! messages free, it does not open a service window.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::conversation::Conversation;
use crate::limits::{SERVICE_WINDOW, SERVICE_WINDOW_MARGIN};

/// Whether free-form messages may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "state", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Window {
    /// Open until then.
    Open { until: Timestamp },
    /// Closed since then: template only.
    Closed { since: Timestamp },
    /// The customer never wrote here: template only.
    NeverOpened,
}

/// The window of a conversation at `now`. It closes a margin before Meta's end, so that what is allowed also arrives in time.
pub fn service_window(conversation: &Conversation, now: Timestamp) -> Window {
    match conversation.customer_wrote_at {
        None => Window::NeverOpened,
        Some(wrote) => {
            let end = wrote + SERVICE_WINDOW - SERVICE_WINDOW_MARGIN;
            if now < end { Window::Open { until: end } } else { Window::Closed { since: end } }
        }
    }
}
