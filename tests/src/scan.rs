//! Looks for texts in files, byte by byte and in the encodings in which a program may have written them.

use std::fs;
use std::path::{Path, PathBuf};

/// A canary found in a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hit {
    pub file: PathBuf,
    /// Which of the given texts.
    pub canary: usize,
    pub encoding: &'static str,
}

/// Every canary in every file below the folders. Sockets, pipes and links are passed over; a file that cannot be read counts
/// as read, since the scan runs as the owner.
pub fn scan(folders: &[&Path], canaries: &[&str]) -> Vec<Hit> {
    let needles: Vec<(usize, &'static str, Vec<u8>)> = canaries
        .iter()
        .enumerate()
        .flat_map(|(number, canary)| encodings(canary).into_iter().map(move |(name, bytes)| (number, name, bytes)))
        .collect();
    let mut hits = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    while let Some(path) = waiting.pop() {
        let Ok(kind) = fs::symlink_metadata(&path).map(|about| about.file_type()) else { continue };
        if kind.is_dir() {
            waiting.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            for (canary, encoding, needle) in &needles {
                if contains(&bytes, needle) {
                    hits.push(Hit { file: path.clone(), canary: *canary, encoding });
                }
            }
        }
    }
    hits
}

fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16: Vec<u16> = text.encode_utf16().collect();
    let mut forms = vec![
        ("utf-8", text.as_bytes().to_vec()),
        ("utf-16 little endian", utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect()),
        ("utf-16 big endian", utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect()),
        ("hexadecimal", hex::encode(text).into_bytes()),
        ("percent", text.bytes().map(percent).collect::<String>().into_bytes()),
    ];
    if !text.is_ascii() {
        let escaped = utf16
            .iter()
            .map(|unit| if *unit < 128 { char::from(*unit as u8).to_string() } else { format!("\\u{unit:04x}") });
        forms.push(("json escapes", escaped.collect::<String>().into_bytes()));
    }
    // Base64 of the middle of the text, at each of the three places in which a group of bytes can begin.
    for start in 0..3 {
        let inner = text.as_bytes().get(start..).unwrap_or_default();
        let whole = inner.get(..inner.len() / 3 * 3).unwrap_or_default();
        forms.push(("base64", base64(whole)));
    }
    forms.retain(|(_, bytes)| bytes.len() >= 8);
    forms
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes).into_bytes()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_is_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let canary = "schöne Lampen für Ananya";
        for (number, (_, bytes)) in encodings(canary).into_iter().enumerate() {
            fs::write(folder.path().join(format!("{number}")), [b"before ".as_slice(), &bytes, b" after"].concat())
                .unwrap();
        }
        fs::write(folder.path().join("clean"), "schöne Lampen").unwrap();
        let hits = scan(&[folder.path()], &[canary]);
        assert_eq!(hits.len(), encodings(canary).len());
        assert!(hits.iter().all(|hit| !hit.file.ends_with("clean")));
    }
}
