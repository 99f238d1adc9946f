//! Edits on their way to the server.
//!
//! A desk writes each edit to its outbox first, shows it at once and offers it to the server until a pull brings its outcome.
//! The server applies an intent once, whatever happens, and records the outcome in the transaction of the effect.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::content::Content;
use crate::conversation::Status;
use crate::entity::Root;
use crate::{Code, ConversationId, IntentId, LabelId, MemberId, MessageId, MessageText, OrderId, StageId, Timestamp};

/// One edit.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The idempotency key, minted once when the edit is made.
    pub id: IntentId,
    pub made_at: Timestamp,
    pub command: Command,
    /// Roots that the edit changes.
    pub touches: Vec<Root>,
    /// This device's earlier pending intents that this one builds on: same field, an entity they create, the previous
    /// message of the conversation.
    pub after: Vec<IntentId>,
}

/// What a member can do. A field named `shown` is the value the member saw and overwrites.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Writes to the customer. `newest_shown` is the newest entry the member saw.
    SendMessage {
        message: MessageId,
        conversation: ConversationId,
        content: Content,
        reply_to: Option<MessageId>,
        resend_of: Option<MessageId>,
        newest_shown: Option<MessageId>,
    },
    /// Takes back a message that was not sent yet.
    CancelSend { message: MessageId, conversation: ConversationId },
    /// Writes for colleagues.
    AddNote { message: MessageId, conversation: ConversationId, body: MessageText },
    /// Gives a conversation to a member, or to nobody.
    Assign { conversation: ConversationId, assignee: Option<MemberId>, shown: Option<MemberId> },
    /// Opens, snoozes, resolves.
    SetStatus { conversation: ConversationId, status: Status, snoozed_until: Option<Timestamp>, shown: Status },
    /// Adds and removes labels.
    Label { conversation: ConversationId, add: BTreeSet<LabelId>, remove: BTreeSet<LabelId> },
    /// The team has seen everything up to this position.
    MarkRead { conversation: ConversationId, upto: u64 },
    /// Moves an order to another stage.
    MoveOrder { order: OrderId, stage: StageId, shown: StageId },
}

/// A batch, applied in order.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PushRequest {
    pub intents: Vec<Intent>,
    /// Where the desk stands, as the server gave it: a cursor, or the place in a snapshot. A push from before a restore is
    /// answered with [`super::change::ResyncRequired`] and nothing of it is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Those of `intents` of which a byte may have reached the server before it was restored: such a send is recorded as
    /// unconfirmed, never sent by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered_before: Vec<IntentId>,
}

/// The answers, in the order of the batch. They are hints: the desk drops an intent only when a pull brings its outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PushAnswer {
    pub answers: Vec<Answer>,
}

/// What became of one intent of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    pub id: IntentId,
    pub result: Verdict,
}

/// What became of an intent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It took effect.
    Applied,
    /// The value already was so.
    NoOp,
    /// It did not take effect, and will not.
    Refused { code: Code },
    /// An intent in `after` was not accepted; nothing is recorded, the desk mends or offers it again.
    Blocked,
}

/// A recorded verdict. A pull page carries it with the current rows of everything the intent wrote.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    pub id: IntentId,
    pub verdict: Verdict,
    pub at_seq: u64,
}

/// Asks for outcomes by id, for intents whose root went out of scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OutcomesRequest {
    pub ids: Vec<IntentId>,
}

/// The outcomes that are recorded; an id that is missing was never accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutcomesAnswer {
    pub outcomes: Vec<Outcome>,
}
