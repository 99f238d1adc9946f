//! A device's key: Ed25519, made on the device, where the private half stays. A refresh is signed with it.

use ed25519_dalek::{Signature, VerifyingKey};
use parley_domain::Code;
use parley_domain::protocol::session::{RefreshRequest, refresh_proof};

use crate::error::{Error, Result};

/// A public key as hex, lowercased.
///
/// # Errors
/// [`Code::BadRequest`] when it is no key, or one under which anything is signed.
pub fn checked(key: &str) -> Result<String> {
    match parse(key) {
        Some(parsed) if !parsed.is_weak() => Ok(hex::encode(parsed.as_bytes())),
        _ => Err(Error::Refused(Code::BadRequest, "the device key is no Ed25519 public key")),
    }
}

/// Whether the request is signed with this key.
pub fn signed(key: &str, request: &RefreshRequest) -> bool {
    let mut signature = [0; 64];
    let (Some(key), Some(proof)) = (parse(key), &request.proof) else { return false };
    if hex::decode_to_slice(proof, &mut signature).is_err() {
        return false;
    }
    let signed = refresh_proof(request.device, &request.refresh_token);
    key.verify_strict(&signed, &Signature::from_bytes(&signature)).is_ok()
}

pub(crate) fn parse(key: &str) -> Option<VerifyingKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(key, &mut bytes).ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}
