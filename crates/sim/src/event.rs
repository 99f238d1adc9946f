//! Webhook events before they are put into bodies, and the JSON of each (`meta-platform.md` §1.4, §3, §4).
//!
//! Promise: a person's phone appears only where Meta would show it; keys that Meta leaves out are absent, not empty.

use serde_json::{Map, Value, json};

/// One message, one status, or one whole `value` of another field.
#[derive(Debug, Clone)]
pub struct Event {
    /// The business number that it concerns (index into the config); irrelevant for a raw one.
    pub number: usize,
    /// What happened.
    pub what: What,
}

/// The kinds of events.
#[derive(Debug, Clone)]
pub enum What {
    /// `value.messages[]`.
    Message {
        /// The matching `contacts[]` element; system messages have none.
        contact: Option<Value>,
        /// The message.
        message: Value,
    },
    /// `value.statuses[]`.
    Status {
        /// The matching `contacts[]` element; failed statuses have none.
        contact: Option<Value>,
        /// The status.
        status: Value,
    },
    /// Any other field, its `value` as given.
    Raw {
        /// `changes[].field`.
        field: String,
        /// `changes[].value`.
        value: Value,
    },
}

/// A customer as webhooks identify them.
#[derive(Debug, Clone)]
pub struct Identity<'a> {
    /// Business-scoped user id.
    pub user_id: &'a str,
    /// Digits of the phone, where Meta shows it.
    pub phone: Option<&'a str>,
    /// Profile name.
    pub name: &'a str,
    /// With the `@`.
    pub username: Option<&'a str>,
}

impl Identity<'_> {
    /// The `contacts[]` element.
    pub fn contact(&self) -> Value {
        let mut profile = Map::new();
        profile.insert("name".into(), json!(self.name));
        if let Some(username) = self.username {
            profile.insert("username".into(), json!(username));
        }
        let mut contact = Map::new();
        contact.insert("profile".into(), Value::Object(profile));
        if let Some(phone) = self.phone {
            contact.insert("wa_id".into(), json!(phone));
        }
        contact.insert("user_id".into(), json!(self.user_id));
        Value::Object(contact)
    }

    /// An element of `messages[]`.
    pub fn message(&self, wamid: &str, at_ms: i64, kind: &str, object: Value, context: Option<Value>) -> Value {
        let mut message = Map::new();
        if let Some(phone) = self.phone {
            message.insert("from".into(), json!(phone));
        }
        message.insert("from_user_id".into(), json!(self.user_id));
        message.insert("id".into(), json!(wamid));
        message.insert("timestamp".into(), json!(seconds(at_ms)));
        message.insert("type".into(), json!(kind));
        if !object.is_null() {
            message.insert(kind.to_owned(), object);
        }
        if let Some(context) = context {
            message.insert("context".into(), context);
        }
        Value::Object(message)
    }
}

/// What a status needs to know about the send.
#[derive(Debug, Clone)]
pub struct StatusOf<'a> {
    /// The send's wamid.
    pub wamid: &'a str,
    /// `sent`, `delivered`, `read`, `failed`.
    pub status: &'a str,
    /// When.
    pub at_ms: i64,
    /// Phone digits, where shown.
    pub phone: Option<&'a str>,
    /// Recipient's BSUID, where shown.
    pub user_id: Option<&'a str>,
    /// Echo of the send's `biz_opaque_callback_data`.
    pub opaque: Option<&'a str>,
    /// `service`, `utility`, `marketing`, `authentication`.
    pub category: &'a str,
    /// Code, title and details of a failure.
    pub error: Option<(i64, &'a str, &'a str)>,
}

impl StatusOf<'_> {
    /// An element of `statuses[]`. Pricing comes with sent and delivered.
    pub fn value(&self) -> Value {
        let mut status = Map::new();
        status.insert("id".into(), json!(self.wamid));
        status.insert("status".into(), json!(self.status));
        status.insert("timestamp".into(), json!(seconds(self.at_ms)));
        if let Some(phone) = self.phone {
            status.insert("recipient_id".into(), json!(phone));
        }
        if let Some(user_id) = self.user_id {
            status.insert("recipient_user_id".into(), json!(user_id));
        }
        if let Some(opaque) = self.opaque {
            status.insert("biz_opaque_callback_data".into(), json!(opaque));
        }
        if matches!(self.status, "sent" | "delivered") {
            let pricing =
                json!({"billable": true, "pricing_model": "PMP", "type": "regular", "category": self.category});
            status.insert("pricing".into(), pricing);
        }
        if let Some((code, title, details)) = self.error {
            let error = json!({
                "code": code, "title": title, "message": title, "error_data": {"details": details},
                "href": "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes",
            });
            status.insert("errors".into(), json!([error]));
        }
        Value::Object(status)
    }
}

/// Meta's message timestamps are strings of whole seconds.
fn seconds(at_ms: i64) -> String {
    at_ms.div_euclid(1000).to_string()
}
