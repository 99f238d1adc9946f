//! The signature of a webhook: HMAC-SHA256 over the raw bytes with the app's secret (meta-platform.md §1.2).
//!
//! Promise: compared in constant time; `sha256=` alone counts; every secret given may match, so that two hold during a
//! rotation. There is no way to switch it off.

use hmac::{Hmac, Mac};
use parley_domain::Code;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// The header that carries it.
pub const HEADER: &str = "X-Hub-Signature-256";

const PREFIX: &str = "sha256=";

/// Why a body is not Meta's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignatureError {
    #[error("the signature header is missing")]
    Missing,
    #[error("the signature header is not sha256 and 64 hex digits")]
    Malformed,
    #[error("the signature does not match")]
    Mismatch,
}

impl SignatureError {
    /// The domain's code for it.
    pub fn code(self) -> Code {
        Code::Unauthorized
    }
}

/// Checks that `header` signs exactly the bytes `raw` with one of `secrets`. Without secrets nothing matches.
///
/// # Errors
/// The header is missing, of another form (`sha1=` included), or signs something else.
pub fn verify(secrets: &[&[u8]], raw: &[u8], header: Option<&str>) -> Result<(), SignatureError> {
    let digits = header.ok_or(SignatureError::Missing)?.strip_prefix(PREFIX).ok_or(SignatureError::Malformed)?;
    let mut given = [0u8; 32];
    hex::decode_to_slice(digits, &mut given).map_err(|_| SignatureError::Malformed)?;
    // Every secret is tried, so that the time tells nothing about which one matched.
    let mut matched = Choice::from(0);
    for secret in secrets {
        matched |= mac(secret, raw).ct_eq(&given);
    }
    if bool::from(matched) { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// The header value that signs `raw` with `secret`.
pub fn sign(secret: &[u8], raw: &[u8]) -> String {
    format!("{PREFIX}{}", hex::encode(mac(secret, raw)))
}

fn mac(secret: &[u8], raw: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length; the error arm cannot be reached and yields a value that signs nothing of ours.
    match Hmac::<Sha256>::new_from_slice(secret) {
        Ok(mut mac) => {
            mac.update(raw);
            mac.finalize().into_bytes().into()
        }
        Err(_) => [0; 32],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const SECRET: &[u8] = b"kiln-secret-7f3a9c";

    /// Body and signature, the latter computed with `openssl dgst -sha256 -hmac kiln-secret-7f3a9c`.
    const VECTORS: &[(&str, &str)] = &[
        (r#""#, "83395aff408ebd9ab93214e1c5fb3a03ad065afd48e567c8eeee1740c6f16e3b"),
        (
            r#"{"object":"whatsapp_business_account","entry":[]}"#,
            "9f3133c8afcdca0ea3ef689f6915e919a33653abcfda5875f018325365045de3",
        ),
        (
            r#"{"text":"Gl\u00fcck \ud83c\udffa https:\/\/kiln.example", "a" : 1}"#,
            "b58ed486c6ccebdb03bf915dfe4259e17de852e1ad3a06f53b9dda7b69dbd5ee",
        ),
        (r#"{"text":"Glück 🏺"}"#, "1dfa3348fe709c546ff33c8be7e646cd6ed731395e1ed0cf0d516e473977e412"),
    ];

    fn check(raw: &str, header: &str) -> Result<(), SignatureError> {
        verify(&[SECRET], raw.as_bytes(), Some(header))
    }

    #[test]
    fn signatures_made_by_another_program_hold() {
        for (raw, digits) in VECTORS {
            check(raw, &format!("sha256={digits}")).expect(raw);
            check(raw, &format!("sha256={}", digits.to_uppercase())).expect("hex digits in upper case");
            assert_eq!(sign(SECRET, raw.as_bytes()), format!("sha256={digits}"));
        }
    }

    #[test]
    fn what_is_not_signed_is_refused() {
        let (raw, digits) = VECTORS[1];
        let good = format!("sha256={digits}");
        assert_eq!(verify(&[SECRET], raw.as_bytes(), None), Err(SignatureError::Missing));
        for malformed in [
            String::new(),
            digits.to_owned(),
            format!("sha1={}", &digits[..40]),
            format!("sha1={digits}"),
            format!("SHA256={digits}"),
            format!(" {good}"),
            good[..good.len() - 2].to_owned(),
            format!("{good}00"),
            "sha256=".to_owned(),
            format!("sha256={}", "zz".repeat(32)),
            format!("{good},{good}"),
        ] {
            assert_eq!(check(raw, &malformed), Err(SignatureError::Malformed), "{malformed}");
        }
        let other = format!("sha256={}", VECTORS[0].1);
        assert_eq!(check(raw, &other), Err(SignatureError::Mismatch));
        assert_eq!(check(raw, &format!("sha256={}", "00".repeat(32))), Err(SignatureError::Mismatch));
        assert_eq!(verify(&[b"another"], raw.as_bytes(), Some(&good)), Err(SignatureError::Mismatch));
        assert_eq!(verify(&[], raw.as_bytes(), Some(&good)), Err(SignatureError::Mismatch), "no secret, no opt-out");
    }

    #[test]
    fn a_body_that_was_parsed_and_written_again_is_refused() {
        let (raw, digits) = VECTORS[2];
        let again = serde_json::from_str::<serde_json::Value>(raw).unwrap().to_string();
        assert_ne!(raw, again);
        assert_eq!(check(&again, &format!("sha256={digits}")), Err(SignatureError::Mismatch));
        assert_eq!(check(&raw[..raw.len() - 1], &format!("sha256={digits}")), Err(SignatureError::Mismatch));
    }

    #[test]
    fn both_secrets_hold_during_a_rotation() {
        let (raw, digits) = VECTORS[0];
        let header = format!("sha256={digits}");
        for secrets in [[SECRET, b"next"], [b"next", SECRET]] {
            verify(&secrets, raw.as_bytes(), Some(&header)).unwrap();
        }
    }
}
