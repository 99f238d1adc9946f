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
        let (kind, content) = self.content.to_json();
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        put("messaging_product", json!("whatsapp"));
        put("recipient_type", json!("individual"));
        match &self.to {
            Recipient::Phone(phone) => put("to", json!(phone.e164())),
            Recipient::Bsuid(bsuid) => put("recipient", json!(bsuid.expose())),
        };
        put("type", json!(kind));
        put(kind, content);
        if let (Some(wamid), false) = (&self.context, matches!(self.content, OutboundContent::Reaction { .. })) {
            put("context", json!({ "message_id": wamid.as_str() }));
        }
        if !self.opaque.is_empty() {
            put("biz_opaque_callback_data", json!(self.opaque));
        }
        Value::Object(body)
    }
}

impl OutboundContent {
    /// Meta's name of the type, and its object.
    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Self::Text { body, preview_url: false } => ("text", json!({ "body": body.expose() })),
            Self::Text { body, preview_url: true } => ("text", json!({ "body": body.expose(), "preview_url": true })),
            Self::Media { kind, source, caption, filename, voice } => {
                let mut object = source.to_object();
                let (name, captioned) = match kind {
                    MediaKind::Image => ("image", true),
                    MediaKind::Video => ("video", true),
                    MediaKind::Document => ("document", true),
                    MediaKind::Audio => ("audio", false),
                    MediaKind::Sticker => ("sticker", false),
                };
                if let (Some(caption), true) = (caption, captioned) {
                    object.insert("caption".to_owned(), json!(caption.expose()));
                }
                if let (Some(filename), MediaKind::Document) = (filename, kind) {
                    object.insert("filename".to_owned(), json!(filename.expose()));
                }
                if *voice && *kind == MediaKind::Audio {
                    object.insert("voice".to_owned(), json!(true));
                }
                (name, Value::Object(object))
            }
            Self::Template { name, language, components } => {
                let mut template = json!({ "name": name, "language": { "code": language } });
                if !components.is_empty() {
                    template["components"] = components.iter().map(TemplateComponent::to_json).collect();
                }
                ("template", template)
            }
            Self::Reaction { wamid, emoji } => {
                ("reaction", json!({ "message_id": wamid.as_str(), "emoji": emoji.as_deref().unwrap_or("") }))
            }
        }
    }
}

impl MediaSource {
    fn to_object(&self) -> Map<String, Value> {
        let (key, value) = match self {
            Self::Id(id) => ("id", id),
            Self::Link(link) => ("link", link),
        };
        Map::from_iter([(key.to_owned(), json!(value))])
    }
}

impl TemplateComponent {
    fn to_json(&self) -> Value {
        let list =
            |parameters: &[TemplateParameter]| -> Value { parameters.iter().map(TemplateParameter::to_json).collect() };
        match self {
            Self::Header(parameters) => json!({ "type": "header", "parameters": list(parameters) }),
            Self::Body(parameters) => json!({ "type": "body", "parameters": list(parameters) }),
            Self::Button { kind, index, parameters } => {
                let sub_type = match kind {
                    TemplateButton::QuickReply => "quick_reply",
                    TemplateButton::Url => "url",
                    TemplateButton::CopyCode => "copy_code",
                    TemplateButton::Flow => "flow",
                };
                // Meta's samples write the index as text.
                json!({
                    "type": "button",
                    "sub_type": sub_type,
                    "index": index.to_string(),
                    "parameters": list(parameters),
                })
            }
        }
    }
}

