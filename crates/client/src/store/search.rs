//! Full-text search over messages and contacts: every word must be there, each may be the beginning of a word, diacritics
//! and case do not matter. Newest first; never ranked over everything (build.md §5).

use parley_domain::{ConversationId, MessageText, PersonName, Phone};
use rusqlite::{Connection, params};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::messages;
use super::rows::{get, get_maybe};
use crate::Result;
use crate::views::{ContactHit, MessageHit, SearchResult, SnippetPart};

/// Characters shown before the first hit, and in all.
const LEAD: usize = 40;
const SNIPPET: usize = 160;
const CONTACTS: u32 = 20;

/// Finds messages and contacts.
pub fn search(connection: &Connection, text: &str, limit: u32) -> Result<SearchResult> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| !word.is_empty())
        .take(12)
        .map(str::to_owned)
        .collect();
    let mut result = SearchResult { messages: Vec::new(), contacts: Vec::new() };
    if words.is_empty() {
        return Ok(result);
    }
    let query: String = words.iter().map(|word| format!("\"{word}\"* ")).collect();
    let folded: Vec<String> = words.iter().map(|word| fold(word)).collect();
    let sql = format!(
        "SELECT {}, contact.name FROM message_text
         JOIN message ON message.row = message_text.rowid
         JOIN conversation ON conversation.id = message.conversation
         LEFT JOIN contact ON contact.id = conversation.contact
         WHERE message_text MATCH ?1 ORDER BY message_text.rowid DESC LIMIT ?2",
        messages::COLUMNS.split(", ").map(|column| format!("message.{}", column.trim())).collect::<Vec<_>>().join(", ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(params![query, limit.clamp(1, 200)])?;
    while let Some(row) = found.next()? {
        let message = messages::message(row)?.message;
        result.messages.push(MessageHit {
            message: message.id,
            conversation: message.conversation,
            contact_name: row.get::<_, Option<String>>(15)?.map(PersonName::new),
            direction: message.direction,
            sent_at: message.sent_at,
            snippet: snippet(message.content.searchable().unwrap_or_default(), &folded),
        });
    }
    result.contacts = contacts(connection, text, &query)?;
    Ok(result)
}

fn contacts(connection: &Connection, text: &str, query: &str) -> Result<Vec<ContactHit>> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let numeric = digits.len() >= 4 && text.chars().all(|c| c.is_ascii_digit() || " +-()/".contains(c));
    let columns = "contact.id, contact.name, contact.phone, (SELECT id FROM conversation WHERE contact = contact.id \
                   ORDER BY active_at DESC LIMIT 1)";
    let (sql, value) = if numeric {
        (format!("SELECT {columns} FROM contact WHERE phone LIKE ?1 LIMIT {CONTACTS}"), format!("%{digits}%"))
    } else {
        (
            format!(
                "SELECT {columns} FROM contact_text JOIN contact ON contact.row = contact_text.rowid
                 WHERE contact_text MATCH ?1 ORDER BY contact_text.rowid DESC LIMIT {CONTACTS}"
            ),
            query.to_owned(),
        )
    };
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query([value])?;
    let mut hits = Vec::new();
    while let Some(row) = found.next()? {
        hits.push(ContactHit {
            contact: get(row, 0)?,
            name: row.get::<_, Option<String>>(1)?.map(PersonName::new),
            phone: row.get::<_, Option<String>>(2)?.map(Phone::new),
            conversation: get_maybe::<ConversationId>(row, 3)?,
        });
    }
    Ok(hits)
}

/// Lower case without marks, the way the index folds.
fn fold(text: &str) -> String {
    text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect()
}

/// Pieces of `text` around the first hit; words that begin with one of `wanted` are marked.
fn snippet(text: &str, wanted: &[String]) -> Vec<SnippetPart> {
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut word = String::new();
    let close = |word: &mut String, pieces: &mut Vec<(String, bool)>| {
        if !word.is_empty() {
            let folded = fold(word);
            let hit = wanted.iter().any(|wanted| folded.starts_with(wanted.as_str()));
            push(pieces, std::mem::take(word), hit);
        }
    };
    for c in text.chars() {
        if c.is_alphanumeric() || is_combining_mark(c) {
            word.push(c);
        } else {
            close(&mut word, &mut pieces);
            push(&mut pieces, if c.is_control() { ' ' } else { c }.to_string(), false);
        }
    }
    close(&mut word, &mut pieces);
    cut(pieces)
}

fn push(pieces: &mut Vec<(String, bool)>, text: String, hit: bool) {
    match pieces.last_mut() {
        Some((last, was_hit)) if *was_hit == hit => last.push_str(&text),
        _ => pieces.push((text, hit)),
    }
}

fn cut(mut pieces: Vec<(String, bool)>) -> Vec<SnippetPart> {
    if let [(lead, false), (_, true), ..] = pieces.as_mut_slice() {
        let length = lead.chars().count();
        if length > LEAD {
            let tail: String = lead.chars().skip(length - LEAD).collect();
            *lead = format!("…{tail}");
        }
    }
    let mut room = SNIPPET;
    let mut parts = Vec::new();
    for (text, hit) in pieces {
        if room == 0 {
            break;
        }
        let taken: String = text.chars().take(room).collect();
        room -= taken.chars().count();
        let shortened = taken.len() < text.len();
        parts.push(SnippetPart { text: MessageText::new(if shortened { format!("{taken}…") } else { taken }), hit });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, words: &[&str]) -> String {
        let wanted: Vec<String> = words.iter().map(|word| fold(word)).collect();
        snippet(text, &wanted)
            .into_iter()
            .map(|part| if part.hit { format!("[{}]", part.text.expose()) } else { part.text.expose().to_owned() })
            .collect()
    }

    #[test]
    fn marks_words_that_begin_with_what_was_typed_whatever_their_accents() {
        assert_eq!(shown("Ein Café, bitte", &["cafe"]), "Ein [Café], bitte");
        assert_eq!(shown("deliver the delivery", &["deliv"]), "[deliver] the [delivery]");
        assert_eq!(shown("أين طلبي من فضلك", &["طلب"]), "أين [طلبي] من فضلك");
    }

    #[test]
    fn long_texts_are_cut_around_the_first_hit() {
        let text = format!("{} needle {}", "x ".repeat(200), "y ".repeat(200));
        let cut = shown(&text, &["needle"]);
        assert!(cut.starts_with('…') && cut.contains("[needle]") && cut.ends_with('…'), "{cut}");
        assert!(cut.chars().count() < 180);
    }
}
