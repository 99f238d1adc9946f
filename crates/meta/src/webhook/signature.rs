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
