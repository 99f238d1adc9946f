//! What a message says: one enum for everything a customer or a member may send, on every channel.
//!
//! An unknown kind from Meta is [`Content::Unsupported`] with its reported type; nothing is dropped (meta-platform.md §0.10).

use serde::{Deserialize, Serialize};

use crate::{MessageId, MessageText, PersonName, Phone};

/// What a message says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Content {
    /// Plain text with WhatsApp's marks (`*b* _i_ ~s~`).
    Text { body: MessageText },
    /// Image, video, audio, document or sticker.
    Media(Media),
    /// A place.
    Location { latitude: f64, longitude: f64, name: Option<String>, address: Option<MessageText> },
    /// Contact cards.
    Contacts { cards: Vec<ContactCard> },
    /// An emoji on an earlier message; `None` takes it back.
    Reaction { to: Option<MessageId>, emoji: Option<String> },
    /// The answer to a button, list, flow or quick reply.
    Choice { kind: ChoiceKind, title: MessageText, id: Option<String>, description: Option<MessageText> },
    /// A cart sent from the catalog; its order is a row of its own.
    Order { catalog: Option<String>, lines: Vec<OrderLine>, text: Option<MessageText> },
    /// An approved template with its parameters in order, and the text as the customer sees it.
    Template { name: String, language: String, parameters: Vec<MessageText>, body: MessageText },
    /// The customer opened the thread for the first time.
    Welcome,
    /// Something happened to the conversation or the identity; shown as a line, not as a bubble.
    System { event: SystemEvent, detail: Option<MessageText> },
    /// A kind that the channel cannot pass on, or that this build does not know.
    Unsupported { reported: String },
}

/// An attachment; bytes stand elsewhere.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Media {
    pub kind: MediaKind,
    pub mime: Option<String>,
    pub caption: Option<MessageText>,
    pub filename: Option<MessageText>,
    /// Recorded in the chat, not a file.
    pub voice: bool,
    /// Meta's id, valid for 7 days (meta-platform.md §7).
    pub provider_id: Option<String>,
    /// Why the bytes are not there: Meta's error code.
    pub failure: Option<i64>,
}

/// Kinds of attachment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum MediaKind {
    Image,
    Video,
    Audio,
    Document,
    Sticker,
}

/// A contact card; a name may be missing when the card was asked for (meta-platform.md §3.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ContactCard {
    pub name: Option<PersonName>,
    pub phones: Vec<Phone>,
    /// The customer tapped our request, so the phone is theirs.
    pub own: bool,
}

/// Where a choice was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum ChoiceKind {
    Button,
    List,
    Flow,
    CallPermission,
    Other,
}

/// One line of a cart as the customer saw it; the price is not trusted (meta-platform.md §3.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OrderLine {
    /// The catalog's SKU.
    pub sku: String,
    pub quantity: u32,
    /// Price of one in minor units of `currency`.
    pub price_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

/// Events that appear as a line in the timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum SystemEvent {
    NumberChanged,
    UserIdChanged,
    IdentityChanged,
    OrderAdded,
    Assigned,
    Unassigned,
    Resolved,
    Reopened,
    Other,
}

/// What [`Content::Unsupported`] reports of a message whose text was lost with a database that was restored.
pub const LOST: &str = "sent_before_restore";

impl Content {
    /// A message that was sent before the server was restored, and whose text is lost. Not a kind of its own, so that a desk
    /// of an earlier version can read it.
    pub fn lost() -> Self {
        Self::Unsupported { reported: LOST.to_owned() }
    }

    /// Whether it is [`Content::lost`].
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Unsupported { reported } if reported == LOST)
    }

    /// The text a member would search for, if any.
    pub fn searchable(&self) -> Option<&str> {
        match self {
            Self::Text { body } | Self::Template { body, .. } => Some(body.expose()),
            Self::Media(media) => media.caption.as_ref().or(media.filename.as_ref()).map(MessageText::expose),
            Self::Choice { title, .. } => Some(title.expose()),
            Self::Order { text, .. } => text.as_ref().map(MessageText::expose),
            Self::Location { address, .. } => address.as_ref().map(MessageText::expose),
            _ => None,
        }
    }

    /// Whether it stands in the timeline as a bubble of its own and moves the conversation up.
    pub fn is_conversational(&self) -> bool {
        !matches!(self, Self::Reaction { .. } | Self::System { .. })
    }
}