impl TemplateParameter {
    fn to_json(&self) -> Value {
        match self {
            Self::Text { name: None, text } => json!({ "type": "text", "text": text.expose() }),
            Self::Text { name: Some(name), text } => {
                json!({ "type": "text", "parameter_name": name, "text": text.expose() })
            }
            Self::Image(source) => json!({ "type": "image", "image": source.to_object() }),
            Self::Video(source) => json!({ "type": "video", "video": source.to_object() }),
            Self::Document { source, filename } => {
                let mut document = source.to_object();
                if let Some(filename) = filename {
                    document.insert("filename".to_owned(), json!(filename.expose()));
                }
                json!({ "type": "document", "document": document })
            }
            Self::Payload(payload) => json!({ "type": "payload", "payload": payload }),
            Self::CouponCode(code) => json!({ "type": "coupon_code", "coupon_code": code }),
            Self::Other(parameter) => parameter.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_ilse(content: OutboundContent) -> Value {
        let to = Recipient::Phone(Phone::new("49 151-5550 0137"));
        OutboundMessage { to, content, context: Some(Wamid::from("wamid.Q")), opaque: "0199a7f0".to_owned() }.to_json()
    }

    fn media(kind: MediaKind, source: MediaSource) -> OutboundContent {
        let (caption, filename) = (Some(MessageText::new("Two mugs")), Some(MessageText::new("offer.pdf")));
        OutboundContent::Media { kind, source, caption, filename, voice: true }
    }

    #[test]
    fn text_to_a_phone_and_to_a_user_id() {
        let content = OutboundContent::Text { body: MessageText::new("Hallo 🏺"), preview_url: false };
        assert_eq!(
            to_ilse(content.clone()),
            json!({
                "messaging_product": "whatsapp", "recipient_type": "individual", "to": "+4915155500137", "type": "text",
                "text": { "body": "Hallo 🏺" }, "context": { "message_id": "wamid.Q" }, "biz_opaque_callback_data": "0199a7f0",
            })
        );
        let to = Recipient::Bsuid(Bsuid::new("MY.1777000111222"));
        let bare = OutboundMessage { to, content, context: None, opaque: String::new() };
        assert_eq!(
            bare.to_json(),
            json!({
                "messaging_product": "whatsapp", "recipient_type": "individual", "recipient": "MY.1777000111222",
                "type": "text", "text": { "body": "Hallo 🏺" },
            })
        );
        let preview = OutboundContent::Text { body: MessageText::new("https://kiln.example"), preview_url: true };
        assert_eq!(to_ilse(preview)["text"], json!({ "body": "https://kiln.example", "preview_url": true }));
    }

    #[test]
    fn media_carries_only_the_keys_that_its_kind_allows() {
        let link = || MediaSource::Link("https://kiln.example/a".to_owned());
        for (kind, name, object) in [
            (MediaKind::Image, "image", json!({ "id": "77", "caption": "Two mugs" })),
            (MediaKind::Video, "video", json!({ "id": "77", "caption": "Two mugs" })),
            (MediaKind::Document, "document", json!({ "id": "77", "caption": "Two mugs", "filename": "offer.pdf" })),
            (MediaKind::Audio, "audio", json!({ "id": "77", "voice": true })),
            (MediaKind::Sticker, "sticker", json!({ "id": "77" })),
        ] {
            let body = to_ilse(media(kind, MediaSource::Id("77".to_owned())));
            assert_eq!((&body["type"], &body[name]), (&json!(name), &object));
            assert_eq!(to_ilse(media(kind, link()))[name]["link"], "https://kiln.example/a");
        }
    }

    #[test]
    fn a_template_with_every_kind_of_parameter() {
        let text = |text: &str| TemplateParameter::Text { name: None, text: MessageText::new(text) };
        let named = TemplateParameter::Text { name: Some("guest".to_owned()), text: MessageText::new("Ilse") };
        let components = vec![
            TemplateComponent::Header(vec![TemplateParameter::Image(MediaSource::Id("5".to_owned()))]),
            TemplateComponent::Body(vec![text("17"), named]),
            TemplateComponent::Button {
                kind: TemplateButton::QuickReply,
                index: 0,
                parameters: vec![TemplateParameter::Payload("yes".to_owned())],
            },
            TemplateComponent::Button {
                kind: TemplateButton::CopyCode,
                index: 1,
                parameters: vec![TemplateParameter::CouponCode("KILN5".to_owned())],
            },
        ];
        let template = OutboundContent::Template { name: "ready".to_owned(), language: "de".to_owned(), components };
        let body = to_ilse(template);
        assert_eq!(body["type"], "template");
        assert_eq!(
            body["template"],
            json!({ "name": "ready", "language": { "code": "de" }, "components": [
                { "type": "header", "parameters": [{ "type": "image", "image": { "id": "5" } }] },
                { "type": "body", "parameters": [
                    { "type": "text", "text": "17" }, { "type": "text", "parameter_name": "guest", "text": "Ilse" },
                ] },
                { "type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{ "type": "payload", "payload": "yes" }] },
                { "type": "button", "sub_type": "copy_code", "index": "1", "parameters": [{ "type": "coupon_code", "coupon_code": "KILN5" }] },
            ] })
        );
        let bare =
            OutboundContent::Template { name: "hi".to_owned(), language: "en_US".to_owned(), components: vec![] };
        assert_eq!(to_ilse(bare)["template"], json!({ "name": "hi", "language": { "code": "en_US" } }));
    }

    #[test]
    fn a_reaction_names_its_message_itself_and_an_empty_emoji_takes_it_back() {
        let reaction = |emoji: Option<&str>| {
            to_ilse(OutboundContent::Reaction { wamid: Wamid::from("wamid.R"), emoji: emoji.map(str::to_owned) })
        };
        assert_eq!(reaction(Some("🏺"))["reaction"], json!({ "message_id": "wamid.R", "emoji": "🏺" }));
        assert_eq!(reaction(None)["reaction"], json!({ "message_id": "wamid.R", "emoji": "" }));
        assert_eq!(reaction(None).get("context"), None);
    }
}
