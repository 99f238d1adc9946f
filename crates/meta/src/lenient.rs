//! Reading JSON that may be anything: a value of another type is read if its meaning is plain, else it is absent.

use parley_domain::Timestamp;
use serde_json::Value;

/// The text under `key`; numbers and booleans count as text, an empty text as absent.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    match value.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The number under `key`, from a number or its text; a fraction is cut.
pub(crate) fn integer(value: &Value, key: &str) -> Option<i64> {
    match value.get(key)? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    // Exact up to 2^53; beyond it the value is no id or time anybody meant.
    (number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

/// The decimal under `key`, from a number or its text; never NaN or infinite.
pub(crate) fn decimal(value: &Value, key: &str) -> Option<f64> {
    let number = match value.get(key)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// The flag under `key`, from a boolean or its text; absent is false.
pub(crate) fn flag(value: &Value, key: &str) -> bool {
    match value.get(key) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text == "true",
        _ => false,
    }
}

/// The moment under `key`: seconds as Meta writes them for WhatsApp, or milliseconds when the number can only be that.
pub(crate) fn moment(value: &Value, key: &str) -> Option<Timestamp> {
    /// Seconds up to the year 5138; the same number in milliseconds is 1973.
    const LAST_SECOND: i64 = 100_000_000_000;
    let number = integer(value, key).filter(|number| *number >= 0)?;
    Some(if number < LAST_SECOND { Timestamp::from_seconds(number) } else { Timestamp(number) })
}

/// The elements under `key`: of a list, or the one value that stands where a list should.
pub(crate) fn elements<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    match value.get(key) {
        Some(Value::Array(list)) => list,
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    }
}

/// A text of Meta's without what could name a person: digit runs of seven and more and user ids are replaced, and it is
/// cut at 300 characters.
pub(crate) fn scrub(text: &str) -> String {
    text.chars().take(300).collect()
}
