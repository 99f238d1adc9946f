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

/// Reads the answer to a Graph call that did not yield a result. An error object with a code is judged by that code, whatever
/// the status; otherwise the status decides: 4xx is a refusal, anything that is neither that nor readable leaves open what
/// became of the message.
pub fn classify(http_status: u16, body: &[u8]) -> SendError {
    let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let error = answer.get("error").unwrap_or(&Value::Null);
    let Some(code) = lenient::integer(error, "code") else {
        return SendError::local(by_status(http_status), format!("HTTP {http_status} without an error object"));
    };
    let subcode = lenient::integer(error, "error_subcode");
    let transient = lenient::flag(error, "is_transient");
    SendError {
        class: rule(code, subcode).map_or_else(|| unlisted(http_status, transient), |rule| rule.0),
        code: Some(code),
        subcode,
        message: lenient::scrub(&lenient::text(error, "message").unwrap_or_default()),
        fbtrace_id: lenient::text(error, "fbtrace_id"),
        retry_after: None,
    }
}

/// An answer without a code that could be read.
fn by_status(http_status: u16) -> ErrorClass {
    match http_status {
        401 | 403 => ErrorClass::Auth,
        // A proxy gave up waiting; what stands behind it may have gone on.
        408 => ErrorClass::Unknown,
        429 => ErrorClass::RateLimited { after_ms: MINUTE },
        400..=499 => ErrorClass::Rejected,
        _ => ErrorClass::Unknown,
    }
}

/// A code that the table lacks.
fn unlisted(http_status: u16, transient: bool) -> ErrorClass {
    match http_status {
        429 => ErrorClass::RateLimited { after_ms: MINUTE },
        400..=499 if transient => ErrorClass::Transient,
        400..=499 => ErrorClass::Rejected,
        _ => ErrorClass::Unknown,
    }
}

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// The table of meta-platform.md §11.1 and §12.5: the class of a code, and what people are told when the message failed for
/// good. Codes of the same meaning share a line; `None` for a code that is not listed.
fn rule(code: i64, subcode: Option<i64>) -> Option<(ErrorClass, Code)> {
    use ErrorClass::{Auth, RateLimited, Rejected, Unknown, WindowClosed};
    let limited = |after_ms| (RateLimited { after_ms }, Code::MetaRateLimited);
    Some(match code {
        // Messenger and Instagram share code 10 for several things.
        10 => match subcode {
            Some(2_018_278 | 2_534_022) => (WindowClosed, Code::WindowClosed),
            Some(1_893_063) => (Rejected, Code::InboxUnavailable),
            _ => (Auth, Code::MetaAuth),
        },
        0 | 190 | 3 | 200..=299 | 131_005 => (Auth, Code::MetaAuth),
        // Meta may have taken the message (§6.4). Seen in a status, the message did fail.
        1 | 2 | 1_200 | 131_000 | 131_016 | 133_004 => (Unknown, Code::MetaRejected),
        4 | 17 | 32 | 613 | 80_007 => limited(MINUTE),
        130_429 => limited(5 * SECOND),
        131_056 => limited(6 * SECOND),
        131_057 | 2_494_100 => limited(2 * MINUTE),
        132_069 => limited(5 * MINUTE),
        134_101 => limited(10 * MINUTE),
        131_047 => (WindowClosed, Code::WindowClosed),
        // The number or account is stopped: nothing goes out until a person acts.
        368 | 130_403 | 131_031 | 131_037 | 131_042 | 131_044 | 131_045 | 131_064 | 133_010 | 134_011 | 134_102 => {
            (Rejected, Code::InboxUnavailable)
        }
        // Spam limit: waiting minutes does not help, the number must be left alone.
        131_048 => (Rejected, Code::MetaRateLimited),
        // This person cannot be reached, or not with this.
        551 | 130_472 | 130_497 | 131_021 | 131_026 | 131_030 | 131_049 | 131_050 => (Rejected, Code::Undeliverable),
        131_062 => (Rejected, Code::NoAddress),
        131_051 => (Rejected, Code::UnsupportedContent),
        132_005 => (Rejected, Code::TextTooLong),
        // Wrong as it is: parameters, templates, media, registration, calls, flows, blocking, groups, usernames.
        33
        | 100
        | 131_008
        | 131_009
        | 131_020
        | 131_041
        | 131_052
        | 131_053
        | 131_055
        | 131_059
        | 131_060
        | 131_063
        | 131_200..=131_299
        | 132_000
        | 132_001
        | 132_007
        | 132_008
        | 132_012
        | 132_015
        | 132_016
        | 132_018
        | 132_068
        | 133_000
        | 133_005
        | 133_006
        | 133_008
        | 133_009
        | 133_015
        | 133_016
        | 134_100
        | 135_000
        | 137_000
        | 138_000..=138_018
        | 139_000..=139_004
        | 139_100..=139_103
        | 147_001..=147_005
        | 2_388_000..=2_388_999
        | 2_593_107..=2_593_109 => (Rejected, Code::MetaRejected),
        _ => return None,
    })
}

/// The domain's code for a class and Meta's code, as shown to people.
pub fn to_code(class: ErrorClass, meta_code: Option<i64>) -> Code {
    match class {
        ErrorClass::Auth => Code::MetaAuth,
        ErrorClass::RateLimited { .. } => Code::MetaRateLimited,
        ErrorClass::WindowClosed => Code::WindowClosed,
        ErrorClass::Rejected => {
            meta_code.and_then(|code| rule(code, None)).map_or(Code::MetaRejected, |(_, shown)| shown)
        }
        ErrorClass::Transient => Code::ServerFailed,
        ErrorClass::Unknown => Code::Unconfirmed,
    }
}

