//! Words as the index has them: what is folded away, and where words begin in scripts that put no spaces between them.
//!
//! Text and question go through the same function, so they meet. Why this way, with figures: docs/adr/0006-search.md.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The form in which a text stands in the index. It must not change without a step that indexes everything again: a text is
/// taken out of the index by the form in which it went in.
pub fn indexed(text: &str) -> String {
    let mut form = String::with_capacity(text.len() + text.len() / 4);
    for c in text.nfkc().filter_map(fold_arabic) {
        if stands_alone(c) {
            form.push(' ');
            form.push(c);
        } else if is_combining_mark(c) || !c.is_alphanumeric() {
            form.push(c);
        } else {
            if form.chars().next_back().is_some_and(|last| ends_alone(&form, last)) {
                form.push(' ');
            }
            form.push(digit(c));
        }
    }
    form
}

/// Whether the text ends with a letter that stands alone, marks on it passed over.
fn ends_alone(form: &str, last: char) -> bool {
    stands_alone(last)
        || is_combining_mark(last) && form.chars().rev().find(|c| !is_combining_mark(*c)).is_some_and(stands_alone)
}

/// Letters of scripts that do not put spaces between words: each is a word of its own to the index, and a question of several
/// is a phrase. Thai, Lao, Myanmar, Khmer, Han, Hiragana, Katakana.
pub fn stands_alone(c: char) -> bool {
    !is_combining_mark(c)
        && c.is_alphabetic()
        && matches!(u32::from(c),
            0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17DD | 0x3005..=0x3007 | 0x3040..=0x30FF | 0x31F0..=0x31FF
            | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA9E0..=0xA9FE | 0xAA60..=0xAA7F | 0xF900..=0xFAFF | 0x20000..=0x323AF)
}

/// Arabic is written with and without vowel signs, lengthening strokes and hamza: all forms meet.
fn fold_arabic(c: char) -> Option<char> {
    match c {
        '\u{0640}' | '\u{064B}'..='\u{065F}' | '\u{0670}' => None,
        'أ' | 'إ' | 'آ' | 'ٱ' => Some('ا'),
        'ى' | 'ی' => Some('ي'),
        'ک' => Some('ك'),
        'ة' => Some('ه'),
        // Joiners shape letters and are typed by some keyboards only.
        '\u{200C}' | '\u{200D}' => None,
        other => Some(other),
    }
}

/// Digits of every script as those of a telephone.
fn digit(c: char) -> char {
    let zeros = [0x0660, 0x06F0, 0x0966, 0x09E6, 0x0E50];
    let place = zeros.iter().find_map(|zero| u32::from(c).checked_sub(*zero).filter(|place| *place < 10));
    place.and_then(|place| char::from_digit(place, 10)).unwrap_or(c)
}

/// As [`indexed`], and further as the index itself folds: lower case, no accents on Latin, Greek and Cyrillic letters.
pub fn folded(text: &str) -> String {
    indexed(text)
        .nfd()
        .filter(|c| !('\u{0300}'..='\u{036F}').contains(c))
        .nfc()
        .flat_map(char::to_lowercase)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// The words of what a member typed; nothing but letters, digits and marks is left of it.
pub fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c) && !matches!(c, '\u{200C}' | '\u{200D}'))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .collect()
}

/// The question to the index: every word must be there, each may be the beginning of one. `None` without any word.
pub fn question(words: &[&str]) -> Option<String> {
    let asked: String = words.iter().map(|word| format!("\"{}\"* ", indexed(word).trim())).collect();
    (!asked.is_empty()).then_some(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_without_spaces_stand_alone_with_their_marks_and_others_stay_words() {
        assert_eq!(indexed("iPhone手机壳ok").trim(), "iPhone 手 机 壳 ok");
        assert_eq!(indexed("ที่นี่ now").split_whitespace().collect::<Vec<_>>(), ["ที่", "นี่", "now"]);
        assert_eq!(indexed("मेरी किताब"), "मेरी किताब");
        assert_eq!(indexed("مُحَمَّد أَيْنَ"), "محمد اين");
        assert_eq!(indexed("٠١٢٣ ०१२"), "0123 012");
    }

    #[test]
    fn folding_meets_whatever_was_typed() {
        assert_eq!(folded("CAFÉ"), folded("cafe"));
        assert_eq!(folded("Não"), "nao");
        assert_ne!(folded("किताब"), folded("कताब"), "vowels of Hindi tell words apart");
    }

    #[test]
    fn no_character_of_a_question_is_more_than_a_letter() {
        for typed in ["\" OR 1=1 --", "NEAR(a b)", "text:x", "a* ^b -c", "\"\"\"", "{a b}:c", "a\u{0}b"] {
            let words = words(typed);
            let asked = question(&words).unwrap_or_default();
            let inner: String = asked.split("\"* ").map(|part| part.trim_start_matches('"')).collect();
            assert!(inner.chars().all(|c| c.is_alphanumeric() || c == ' '), "{typed} → {asked}");
        }
    }
}
