//! Remote queries: what a desk does not hold is asked of the server, page by page, under the rules of scope that sync follows,
//! and is kept nowhere.

use serde::{Deserialize, Serialize};

use crate::contact::Contact;
use crate::conversation::{Conversation, Status};
use crate::{ConversationId, InboxId, Timestamp};

/// Whose conversations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Whose {
    /// Everything in scope.
    Anybody,
    /// Assigned to who asks.
    Mine,
    /// Assigned to nobody.
    Nobody,
}

/// Where a page ended: the next begins below it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Below {
    pub active_at: Timestamp,
    pub id: ConversationId,
}

/// Asks for conversations of one status, most recently active first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConversationsRequest {
    pub status: Status,
    pub whose: Whose,
    /// One inbox instead of all in scope.
    #[serde(default)]
    pub inbox: Option<InboxId>,
    #[serde(default)]
    pub below: Option<Below>,
    /// At most [`crate::limits::LIST_ROWS`].
    pub limit: u32,
}

/// A conversation with its contact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Listed {
    pub conversation: Conversation,
    pub contact: Contact,
}

/// A page of conversations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ConversationsPage {
    pub rows: Vec<Listed>,
    /// Where to go on; `None` when this was the last page.
    pub below: Option<Below>,
}
