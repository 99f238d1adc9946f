//! What a member typed into the search field: words, and operators that narrow messages down.
//!
//! `from:` (a contact, a colleague, or `me`), `label:`, `in:` (an inbox), `has:file`, `before:` and `after:` (a day, as
//! 2026-11-22). A value with spaces stands in quotes. What is no operator, or has a value that makes no sense, is words: nothing
//! that was typed is thrown away.

use chrono::NaiveDate;
use parley_domain::Timestamp;

use super::words;

/// Words that are looked at, at most.
const WORDS: usize = 12;

/// A question.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Words to be found.
    pub words: Vec<String>,
    pub from: Option<String>,
    pub labels: Vec<String>,
    pub inbox: Option<String>,
    pub has_file: bool,
    /// Sent before this moment.
    pub before: Option<Timestamp>,
    /// Sent at this moment or later.
    pub after: Option<Timestamp>,
}

impl Query {
    /// Reads what was typed.
    pub fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for part in parts(text) {
            if !query.take_operator(part) {
                query.words.extend(words::words(part).into_iter().map(str::to_owned));
            }
        }
        query.words.truncate(WORDS);
        query
    }

    /// Whether messages are narrowed down by something other than words.
    pub fn narrows(&self) -> bool {
        self.from.is_some()
            || !self.labels.is_empty()
            || self.inbox.is_some()
            || self.has_file
            || self.before.is_some()
            || self.after.is_some()
    }

    fn take_operator(&mut self, part: &str) -> bool {
        let Some((name, value)) = part.split_once(':') else { return false };
        let value = value.trim_matches('"').trim();
        if value.is_empty() {
            return false;
        }
        match name.to_ascii_lowercase().as_str() {
            "from" => self.from = Some(words::folded(value)),
            "label" => self.labels.push(words::folded(value)),
            "in" => self.inbox = Some(words::folded(value)),
            "has" if value.eq_ignore_ascii_case("file") => self.has_file = true,
            "before" if day(value).is_some() => self.before = day(value),
            "after" if day(value).is_some() => self.after = day(value),
            _ => return false,
        }
        true
    }
}

/// The beginning of a day, UTC.
fn day(text: &str) -> Option<Timestamp> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(Timestamp(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis()))
}

/// Cut at spaces, but not within quotes that begin a value.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
        rest = rest.get(start..).unwrap_or_default();
        let blank = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let end = match rest.find(":\"") {
            Some(at) if at < blank => {
                let value = at + 2;
                rest.get(value..).and_then(|value| value.find('"')).map_or(blank, |closing| value + closing + 1)
            }
            _ => blank,
        };
        let (part, left) = rest.split_at(end);
        parts.push(part);
        rest = left;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_taken_out_and_the_rest_is_words() {
        let query = Query::parse("late from:\"Ana María\" label:VIP in:sales has:file after:2026-01-02 Lamp");
        assert_eq!(query.words, ["late", "Lamp"]);
        assert_eq!(query.from.as_deref(), Some("ana maria"));
        assert_eq!(
            (query.labels, query.inbox.as_deref(), query.has_file),
            (vec!["vip".to_owned()], Some("sales"), true)
        );
        assert_eq!((query.before, query.after), (None, Some(Timestamp(1_767_312_000_000))));
    }

    #[test]
    fn what_is_no_operator_is_words_and_nothing_is_lost() {
        for (typed, words) in [
            ("before:yesterday", vec!["before", "yesterday"]),
            ("https://x.example/a", vec!["https", "x", "example", "a"]),
            ("from:", vec!["from"]),
            ("from:\"open", vec![]),
            ("re: order", vec!["re", "order"]),
            ("has:lamp 12:30", vec!["has", "lamp", "12", "30"]),
        ] {
            assert_eq!(Query::parse(typed).words, words, "{typed}");
        }
        assert!(!Query::parse("before:2026-13-45").narrows());
        assert_eq!(Query::parse(&"a ".repeat(500)).words.len(), WORDS);
    }
}
