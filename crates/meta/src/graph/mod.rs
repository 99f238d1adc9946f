//! The Graph API: sending messages and read marks (meta-platform.md §5, §6).
//!
//! Promise: one call is one request, never repeated here. The result says whether Meta took the message; when that cannot be
//! known, the class is [`ErrorClass::Unknown`]. The HTTP client comes from outside (one egress module per program); at most
//! [`RESPONSE_MAX`] bytes of an answer are read; no token and no personal field is logged.

mod outbound;
mod response;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use parley_domain::contact::Sender;
use parley_domain::protocol::session::Secret;
use parley_domain::{Bsuid, Phone, PhoneNumberId, Wamid};
use serde_json::{Value, json};

use crate::error::{ErrorClass, SendError};
use crate::lenient;

pub use wire::{Broken, Posted, Reply, Wire};

pub use outbound::{
    MediaSource, OutboundContent, OutboundMessage, Recipient, TemplateButton, TemplateComponent, TemplateParameter,
};

/// The version of the Graph API that Parley is written for (meta-platform.md §5).
pub const VERSION: &str = "v26.0";
/// Where the Graph API is.
pub const BASE_URL: &str = "https://graph.facebook.com";
/// Largest answer read, in bytes.
pub const RESPONSE_MAX: usize = 256 * 1024;
/// How long one call may take; afterwards nobody knows what became of it.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Meta took the message. It is not sent yet: failures may still come by webhook (meta-platform.md §0.5).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Accepted {
    pub wamid: Wamid,
    /// Meta holds it for a quality check.
    pub held: bool,
    /// The ids under which Meta knows the recipient; the phone may differ from what was asked for.
    pub recipient: Sender,
}

/// Speaks to the Graph API for any number of business numbers.
#[derive(Clone, Debug)]
pub struct GraphClient {
    wire: Arc<dyn Wire>,
    root: String,
}

impl GraphClient {
    /// A client over `http`, which must not follow redirects: a token belongs to one host. `base_url` is scheme and host
    /// as [`BASE_URL`], `version` as [`VERSION`].
    pub fn new(http: reqwest::Client, base_url: &str, version: &str) -> Self {
        Self::over(Arc::new(http), base_url, version)
    }

    /// The same over another wire than HTTP.
    pub fn over(wire: Arc<dyn Wire>, base_url: &str, version: &str) -> Self {
        Self { wire, root: format!("{}/{version}", base_url.trim_end_matches('/')) }
    }

    /// Sends a message from the number.
    ///
    /// # Errors
    /// The class tells what became of the message; see [`ErrorClass`].
    pub async fn send(
        &self,
        phone_number_id: &PhoneNumberId,
        token: &Secret,
        message: &OutboundMessage,
    ) -> Result<Accepted, SendError> {
        let answer = self.post_messages(phone_number_id, token, &message.to_json()).await?;
        accepted(&answer).ok_or_else(|| {
            SendError::local(ErrorClass::Unknown, "Meta answered with success, but without a message id")
        })
    }

    /// Marks an incoming message as read, and shows the customer that somebody types when `typing` is set: for 25 s or until
    /// the answer (meta-platform.md §6.2). May be repeated.
    ///
    /// # Errors
    /// As for [`Self::send`].
    pub async fn mark_read(
        &self,
        phone_number_id: &PhoneNumberId,
        token: &Secret,
        wamid: &Wamid,
        typing: bool,
    ) -> Result<(), SendError> {
        let mut body = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": wamid.as_str() });
        if typing {
            body["typing_indicator"] = json!({ "type": "text" });
        }
        self.post_messages(phone_number_id, token, &body).await.map(|_| ())
    }

    /// One request; the answer of a success, or what its failure means.
    async fn post_messages(&self, number: &PhoneNumberId, token: &Secret, body: &Value) -> Result<Value, SendError> {
        // The id becomes part of the path: anything but Meta's digits would reach another address with our token.
        if number.as_str().is_empty() || !number.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(SendError::local(ErrorClass::Rejected, "the phone number id is malformed"));
        }
        let url = format!("{}/{}/messages", self.root, number.as_str());
        let reply = self.wire.post(&url, token, body).await.map_err(response::not_answered)?;
        response::read(reply)
    }
}

fn accepted(answer: &Value) -> Option<Accepted> {
    let message = answer.get("messages")?.get(0)?;
    let contact = answer.get("contacts").and_then(|contacts| contacts.get(0)).unwrap_or(&Value::Null);
    Some(Accepted {
        wamid: Wamid(lenient::text(message, "id")?),
        // `accepted` or nothing: on its way. `held_for_quality_assessment`, `paused`: Meta decides later (§6.1).
        held: lenient::text(message, "message_status").is_some_and(|status| status != "accepted"),
        recipient: Sender {
            bsuid: lenient::text(contact, "user_id").map(Bsuid::new),
            phone: lenient::text(contact, "wa_id").map(Phone::new),
            ..Sender::default()
        },
    })
}
