//! One element of `statuses[]`, and errors as Meta writes them (meta-platform.md §4).

use parley_domain::Wamid;
use parley_domain::contact::Sender;
use serde_json::Value;

use super::envelope::unreadable;
use super::fact::{Fact, MetaError, Pricing, ReportedState, StatusUpdate};
use super::sender::Ids;
use crate::lenient;

/// Reads one status.
pub(super) fn read(status: &Value, contacts: &[Value]) -> Fact {
    let Some(wamid) = lenient::text(status, "id") else {
        return unreadable("a status has no id");
    };
    let Some(at) = lenient::moment(status, "timestamp") else {
        return unreadable("a status has no readable timestamp");
    };
    // For a group, `recipient_id` names the group and the person stands under `recipient_participant_…`.
    let member = Ids::read(
        status,
        "recipient_participant_id",
        "recipient_participant_user_id",
        "recipient_participant_parent_user_id",
    );
    let to_group = lenient::text(status, "recipient_type").as_deref() == Some("group") || !member.none();
    let recipient = match (to_group, member.none()) {
        (true, true) => Sender::default(),
        (true, false) => member.join(contacts),
        (false, _) => Ids::read(status, "recipient_id", "recipient_user_id", "recipient_parent_user_id").join(contacts),
    };
    Fact::Status(StatusUpdate {
        wamid: Wamid(wamid),
        state: state(status),
        at,
        recipient_user_id: recipient.bsuid.clone(),
        recipient_phone: recipient.phone.clone(),
        recipient,
        group: to_group.then(|| lenient::text(status, "recipient_id")).flatten(),
        opaque: opaque(status),
        errors: meta_errors(status),
        pricing: status.get("pricing").filter(|pricing| pricing.is_object()).map(pricing),
    })
}

fn state(status: &Value) -> ReportedState {
    let word = lenient::text(status, "status").unwrap_or_default();
    match lenient::text(status, "type").as_deref() {
        None | Some("message") => {}
        // A failed payment is no failed message.
        Some(kind) => return ReportedState::Other(format!("{kind}.{word}")),
    }
    match word.to_ascii_lowercase().as_str() {
        "sent" => ReportedState::Sent,
        "delivered" => ReportedState::Delivered,
        "read" => ReportedState::Read,
        "played" => ReportedState::Played,
        "failed" => ReportedState::Failed,
        _ => ReportedState::Other(word),
    }
}

/// Ours is text; should it come back as JSON, its text form is as good.
fn opaque(status: &Value) -> Option<String> {
    match status.get("biz_opaque_callback_data")? {
        value @ (Value::Object(_) | Value::Array(_)) => Some(value.to_string()),
        _ => lenient::text(status, "biz_opaque_callback_data"),
    }
}

fn pricing(pricing: &Value) -> Pricing {
    Pricing {
        category: lenient::text(pricing, "category"),
        kind: lenient::text(pricing, "type"),
        billable: pricing.get("billable").map(|_| lenient::flag(pricing, "billable")),
    }
}

/// The errors of an element.
pub(super) fn meta_errors(element: &Value) -> Vec<MetaError> {
    lenient::elements(element, "errors").iter().map(meta_error).collect()
}

/// One error. The title falls back to the message, the details to nothing.
pub(super) fn meta_error(error: &Value) -> MetaError {
    let details = error.get("error_data").and_then(|more| lenient::text(more, "details"));
    MetaError {
        code: lenient::integer(error, "code").unwrap_or(0),
        title: lenient::text(error, "title")
            .or_else(|| lenient::text(error, "message"))
            .map(|text| lenient::scrub(&text)),
        details: details.or_else(|| lenient::text(error, "details")).map(|text| lenient::scrub(&text)),
    }
}
