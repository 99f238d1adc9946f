//! From the body to its items.
//!
//! The envelope is read level by level and keeps every element as raw text until that element alone is parsed. So one element
//! that serde refuses (half a surrogate pair, a number out of range) costs only itself.

use std::collections::BTreeMap;

use parley_domain::{Code, Phone, PhoneNumberId, Timestamp, WabaId};
use serde_json::Value;
use serde_json::value::RawValue;

use super::fact::{Fact, Item};
use super::{management, message, status};
use crate::lenient;

/// Deeper nesting than this is refused as a whole; Meta's own bodies have about ten levels.
pub const DEPTH_MAX: usize = 512;

/// Why a body is no webhook at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseError {
    #[error("the body is not JSON")]
    NotJson,
    #[error("the body is JSON, but not an object")]
    NotAnObject,
    #[error("the body is nested too deep")]
    TooDeep,
}

impl ParseError {
    /// The domain's code for it.
    pub fn code(self) -> Code {
        Code::BadRequest
    }
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// Splits a webhook body into its items. Bytes that are no UTF-8 are replaced, not refused.
///
/// # Errors
/// Only when the body as a whole is unreadable; see [`ParseError`].
pub fn parse(raw: &[u8]) -> Result<Vec<Item>, ParseError> {
    let body = String::from_utf8_lossy(raw);
    if depth(&body) > DEPTH_MAX {
        return Err(ParseError::TooDeep);
    }
    let whole: &RawValue = serde_json::from_str(&body).map_err(|_| ParseError::NotJson)?;
    let root = fields(whole).ok_or(ParseError::NotAnObject)?;

    let object = root.get("object").and_then(|raw| plain_text(raw)).unwrap_or_default();
    let whatsapp = !matches!(object.as_str(), "page" | "instagram");
    let mut split = Split { items: Vec::new(), object, field: field_name(&root), whatsapp };
    match root.get("entry") {
        Some(entries) => {
            for entry in list(entries) {
                split.entry(entry);
            }
        }
        // The dashboard's test button sends a change without its envelope.
        None if root.contains_key("value") => split.change(whole, &Place::default()),
        None => split.push(&Place::default(), whole, unreadable("the body has no entry")),
    }
    Ok(split.items)
}

/// Where an element stands.
#[derive(Clone, Default)]
struct Place {
    waba: Option<WabaId>,
    number: Option<PhoneNumberId>,
    display: Option<Phone>,
    time: Option<Timestamp>,
    field: Option<String>,
}

struct Split {
    items: Vec<Item>,
    object: String,
    /// A field name that stands at the root by mistake.
    field: Option<String>,
    whatsapp: bool,
}

impl Split {
    fn push(&mut self, place: &Place, raw: &RawValue, fact: Fact) {
        // A body of at most 4 MB has fewer elements than fit.
        let index = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(Item {
            index,
            waba: place.waba.clone(),
            phone_number_id: place.number.clone(),
            display_phone: place.display.clone(),
            entry_time: place.time,
            fact,
            raw_part: raw.to_owned(),
            management_key: None,
        });
    }

    fn entry(&mut self, raw: &RawValue) {
        let Some(entry) = fields(raw) else {
            return self.push(&Place::default(), raw, unreadable("an entry is not an object"));
        };
        let place = Place {
            waba: entry.get("id").and_then(|raw| plain_text(raw)).filter(|_| self.whatsapp).map(WabaId),
            time: entry.get("time").and_then(|raw| element(raw)).and_then(|time| lenient::moment_of(&time)),
            field: field_name(&entry),
            ..Place::default()
        };
        let before = self.items.len();
        if let Some(changes) = entry.get("changes") {
            for change in list(changes) {
                self.change(change, &place);
            }
        } else if entry.contains_key("value") {
            self.change(raw, &place);
        }
        // Messenger and Instagram: not interpreted yet, each event is kept as an item of its own.
        for kind in ["messaging", "standby"] {
            for event in entry.get(kind).into_iter().flat_map(|raw| list(raw)) {
                let field = management::page_field(&self.object, kind, event);
                self.push(&place, event, Fact::Management { field });
            }
        }
        if self.items.len() == before && !["changes", "messaging"].iter().any(|key| entry.contains_key(*key)) {
            self.push(&place, raw, unreadable("an entry has no changes"));
        }
    }

