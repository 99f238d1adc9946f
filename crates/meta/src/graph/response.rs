//! The answer to a Graph call, or its absence, as a result.
//!
//! Promise: only what happened before the first byte of the request left, or a definite refusal, is called not
//! accepted.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use super::wire::{Broken, Reply};
use crate::error::{ErrorClass, SendError, classify};
use crate::lenient;

/// A call that got no answer.
pub(super) fn not_answered(broken: Broken) -> SendError {
    match broken {
        Broken::NotConnected => SendError::local(ErrorClass::Transient, "no connection to Meta"),
        Broken::Malformed => SendError::local(ErrorClass::Rejected, "the request could not be made"),
        Broken::NoAnswer => SendError::local(ErrorClass::Unknown, "no answer in time"),
        Broken::CutOff => SendError::local(ErrorClass::Unknown, "the connection broke before the answer"),
    }
}

/// The body of a success as JSON; anything else as an error.
pub(super) fn read(reply: Reply) -> Result<Value, SendError> {
    let Reply { status, headers, body, whole } = reply;
    let retry_after = asked_to_wait(&headers);
    if (200..300).contains(&status) {
        let answer = whole.then(|| serde_json::from_slice::<Value>(&body).ok()).flatten();
        return match answer {
            Some(answer) if answer.get("error").is_none() => Ok(answer),
            Some(_) => Err(classify(status, &body)),
            None => Err(SendError::local(ErrorClass::Unknown, "Meta's answer could not be read")),
        };
    }
    let mut error = classify(status, &body);
    error.retry_after = retry_after;
    if let (ErrorClass::RateLimited { after_ms }, Some(asked)) = (&mut error.class, retry_after) {
        *after_ms = asked.max(*after_ms);
    }
    Err(error)
}

/// Milliseconds that the headers ask to wait: `Retry-After` in seconds, or the longest `estimated_time_to_regain_access` in
/// minutes of `X-Business-Use-Case-Usage` (meta-platform.md §5). At most a day.
fn asked_to_wait(headers: &HeaderMap) -> Option<u64> {
    const DAY_MS: u64 = 86_400_000;
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse::<u64>().ok());
    let minutes = headers.get("x-business-use-case-usage").and_then(|value| {
        let usage: Value = serde_json::from_slice(value.as_bytes()).ok()?;
        let waits = usage.as_object()?.values().flat_map(|list| list.as_array().into_iter().flatten());
        waits
            .filter_map(|entry| u64::try_from(lenient::integer(entry, "estimated_time_to_regain_access")?).ok())
            .max()
            .filter(|minutes| *minutes > 0)
    });
    let asked = seconds.map(|s| s.saturating_mul(1_000)).max(minutes.map(|m| m.saturating_mul(60_000)))?;
    Some(asked.min(DAY_MS))
}
