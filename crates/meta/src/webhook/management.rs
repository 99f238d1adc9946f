//! Webhook fields that are not about messages: their name, and their natural key. Their content stays raw.

use parley_domain::{Timestamp, WabaId};
use serde_json::value::RawValue;

use super::envelope::{element, fields};
use crate::lenient;

/// The name of a change's field. Meta's own sample of a quality update carries the name of the status update, so the keys
/// decide there (meta-platform.md §2).
pub(super) fn field(
    object: &str,
    named: Option<String>,
    value: &std::collections::BTreeMap<String, &RawValue>,
) -> String {
    let quality = value.contains_key("new_quality_score");
    let name = match named {
        Some(name) if quality && name == "message_template_status_update" => {
            "message_template_quality_update".to_owned()
        }
        Some(name) => name,
        None if quality => "message_template_quality_update".to_owned(),
        None => "unnamed".to_owned(),
    };
    if matches!(object, "page" | "instagram") { format!("{object}.{name}") } else { name }
}

/// Names an event of a page or an Instagram account after what it holds, as `page.messaging.message`.
pub(super) fn page_field(object: &str, list: &str, event: &RawValue) -> String {
    /// Keys that say where an event comes from, not what it is.
    const ENVELOPE: [&str; 3] = ["sender", "recipient", "timestamp"];
    let object = if object.is_empty() { "unnamed" } else { object };
    let kind = fields(event)
        .and_then(|keys| keys.into_keys().find(|key| !ENVELOPE.contains(&key.as_str())))
        .unwrap_or_else(|| "unnamed".to_owned());
    format!("{object}.{list}.{kind}")
}

/// The natural key of a template event (template, event, entry time) or of a handover (number, sender, time, type); `None`
/// for the rest, whose repeats change nothing (meta-platform.md §4.3).
pub(super) fn key(
    field: &str,
    waba: &Option<WabaId>,
    time: Option<Timestamp>,
    value: Option<&RawValue>,
) -> Option<String> {
    let value = element(value?)?;
    let waba = waba.as_ref().map_or("", WabaId::as_str);
    if let Some(template) = lenient::text(&value, "message_template_id") {
        let event = lenient::text(&value, "event").or_else(|| lenient::text(&value, "new_quality_score"));
        return Some(format!("{field}|{waba}|{template}|{}|{}", event.unwrap_or_default(), time?.0));
    }
    if field == "messaging_handovers" {
        let side =
            |name: &str, key: &str| value.get(name).and_then(|side| lenient::text(side, key)).unwrap_or_default();
        let sender = side("sender", "user_id") + &side("sender", "phone_number");
        let at = lenient::text(&value, "timestamp")?;
        let kind = lenient::text(&value, "type").unwrap_or_default();
        return Some(format!("{field}|{}|{sender}|{at}|{kind}", side("recipient", "phone_number_id")));
    }
    None
}