/// The domain's code for a failure that Meta reports afterwards, in a `failed` status: there the message did fail, whatever
/// the same code would mean as the answer to a call.
pub fn failure_code(meta_code: i64) -> Code {
    to_code(ErrorClass::Rejected, Some(meta_code))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn body(code: i64) -> Vec<u8> {
        serde_json::json!({ "error": { "message": "(#1) words", "code": code, "fbtrace_id": "Trace9" } })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn each_code_has_the_class_that_the_table_of_the_reference_gives_it() {
        use ErrorClass::{Auth, Rejected, Unknown, WindowClosed};
        for (codes, class, shown) in [
            (&[0, 190, 3, 10, 200, 299, 131_005][..], Auth, Code::MetaAuth),
            (&[1, 2, 131_000, 131_016, 133_004], Unknown, Code::Unconfirmed),
            (&[131_047], WindowClosed, Code::WindowClosed),
            (&[368, 131_031, 131_037, 131_042, 131_045, 131_064, 133_010], Rejected, Code::InboxUnavailable),
            (&[131_026, 131_030, 131_049, 131_050, 130_472, 551], Rejected, Code::Undeliverable),
            (&[33, 100, 131_008, 131_009, 132_000, 132_012, 132_015, 135_000, 2_388_024], Rejected, Code::MetaRejected),
            (&[131_048], Rejected, Code::MetaRateLimited),
            (&[131_062], Rejected, Code::NoAddress),
        ] {
            for code in codes {
                let error = classify(400, &body(*code));
                assert_eq!((error.class, error.code()), (class, shown), "{code}");
                assert_eq!(
                    error.class,
                    classify(500, &body(*code)).class,
                    "a listed code decides, not the status: {code}"
                );
            }
        }
        for code in [4, 613, 80_007, 130_429, 131_056, 131_057, 132_069, 134_101] {
            let error = classify(400, &body(code));
            assert!(matches!(error.class, ErrorClass::RateLimited { after_ms: 1_000.. }), "{code}");
            assert_eq!(error.code(), Code::MetaRateLimited, "{code}");
        }
    }

    #[test]
    fn without_a_known_code_only_a_refusal_is_sure() {
        let html = b"<html><title>503 Service Temporarily Unavailable</title></html>".as_slice();
        for (status, class) in [
            (400, ErrorClass::Rejected),
            (404, ErrorClass::Rejected),
            (401, ErrorClass::Auth),
            (429, ErrorClass::RateLimited { after_ms: 60_000 }),
            (408, ErrorClass::Unknown),
            (200, ErrorClass::Unknown),
            (302, ErrorClass::Unknown),
            (500, ErrorClass::Unknown),
            (503, ErrorClass::Unknown),
        ] {
            for unreadable in [html, b"", b"{\"error\":", b"[]", b"{\"error\":\"no\"}"] {
                assert_eq!(classify(status, unreadable).class, class, "{status}");
            }
        }
        assert_eq!(classify(400, &body(999_999)).class, ErrorClass::Rejected);
        assert_eq!(classify(500, &body(999_999)).class, ErrorClass::Unknown);
        let transient = br#"{"error":{"code":999999,"is_transient":true,"message":"later"}}"#;
        assert_eq!(classify(400, transient).class, ErrorClass::Transient);
        assert_eq!(classify(503, transient).class, ErrorClass::Unknown);
    }

    #[test]
    fn one_code_of_messenger_means_several_things() {
        let with = |subcode: i64| {
            classify(400, format!("{{\"error\":{{\"code\":10,\"error_subcode\":{subcode}}}}}").as_bytes()).class
        };
        assert_eq!(with(2_018_278), ErrorClass::WindowClosed);
        assert_eq!(with(2_534_022), ErrorClass::WindowClosed);
        assert_eq!(with(1_893_063), ErrorClass::Rejected);
        assert_eq!(with(1), ErrorClass::Auth);
    }

    #[test]
    fn a_failure_reported_later_is_a_failure_whatever_its_code() {
        assert_eq!(failure_code(131_000), Code::MetaRejected);
        assert_eq!(failure_code(131_047), Code::WindowClosed);
        assert_eq!(failure_code(131_026), Code::Undeliverable);
        assert_eq!(failure_code(424_242), Code::MetaRejected);
    }

    #[test]
    fn words_of_meta_lose_what_names_a_person_and_keep_the_rest() {
        let message =
            "(#100) Recipient +49 151 555-00137 (DE.7Kq2m, wamid.HBgLMTY1MDM4) of @ilse.b: field 12 is bad in v26.0";
        let body = serde_json::json!({ "error": { "message": message, "code": 100, "error_subcode": 33 } }).to_string();
        let error = classify(400, body.as_bytes());
        assert_eq!(
            error.message,
            "(#100) Recipient [removed] [removed] [removed] of [removed] field 12 is bad in v26.0"
        );
        assert_eq!(error.subcode, Some(33));
        let long = serde_json::json!({ "error": { "message": "word ".repeat(1_000), "code": 100 } }).to_string();
        assert!(classify(400, long.as_bytes()).message.len() <= 300);
    }
}
