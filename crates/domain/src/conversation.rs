//! Conversations: the talk with one contact in one inbox.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{ContactId, ConversationId, InboxId, LabelId, MemberId, Timestamp};

/// What is to be done about a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Status {
    /// Somebody should answer.
    Open,
    /// Waits for something else.
    Pending,
    /// Comes back at a time, or when the customer writes.
    Snoozed,
    /// Done; a new message reopens it.
    Resolved,
}

impl Status {
    /// The text form, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Snoozed => "snoozed",
            Self::Resolved => "resolved",
        }
    }
}

/// The talk with one contact in one inbox. Holds no message text: previews are made on the desk from rows it may hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Conversation {
    pub id: ConversationId,
    pub inbox: InboxId,
    pub contact: ContactId,
    pub status: Status,
    pub assignee: Option<MemberId>,
    pub labels: BTreeSet<LabelId>,
    pub snoozed_until: Option<Timestamp>,
    /// Meta's time of the customer's last message or call: the anchor of the service window.
    pub customer_wrote_at: Option<Timestamp>,
    /// End of a 72-hour free entry point, when the customer came from an ad.
    pub entry_point_until: Option<Timestamp>,
    /// When anything conversational last happened, for order in lists.
    pub active_at: Timestamp,
    /// Position of the newest entry that the team has seen; entries above it are unread.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub read_upto: u64,
}

impl Conversation {
    /// What a new incoming message does: it moves the window, the order, and wakes what was resolved, pending or snoozed.
    /// Meta's times may come out of order, so they only move forward.
    pub fn customer_wrote(&mut self, at: Timestamp) {
        self.customer_wrote_at = Some(self.customer_wrote_at.map_or(at, |known| known.max(at)));
        self.active_at = self.active_at.max(at);
        self.status = Status::Open;
        self.snoozed_until = None;
    }
}
