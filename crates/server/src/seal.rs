//! Sealing: XChaCha20-Poly1305 with the row's place as associated data, so that a sealed value opens only where it was put.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use parley_domain::time::DAY;
use parley_domain::{Randomness, Timestamp};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::secrets::Keys;

const NONCE: usize = 24;

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Empty for rows that belong to no workspace.
    pub workspace: &'a str,
    pub table: &'a str,
    pub column: &'a str,
    pub row: &'a str,
}

impl Place<'_> {
    pub(crate) fn bound(&self) -> Vec<u8> {
        // Every part has its length before it, so that no two places read the same.
        let mut bytes = Vec::with_capacity(128);
        for part in [self.workspace, self.table, self.column, self.row] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Which key seals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Tokens and app secrets, as they were sealed before data keys; new ones are sealed by [`crate::envelope`].
    Credential,
    /// Webhook bodies: a key for each day.
    Body(Timestamp),
}

impl Purpose {
    fn name(self) -> String {
        match self {
            Self::Credential => "credential".to_owned(),
            Self::Body(at) => format!("body/{}", at.0.div_euclid(DAY)),
        }
    }
}

/// Seals and opens.
#[derive(Debug)]
pub struct Sealer<'a> {
    keys: &'a Keys,
    purpose: Purpose,
}

impl<'a> Sealer<'a> {
    /// For one purpose.
    pub fn new(keys: &'a Keys, purpose: Purpose) -> Self {
        Self { keys, purpose }
    }

    fn key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.keys.seal_key(&self.purpose.name()))
    }

    /// Seals bytes for their place.
    pub fn seal(&self, place: Place<'_>, bytes: &[u8], randomness: &dyn Randomness) -> Result<Vec<u8>> {
        encrypt(&self.key(), &place.bound(), bytes, randomness)
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>> {
        decrypt(&self.key(), &place.bound(), sealed)
    }

    /// Opens a text.
    pub fn open_text(&self, place: Place<'_>, sealed: &[u8]) -> Result<String> {
        String::from_utf8(self.open(place, sealed)?).map_err(|_| Error::Sealed)
    }
}

/// A fresh nonce, then the bytes under `key`; `bound` is authenticated with them.
pub(crate) fn encrypt(key: &[u8; 32], bound: &[u8], bytes: &[u8], randomness: &dyn Randomness) -> Result<Vec<u8>> {
    let mut nonce = [0u8; NONCE];
    randomness.fill(&mut nonce);
    let cipher = XChaCha20Poly1305::new(key.into());
    let payload = Payload { msg: bytes, aad: bound };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Error::Sealed)?;
    let mut out = Vec::with_capacity(NONCE + sealed.len());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed);
    Ok(out)
}

/// The bytes that [`encrypt`] took.
pub(crate) fn decrypt(key: &[u8; 32], bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
    let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(Error::Sealed)?;
    let payload = Payload { msg: body, aad: bound };
    XChaCha20Poly1305::new(key.into()).decrypt(XNonce::from_slice(nonce), payload).map_err(|_| Error::Sealed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use parley_domain::time::SeededRandomness;

    use super::*;

    #[test]
    fn opens_only_in_its_place_with_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let random = SeededRandomness::new(3);
        let keys = Keys::open(dir.path(), &random).unwrap();
        let place = Place { workspace: "w", table: "inbox", column: "token", row: "1" };
        let sealer = Sealer::new(&keys, Purpose::Credential);
        let sealed = sealer.seal(place, b"token", &random).unwrap();
        assert_eq!(sealer.open(place, &sealed).unwrap(), b"token");
        assert!(sealer.open(Place { row: "2", ..place }, &sealed).is_err());
        assert!(Sealer::new(&keys, Purpose::Body(Timestamp(0))).open(place, &sealed).is_err());
        assert!(sealer.open(place, b"short").is_err());
    }
}
