//! What Meta puts on the wire around a webhook: its JSON escaping and its signature (`meta-platform.md` §1.2).
//!
//! Promise: the signature covers exactly the bytes that are posted, and those bytes cannot be had by parsing and writing
//! the JSON again.

use hmac::{Hmac, Mac};
use serde_json::Value;
use sha2::Sha256;

/// Renders JSON as Meta does: non-ASCII as `\uXXXX` (UTF-16, lower case), `/` as `\/`.
pub fn render(value: &Value) -> Vec<u8> {
    let plain = value.to_string();
    let mut out = String::with_capacity(plain.len() + plain.len() / 8);
    let mut units = [0u16; 2];
    for ch in plain.chars() {
        match ch {
            // Outside strings JSON has no slash, so each one may be escaped.
            '/' => out.push_str("\\/"),
            ch if ch.is_ascii() => out.push(ch),
            ch => {
                for unit in ch.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.into_bytes()
}

/// The value of `X-Hub-Signature-256` for these bytes.
pub fn signature(app_secret: &str, body: &[u8]) -> String {
    match Hmac::<Sha256>::new_from_slice(app_secret.as_bytes()) {
        Ok(mut mac) => {
            mac.update(body);
            format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
        }
        // HMAC takes keys of any length; an unsigned body would be refused, which is the safe answer.
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn escaping_differs_from_serde_but_means_the_same() {
        let value = json!({"body": "chá \u{1F3EE} 1/2 \\/ \"x\""});
        let bytes = render(&value);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.is_ascii());
        assert!(text.contains("ch\\u00e1 \\ud83c\\udfee 1\\/2"));
        assert_ne!(text, value.to_string());
        assert_eq!(serde_json::from_slice::<Value>(&bytes).ok(), Some(value));
    }
}
