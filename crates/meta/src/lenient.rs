//! Reading JSON that may be anything: a value of another type is read if its meaning is plain, else it is absent.

use parley_domain::{Bsuid, Timestamp};
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

/// A text of Meta's without what could name a person: long numbers (also with spaces between), user ids, message ids (they
/// hold the phone) and usernames are replaced word by word, and it is cut.
pub(crate) fn scrub(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut clean: Vec<&str> = Vec::new();
    let mut rest = words.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let numbers = rest.iter().take_while(|word| is_numeric(word)).count();
        let (spoken, more) = rest.split_at(numbers.max(1));
        if numbers > 0 && spoken.iter().map(|word| digits(word)).sum::<usize>() >= LONG_NUMBER {
            clean.push(REMOVED);
            rest = more;
        } else {
            clean.push(if names_somebody(first) { REMOVED } else { first });
            rest = after;
        }
    }
    clean.join(" ").chars().take(SCRUBBED_MAX).collect()
}

const REMOVED: &str = "[removed]";

fn digits(word: &str) -> usize {
    word.bytes().filter(u8::is_ascii_digit).count()
}

fn is_numeric(word: &str) -> bool {
    digits(word) > 0 && !word.chars().any(|c| c.is_alphabetic() || c == '#')
}

fn names_somebody(word: &str) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    digits(word) >= LONG_NUMBER || word.contains("wamid.") || word.contains('@') || Bsuid::new(bare).is_well_formed()
}
