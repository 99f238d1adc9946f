//! The key file: three random store keys, wrapped under a key that only the vault's secret can make.
//!
//! `keys.json` holds at most two slots (the present secret, and the next one while it changes hands). It is written beside
//! the old file, synced, renamed, and the directory synced; it is never made over an existing one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use parley_domain::{Code, Randomness};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Result;

/// Name of the file within a desk's directory.
pub const FILE: &str = "keys.json";
const VERSION: u32 = 1;
const KEYS: usize = 96;

/// The keys of the three files. Wiped from memory when dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct StoreKeys {
    pub replica: [u8; 32],
    pub outbox: [u8; 32],
    pub media: [u8; 32],
}

impl StoreKeys {
    /// New random keys.
    pub fn random(randomness: &dyn Randomness) -> Self {
        let mut keys = Self { replica: [0; 32], outbox: [0; 32], media: [0; 32] };
        randomness.fill(&mut keys.replica);
        randomness.fill(&mut keys.outbox);
        randomness.fill(&mut keys.media);
        keys
    }

    fn joined(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([self.replica, self.outbox, self.media].concat())
    }

    fn split(bytes: &[u8]) -> Option<Self> {
        let part = |at: usize| bytes.get(at..at + 32).and_then(|part| <[u8; 32]>::try_from(part).ok());
        if bytes.len() != KEYS {
            return None;
        }
        Some(Self { replica: part(0)?, outbox: part(32)?, media: part(64)? })
    }
}

#[derive(Serialize, Deserialize)]
struct KeyFile {
    version: u32,
    slots: Vec<Slot>,
}

#[derive(Serialize, Deserialize)]
struct Slot {
    salt: String,
    nonce: String,
    wrapped: String,
}

/// Makes the key file of a new desk. `desk` binds it to its directory: a file that was moved does not open.
pub fn create(dir: &Path, desk: &str, secret: &[u8], keys: &StoreKeys, randomness: &dyn Randomness) -> Result<()> {
    let path = dir.join(FILE);
    if path.exists() {
        return Err(Code::Conflict.into());
    }
    let mut salt = [0u8; 32];
    let mut nonce = [0u8; 24];
    randomness.fill(&mut salt);
    randomness.fill(&mut nonce);
    let cipher = cipher(secret, &salt)?;
    let joined = keys.joined();
    let wrapped = cipher
        .encrypt(XNonce::from_slice(&nonce), Payload { msg: &joined, aad: desk.as_bytes() })
        .map_err(|_| Code::Internal)?;
    let slot = Slot { salt: STANDARD.encode(salt), nonce: STANDARD.encode(nonce), wrapped: STANDARD.encode(wrapped) };
    let text = serde_json::to_vec_pretty(&KeyFile { version: VERSION, slots: vec![slot] })?;
    replace_file(dir, FILE, &text)
}

/// Opens the key file. [`Code::StoreDamaged`] when it is missing or unreadable, [`Code::WrongKey`] when no slot opens.
pub fn open(dir: &Path, desk: &str, secret: &[u8]) -> Result<StoreKeys> {
    let text = fs::read(dir.join(FILE)).map_err(|_| Code::StoreDamaged)?;
    let file: KeyFile = serde_json::from_slice(&text).map_err(|_| Code::StoreDamaged)?;
    if file.version != VERSION || file.slots.is_empty() {
        return Err(Code::StoreDamaged.into());
    }
    for slot in &file.slots {
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| Code::StoreDamaged);
        let (salt, nonce, wrapped) = (decode(&slot.salt)?, decode(&slot.nonce)?, decode(&slot.wrapped)?);
        if nonce.len() != 24 {
            return Err(Code::StoreDamaged.into());
        }
        let payload = Payload { msg: &wrapped, aad: desk.as_bytes() };
        if let Ok(opened) = cipher(secret, &salt)?.decrypt(XNonce::from_slice(&nonce), payload) {
            let opened = Zeroizing::new(opened);
            return StoreKeys::split(&opened).ok_or_else(|| Code::StoreDamaged.into());
        }
    }
    Err(Code::WrongKey.into())
}

fn cipher(secret: &[u8], salt: &[u8]) -> Result<XChaCha20Poly1305> {
    let mut kek = Zeroizing::new([0u8; 32]);
    Hkdf::<Sha256>::new(Some(salt), secret).expand(b"parley store keys 1", kek.as_mut()).map_err(|_| Code::Internal)?;
    XChaCha20Poly1305::new_from_slice(kek.as_ref()).map_err(|_| Code::Internal.into())
}

/// Replaces a small file so that a crash leaves the old or the new one, whole.
pub fn replace_file(dir: &Path, name: &str, content: &[u8]) -> Result<()> {
    let fresh = dir.join(format!("{name}.new"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&fresh, dir.join(name))?;
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    Ok(())
}
