//! The content of a message by its type (meta-platform.md §3.1). Everything here reads what is there: a type whose object is
//! missing or has nothing in it is `None`, which the caller shows as unsupported.

use parley_domain::content::{ChoiceKind, ContactCard, Content, Media, MediaKind, OrderLine};
use parley_domain::{MessageText, PersonName, Phone, money};
use serde_json::Value;

use super::fact::InboundContent;
use super::status::meta_errors;
use crate::lenient;

/// Types that name an object of the same name; the first one present stands in for a missing `type`.
const TYPES: [&str; 15] = [
    "text",
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button",
    "reaction",
    "order",
    "system",
    "edit",
    "revoke",
];

/// Meta's `type`, or what the objects in the message say it is.
pub(super) fn reported_type(message: &Value) -> String {
    lenient::text(message, "type").unwrap_or_else(|| {
        let present = TYPES.iter().find(|kind| message.get(**kind).is_some_and(|object| !object.is_null()));
        (*present.unwrap_or(&"unknown")).to_owned()
    })
}

/// What an unsupported message was, as far as Meta tells: `unsupported.type`, else the type itself.
pub(super) fn reported(kind: &str, message: &Value) -> String {
    message
        .get("unsupported")
        .and_then(|unsupported| lenient::text(unsupported, "type"))
        .unwrap_or_else(|| kind.to_owned())
}

/// Content that is complete in itself.
pub(super) fn plain(kind: &str, message: &Value) -> Option<Content> {
    let own = message.get(kind).unwrap_or(&Value::Null);
    match kind {
        "text" => Some(Content::Text { body: lenient::text(own, "body").map(MessageText::new)? }),
        "image" => media(MediaKind::Image, own, message),
        "video" => media(MediaKind::Video, own, message),
        "audio" | "voice" => media(MediaKind::Audio, own, message),
        "document" => media(MediaKind::Document, own, message),
        "sticker" => media(MediaKind::Sticker, own, message),
        "location" => Some(Content::Location {
            latitude: lenient::decimal(own, "latitude")?,
            longitude: lenient::decimal(own, "longitude")?,
            name: lenient::text(own, "name"),
            address: lenient::text(own, "address").map(MessageText::new),
        }),
        "contacts" => {
            let cards: Vec<_> = lenient::elements(message, "contacts").iter().map(card).collect();
            (!cards.is_empty()).then_some(Content::Contacts { cards })
        }
        "interactive" => interactive(own),
        "button" => {
            let payload = lenient::text(own, "payload");
            let title = lenient::text(own, "text").or_else(|| payload.clone())?;
            Some(choice(ChoiceKind::Button, title, payload, None))
        }
        "request_welcome" => Some(Content::Welcome),
        _ => None,
    }
}

/// An attachment; when Meta could not fetch it there is no object, only an error (131052).
fn media(kind: MediaKind, own: &Value, message: &Value) -> Option<Content> {
    let provider_id = lenient::text(own, "id");
    let failure = meta_errors(message).first().map(|error| error.code);
    if provider_id.is_none() && failure.is_none() {
        return None;
    }
    Some(Content::Media(Media {
        kind,
        mime: lenient::text(own, "mime_type"),
        caption: lenient::text(own, "caption").map(MessageText::new),
        filename: lenient::text(own, "filename").map(MessageText::new),
        voice: kind == MediaKind::Audio && lenient::flag(own, "voice"),
        provider_id,
        failure,
    }))
}

fn card(card: &Value) -> ContactCard {
    let name = card.get("name").and_then(|name| {
        lenient::text(name, "formatted_name").or_else(|| {
            let parts: Vec<_> =
                ["first_name", "last_name"].iter().filter_map(|part| lenient::text(name, part)).collect();
            (!parts.is_empty()).then(|| parts.join(" "))
        })
    });
    let phones = lenient::elements(card, "phones").iter();
    ContactCard {
        name: name.map(PersonName::new),
        phones: phones
            .filter_map(|phone| lenient::text(phone, "phone").or_else(|| lenient::text(phone, "wa_id")))
            .map(Phone::new)
            .collect(),
        own: lenient::text(card, "origin").as_deref() == Some("contact_request"),
    }
}

fn choice(kind: ChoiceKind, title: String, id: Option<String>, description: Option<String>) -> Content {
    Content::Choice { kind, title: MessageText::new(title), id, description: description.map(MessageText::new) }
}

/// The answer to something interactive. A later variant keeps its object as text in the description.
fn interactive(own: &Value) -> Option<Content> {
    let variant = lenient::text(own, "type").or_else(|| own.as_object()?.keys().next().cloned())?;
    let answer = own.get(&variant).unwrap_or(&Value::Null);
    let text = |key: &str| lenient::text(answer, key);
    Some(match variant.as_str() {
        "button_reply" => choice(ChoiceKind::Button, text("title").or_else(|| text("id"))?, text("id"), None),
        "list_reply" => {
            choice(ChoiceKind::List, text("title").or_else(|| text("id"))?, text("id"), text("description"))
        }
        "nfm_reply" => {
            // `response_json` is JSON inside a string; what it means is the flow's affair.
            let filled = text("response_json").or_else(|| answer.get("response_json").map(Value::to_string));
            let name = text("name");
            choice(ChoiceKind::Flow, text("body").or_else(|| name.clone()).unwrap_or(variant), name, filled)
        }
        "call_permission_reply" => {
            let response = text("response").unwrap_or_else(|| variant.clone());
            choice(ChoiceKind::CallPermission, response, text("response_source"), text("expiration_timestamp"))
        }
        _ => {
            let title = ["title", "text", "body"].into_iter().find_map(text).unwrap_or_else(|| variant.clone());
            let rest = (!answer.is_null()).then(|| answer.to_string());
            choice(ChoiceKind::Other, title, Some(variant), rest)
        }
    })
}

/// A cart with its prices in minor units; a line without a SKU is none.
pub(super) fn order(own: &Value) -> Option<InboundContent> {
    let lines: Vec<_> = lenient::elements(own, "product_items").iter().filter_map(line).collect();
    (!lines.is_empty()).then(|| InboundContent::Order {
        catalog: lenient::text(own, "catalog_id"),
        lines,
        text: lenient::text(own, "text").map(MessageText::new),
    })
}

fn line(item: &Value) -> Option<OrderLine> {
    // XXX is ISO 4217's code for "no currency".
    let currency = lenient::text(item, "currency").unwrap_or_else(|| "XXX".to_owned());
    let price = lenient::text(item, "item_price").and_then(|price| money::to_minor(&price, &currency));
    let quantity = lenient::integer(item, "quantity").unwrap_or(1).max(0);
    Some(OrderLine {
        sku: lenient::text(item, "product_retailer_id")?,
        quantity: u32::try_from(quantity).unwrap_or(u32::MAX),
        price_minor: price.unwrap_or(0),
        currency,
    })
}