    fn change(&mut self, raw: &RawValue, place: &Place) {
        let Some(change) = fields(raw) else {
            return self.push(place, raw, unreadable("a change is not an object"));
        };
        let value = change.get("value").and_then(|raw| fields(raw)).unwrap_or_default();
        let field = field_name(&change)
            .or_else(|| field_name(&value))
            .or_else(|| place.field.clone())
            .or_else(|| self.field.clone());
        let metadata = value.get("metadata").and_then(|raw| element(raw)).unwrap_or(Value::Null);
        let display = lenient::text(&metadata, "display_phone_number")
            .or_else(|| value.get("display_phone_number").and_then(|raw| plain_text(raw)));
        let number = lenient::text(&metadata, "phone_number_id")
            .or_else(|| value.get("recipient").and_then(|raw| lenient::text(&element(raw)?, "phone_number_id")));
        let place = Place { number: number.map(PhoneNumberId), display: display.map(Phone::new), ..place.clone() };

        let says_messages = ["messages", "statuses", "errors"].iter().any(|key| value.contains_key(*key));
        let about_messages = match field.as_deref() {
            Some("messages") => true,
            Some(_) => false,
            None => says_messages && value.contains_key("messaging_product"),
        };
        if self.whatsapp && about_messages && says_messages {
            self.messages(&value, &place, raw);
        } else {
            let field = management::field(&self.object, field, &value);
            let key = management::key(&field, &place.waba, place.time, change.get("value").copied());
            self.push(&place, raw, Fact::Management { field });
            if let Some(item) = self.items.last_mut() {
                item.management_key = key;
            }
        }
    }

    fn messages(&mut self, value: &Fields<'_>, place: &Place, change: &RawValue) {
        let contacts: Vec<Value> =
            value.get("contacts").into_iter().flat_map(|raw| list(raw)).filter_map(element).collect();
        let before = self.items.len();
        for kind in ["messages", "statuses", "errors"] {
            for raw in value.get(kind).into_iter().flat_map(|raw| list(raw)) {
                let fact = match (kind, element(raw)) {
                    (_, None) => unreadable("the element is not valid JSON text"),
                    (_, Some(part)) if !part.is_object() => unreadable("the element is not an object"),
                    ("messages", Some(part)) => message::read(&part, &contacts),
                    ("statuses", Some(part)) => status::read(&part, &contacts),
                    (_, Some(part)) => Fact::Error(status::meta_error(&part)),
                };
                self.push(place, raw, fact);
            }
        }
        if self.items.len() == before {
            // Lists that are all empty: nothing to apply, and still not thrown away.
            self.push(place, change, Fact::Management { field: "messages".to_owned() });
        }
    }
}

pub(super) fn unreadable(reason: &'static str) -> Fact {
    Fact::Unreadable { reason }
}

fn field_name(fields: &Fields<'_>) -> Option<String> {
    fields.get("field").and_then(|raw| plain_text(raw))
}

/// The members of an object; `None` for anything else. The last of two equal keys counts.
pub(super) fn fields(raw: &RawValue) -> Option<Fields<'_>> {
    serde_json::from_str(raw.get()).ok()
}

/// The elements of a list, or the one value where a list should be; null is none.
fn list(raw: &RawValue) -> Vec<&RawValue> {
    match serde_json::from_str(raw.get()) {
        Ok(elements) => elements,
        Err(_) if raw.get() == "null" => Vec::new(),
        Err(_) => vec![raw],
    }
}

/// One element as a value. Half a surrogate pair, which senders' apps produce by cutting an emoji, is replaced.
pub(super) fn element(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).or_else(|_| serde_json::from_str(&lenient::mend_surrogates(raw.get()))).ok()
}

fn plain_text(raw: &RawValue) -> Option<String> {
    lenient::text_of(&element(raw)?)
}

/// How deep brackets nest outside of strings. Serde skips raw values without recursion, so any depth is safe to look at; it
/// is bounded because what is stored is read again by others.
fn depth(body: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0usize);
    let (mut in_text, mut escaped) = (false, false);
    for byte in body.bytes() {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}
