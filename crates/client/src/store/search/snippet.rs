//! Pieces of a text around the first hit, for the list of results.

use parley_domain::MessageText;
use unicode_normalization::char::is_combining_mark;

use super::words::{folded, stands_alone};
use crate::views::SnippetPart;

/// Characters shown before the first hit, and in all.
const LEAD: usize = 40;
const SNIPPET: usize = 160;

/// Pieces of `text`; words that begin with one of `wanted` (folded) are marked. In scripts without spaces the letters themselves
/// are marked wherever they stand.
pub fn snippet(text: &str, wanted: &[String]) -> Vec<SnippetPart> {
    let mut pieces: Vec<(String, bool)> = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if stands_alone(first) {
            let hit = wanted.iter().find_map(|wanted| run(rest, wanted));
            let one = letter(rest);
            push(&mut pieces, rest.get(..hit.unwrap_or(one)).unwrap_or_default(), hit.is_some());
            hit.unwrap_or(one)
        } else if first.is_alphanumeric() || is_combining_mark(first) {
            let within = |c: char| (c.is_alphanumeric() || is_combining_mark(c)) && !stands_alone(c);
            let length = rest.find(|c: char| !within(c)).unwrap_or(rest.len());
            let word = rest.get(..length).unwrap_or_default();
            let form = folded(word);
            push(&mut pieces, word, wanted.iter().any(|wanted| form.starts_with(wanted.as_str())));
            length
        } else {
            let shown = if first.is_control() { " " } else { rest.get(..first.len_utf8()).unwrap_or_default() };
            push(&mut pieces, shown, false);
            first.len_utf8()
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    cut(pieces)
}

/// Bytes of the first letter with its marks.
fn letter(text: &str) -> usize {
    text.char_indices().skip(1).find(|(_, c)| !is_combining_mark(*c)).map_or(text.len(), |(at, _)| at)
}

/// Bytes at the beginning of `text` that are the letters of `wanted`.
fn run(text: &str, wanted: &str) -> Option<usize> {
    let mut end = 0;
    for asked in wanted.split(' ') {
        let rest = text.get(end..)?;
        if !stands_alone(rest.chars().next()?) {
            return None;
        }
        let length = letter(rest);
        if !folded(rest.get(..length)?).starts_with(asked) {
            return None;
        }
        end += length;
    }
    Some(end)
}

fn push(pieces: &mut Vec<(String, bool)>, text: &str, hit: bool) {
    match pieces.last_mut() {
        Some((last, was_hit)) if *was_hit == hit => last.push_str(text),
        _ => pieces.push((text.to_owned(), hit)),
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
        let wanted: Vec<String> = words.iter().map(|word| folded(word)).collect();
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
        assert_eq!(shown("我想买手机壳", &["手机"]), "我想买[手机]壳");
        assert_eq!(shown("อยากได้โคมไฟค่ะ", &["โคมไฟ"]), "อยากได้[โคมไฟ]ค่ะ");
    }

    #[test]
    fn long_texts_are_cut_around_the_first_hit() {
        let text = format!("{} needle {}", "x ".repeat(200), "y ".repeat(200));
        let cut = shown(&text, &["needle"]);
        assert!(cut.starts_with('…') && cut.contains("[needle]") && cut.ends_with('…'), "{cut}");
        assert!(cut.chars().count() < 180);
    }
}
