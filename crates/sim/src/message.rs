//! Reads the body of `POST /<PHONE_ID>/messages` as strictly as Meta (`meta-platform.md` §6.1–6.2).
//!
//! Promise: what comes out is complete and within Meta's limits; what depends on the platform's state (who exists, which
//! media, which templates, which window) is left to [`crate::send`].

use serde_json::Value;

use crate::graph_error::GraphError;
use crate::ids::calling_code;
use crate::interactive;
use crate::strict::Fields;
use crate::template::{self, TemplateUse};

const ENVELOPE: &[&str] = &[
    "messaging_product",
    "recipient_type",
    "to",
    "recipient",
    "type",
    "context",
    "biz_opaque_callback_data",
    "recipient_identity_key_hash",
];
const TYPES: &[&str] = &[
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "template",
    "reaction",
    "interactive",
    "location",
    "contacts",
];

/// Whom a send is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Digits of a full number, after Meta's own treatment of a missing plus.
    Phone(String),
    /// A business-scoped user id, as sent.
    Bsuid(String),
}

/// A send that is well-formed.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Whom it is for.
    pub address: Address,
    /// The recipient exactly as the caller wrote it.
    pub input: String,
    /// `type`.
    pub kind: String,
    /// What a person would read: body, caption, emoji, template name.
    pub text: Option<String>,
    /// `biz_opaque_callback_data`.
    pub opaque: Option<String>,
    /// The wamid quoted by `context` or reacted to.
    pub refers_to: Option<String>,
    /// Ids of uploaded media that it uses.
    pub media: Vec<String>,
    /// The template and its parameters.
    pub template: Option<TemplateUse>,
}

/// What the messages endpoint takes.
#[derive(Debug, Clone)]
pub enum Request {
    /// A message.
    Send(Box<Outgoing>),
    /// A read mark, perhaps with a typing indicator.
    Read {
        /// The customer's message.
        wamid: String,
        /// Whether "typing…" is shown as well.
        typing: bool,
    },
}

/// Parses a request; `home` is the calling code that Meta puts before a number without a plus.
pub fn parse(body: &Value, home: &str) -> Result<Request, GraphError> {
    let root = Fields::of(body, "")?;
    match root.get("messaging_product") {
        None => return Err(GraphError::required("messaging_product")),
        Some(Value::String(product)) if product == "whatsapp" => {}
        Some(_) => return Err(GraphError::invalid("Param messaging_product must be one of {whatsapp}.")),
    }
    if root.get("status").is_some() {
        return read_mark(&root);
    }
    let kind = match root.get("type") {
        None => "text",
        Some(_) => root.word("type", TYPES)?,
    };
    let mut allowed = ENVELOPE.to_vec();
    allowed.push(kind);
    root.only(&allowed)?;
    if root.get("recipient_type").is_some() {
        root.word("recipient_type", &["individual"])?;
    }
    root.text_opt("recipient_identity_key_hash", 256)?;
    let (input, address) = address(&root, home)?;
    let opaque = root.text_opt("biz_opaque_callback_data", usize::MAX)?;
    if opaque.is_some_and(|data| data.chars().count() > 512) {
        return Err(GraphError::invalid("Param biz_opaque_callback_data must be at most 512 characters long."));
    }
    let mut out = Outgoing {
        address,
        input,
        kind: kind.to_owned(),
        text: None,
        opaque: opaque.map(str::to_owned),
        refers_to: None,
        media: Vec::new(),
        template: None,
    };
    if let Some(context) = root.object_opt("context")? {
        context.only(&["message_id"])?;
        out.refers_to = Some(context.text("message_id", 256)?.to_owned());
    }
    if kind == "contacts" {
        contacts(&root)?;
    } else {
        content(&root.object(kind)?, kind, &mut out)?;
    }
    Ok(Request::Send(Box::new(out)))
}

fn read_mark(root: &Fields<'_>) -> Result<Request, GraphError> {
    root.only(&["messaging_product", "status", "message_id", "typing_indicator"])?;
    root.word("status", &["read"])?;
    let wamid = root.text("message_id", 256)?.to_owned();
    let typing = match root.object_opt("typing_indicator")? {
        None => false,
        Some(indicator) => {
            indicator.only(&["type"])?;
            indicator.word("type", &["text"])?;
            true
        }
    };
    Ok(Request::Read { wamid, typing })
}

/// `to` wins over `recipient`. Without a plus Meta takes the digits for a national number and prepends the business's own
/// calling code, so the message goes to somebody else. A BSUID in `to` suffers the same.
fn address(root: &Fields<'_>, home: &str) -> Result<(String, Address), GraphError> {
    if let Some(to) = root.text_opt("to", 256)? {
        let digits: String = to.chars().filter(char::is_ascii_digit).collect();
        if !(5..=30).contains(&digits.len()) {
            return Err(root.bad("to", "is not a valid phone number"));
        }
        let full = if to.starts_with('+') { digits } else { format!("{home}{digits}") };
        return Ok((to.to_owned(), Address::Phone(full)));
    }
    let Some(recipient) = root.text_opt("recipient", 160)? else {
        return Err(GraphError::required("to"));
    };
    if !is_bsuid(recipient) {
        return Err(root.bad("recipient", "is not a valid business-scoped user id"));
    }
    Ok((recipient.to_owned(), Address::Bsuid(recipient.to_owned())))
}

