//! Reading JSON that may be anything: a value of another type is read if its meaning is plain, else it is absent.

use parley_domain::Timestamp;
use serde_json::Value;

/// The text under `key`; numbers and booleans count as text, an empty text as absent.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    text_of(value.get(key)?)
}

/// As [`text`], of the value itself.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The number under `key`, from a number or its text; a fraction is cut.
pub(crate) fn integer(value: &Value, key: &str) -> Option<i64> {
    integer_of(value.get(key)?)
}

fn integer_of(value: &Value) -> Option<i64> {
    match value {
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
    moment_of(value.get(key)?)
}

/// As [`moment`], of the value itself.
pub(crate) fn moment_of(value: &Value) -> Option<Timestamp> {
    /// Seconds up to the year 5138; the same number in milliseconds is 1973.
    const LAST_SECOND: i64 = 100_000_000_000;
    let number = integer_of(value).filter(|number| *number >= 0)?;
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

/// The text with every escape of half a surrogate pair replaced by that of U+FFFD; whole pairs stay. Works on JSON source.
pub(crate) fn mend_surrogates(source: &str) -> String {
    let mut mended = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match unit(escape) {
            None => escape.chars().take(2).map(char::len_utf8).sum(),
            Some(0xD800..=0xDBFF) if matches!(escape.get(6..).and_then(unit), Some(0xDC00..=0xDFFF)) => 12,
            Some(0xD800..=0xDFFF) => {
                mended.push_str("\\uFFFD");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            Some(_) => 6,
        };
        let (kept, after) = escape.split_at(length);
        mended.push_str(kept);
        rest = after;
    }
    mended.push_str(rest);
    mended
}

/// The code unit of a `\uXXXX` escape at the start of the text.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

/// Longest text of Meta's that is kept, in characters.
const SCRUBBED_MAX: usize = 300;
/// A run of this many digits may be a phone number; Meta's codes have at most seven, of which phones have more.
const LONG_NUMBER: usize = 8;

/// A text of Meta's without what could name a person: long numbers (also with spaces and dashes inside) and user ids are
/// replaced, and it is cut.
pub(crate) fn scrub(text: &str) -> String {
    let mut clean = String::new();
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        let inside = c.is_alphanumeric() || matches!(c, '+' | '.' | '-' | '(' | ')' | '@' | '=' | '_');
        let spaced = c == ' ' && run.chars().any(|c| c.is_ascii_digit()) && !run.chars().any(char::is_alphabetic);
        if inside || spaced {
            run.push(c);
            continue;
        }
        flush(&mut clean, &run);
        run.clear();
        if c != '\0' {
            clean.push(c);
        }
    }
    clean.chars().take(SCRUBBED_MAX).collect()
}

fn flush(clean: &mut String, run: &str) {
    let digits = run.chars().filter(char::is_ascii_digit).count();
    if digits >= LONG_NUMBER || run.starts_with("wamid.") || run.contains('@') {
        clean.push_str("[removed]");
    } else {
        clean.push_str(run);
    }
}
