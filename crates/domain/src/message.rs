//! Messages: the entries of a timeline.

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::delivery::Delivery;
use crate::{ConversationId, MemberId, MessageId, Timestamp};

/// Who an entry of the timeline is from and for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Direction {
    /// From the customer.
    Incoming,
    /// To the customer.
    Outgoing,
    /// For colleagues only; can never be sent.
    Note,
    /// Something that happened.
    Activity,
}

impl Direction {
    /// The text form, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Note => "note",
            Self::Activity => "activity",
        }
    }
}

/// One entry of a timeline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Message {
    pub id: MessageId,
    pub conversation: ConversationId,
    pub direction: Direction,
    /// The member who wrote it; `None` for customers and for the system.
    pub author: Option<MemberId>,
    pub content: Content,
    /// When it was written: Meta's time for incoming ones, the desk's for outgoing ones. For display.
    pub sent_at: Timestamp,
    /// Place in the timeline: the workspace `seq` at which the server first stored it, the same on every desk. Zero while
    /// only this desk knows it; such entries stand last.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub position: u64,
    /// For outgoing ones.
    pub delivery: Option<Delivery>,
    pub reply_to: Option<MessageId>,
    /// The failed or unconfirmed message that a member chose to send again.
    pub resend_of: Option<MessageId>,
    pub forwarded: bool,
    /// The customer changed it after sending; `content` is the latest text.
    pub edited: bool,
    /// The customer took it back.
    pub revoked: bool,
}