/// `^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$`, `meta-platform.md` §3.3.
fn is_bsuid(text: &str) -> bool {
    let Some((country, rest)) = text.split_once('.') else { return false };
    let rest = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn content(object: &Fields<'_>, kind: &str, out: &mut Outgoing) -> Result<(), GraphError> {
    match kind {
        "text" => {
            object.only(&["body", "preview_url"])?;
            object.flag_opt("preview_url")?;
            let body = object.text("body", usize::MAX)?;
            if body.chars().count() > 4096 {
                return Err(GraphError::invalid("Param text['body'] must be at most 4096 characters long."));
            }
            out.text = Some(body.to_owned());
        }
        "image" | "video" => {
            object.only(&["id", "link", "caption"])?;
            out.text = object.text_opt("caption", 1024)?.map(str::to_owned);
            out.media.extend(medium(object)?);
        }
        "document" => {
            object.only(&["id", "link", "caption", "filename"])?;
            object.text_opt("filename", 240)?;
            out.text = object.text_opt("caption", 1024)?.map(str::to_owned);
            out.media.extend(medium(object)?);
        }
        "audio" => {
            object.only(&["id", "link", "voice"])?;
            object.flag_opt("voice")?;
            out.media.extend(medium(object)?);
        }
        "sticker" => {
            object.only(&["id", "link"])?;
            out.media.extend(medium(object)?);
        }
        "location" => {
            object.only(&["latitude", "longitude", "name", "address"])?;
            if object.number("latitude")?.abs() > 90.0 {
                return Err(object.bad("latitude", "must be between -90 and 90"));
            }
            if object.number("longitude")?.abs() > 180.0 {
                return Err(object.bad("longitude", "must be between -180 and 180"));
            }
            object.text_opt("address", 1000)?;
            out.text = object.text_opt("name", 1000)?.map(str::to_owned);
        }
        "reaction" => {
            object.only(&["message_id", "emoji"])?;
            out.refers_to = Some(object.text("message_id", 256)?.to_owned());
            // An empty emoji takes the reaction back.
            let Some(emoji) = object.text_opt("emoji", 32)? else {
                return Err(GraphError::code(131008).because("Parameter 'reaction.emoji' is mandatory."));
            };
            out.text = Some(emoji.to_owned());
        }
        "interactive" => out.text = Some(interactive::check(object, &mut out.media)?),
        _ => {
            let used = template::read(object, &mut out.media)?;
            out.text = Some(used.name.clone());
            out.template = Some(used);
        }
    }
    Ok(())
}

/// Exactly one of `id` and `link`; the id is returned, to be looked up.
pub(crate) fn medium(object: &Fields<'_>) -> Result<Option<String>, GraphError> {
    let id = object.text_opt("id", 64)?;
    let link = object.text_opt("link", 2048)?;
    match (id, link) {
        (Some(id), None) if !id.is_empty() => Ok(Some(id.to_owned())),
        (None, Some(link)) if link.starts_with("https://") || link.starts_with("http://") => Ok(None),
        (None, Some(_)) => Err(object.bad("link", "is not a valid URI")),
        (None, None) => Err(GraphError::code(131008).because(format!(
            "Either '{}' or '{}' is mandatory.",
            object.at("id"),
            object.at("link")
        ))),
        _ => Err(object.bad("id", "and link must not be used together")),
    }
}

fn contacts(root: &Fields<'_>) -> Result<(), GraphError> {
    for card in root.list("contacts", 257)? {
        card.only(&["addresses", "birthday", "emails", "name", "org", "phones", "urls"])?;
        let name = card.object("name")?;
        name.only(&["formatted_name", "first_name", "last_name", "middle_name", "suffix", "prefix"])?;
        name.text("formatted_name", 1024)?;
        card.text_opt("birthday", 10)?;
        for phone in card.list_opt("phones")? {
            phone.only(&["phone", "type", "wa_id"])?;
        }
        for email in card.list_opt("emails")? {
            email.only(&["email", "type"])?;
        }
        for url in card.list_opt("urls")? {
            url.only(&["url", "type"])?;
        }
        for address in card.list_opt("addresses")? {
            address.only(&["street", "city", "state", "zip", "country", "country_code", "type"])?;
        }
        if let Some(org) = card.object_opt("org")? {
            org.only(&["company", "department", "title"])?;
        }
    }
    Ok(())
}

/// The calling code of the business's own country.
pub fn home_code(business_digits: &str) -> &'static str {
    calling_code(business_digits).0
}
