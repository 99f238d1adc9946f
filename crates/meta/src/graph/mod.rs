//! The Graph API: sending messages and read marks (meta-platform.md §5, §6).
//!
//! Promise: one call is one request, never repeated here. The result says whether Meta took the message; when that cannot be
//! known, the class is [`ErrorClass::Unknown`]. The HTTP client comes from outside (one egress module per program); at most
//! [`RESPONSE_MAX`] bytes of an answer are read; no token and no personal field is logged.

mod outbound;

use std::time::Duration;

use parley_domain::contact::Sender;
use parley_domain::protocol::session::Secret;
use parley_domain::{PhoneNumberId, Wamid};

use crate::error::{ErrorClass, SendError};

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
    http: reqwest::Client,
    root: String,
}

impl GraphClient {
    /// A client over `http`. `base_url` is a scheme and host as [`BASE_URL`], `version` as [`VERSION`].
    pub fn new(http: reqwest::Client, base_url: &str, version: &str) -> Self {
        Self { http, root: format!("{}/{version}", base_url.trim_end_matches('/')) }
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
        let _ = (&self.http, &self.root, phone_number_id, token, message);
        Err(SendError::local(ErrorClass::Transient, "not connected"))
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
        let _ = (phone_number_id, token, wamid, typing);
        Err(SendError::local(ErrorClass::Transient, "not connected"))
    }
}
