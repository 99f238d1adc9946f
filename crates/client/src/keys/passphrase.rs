//! A vault in a file, for computers without a keyring: every secret under a key that the member's passphrase makes.
//!
//! Promise: the passphrase goes through argon2id (64 MiB) and is kept nowhere; closed, the vault answers
//! [`Code::KeyringLocked`] and its key is not in memory. The file is replaced whole, or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use parley_domain::{Code, Randomness};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::KeyVault;
use crate::keyfile::{replace_file, stretch};
use crate::live::lock;
use crate::{Error, Result};

/// Name of the file in the base directory.
pub const FILE: &str = "vault.json";
/// Shortest passphrase, in characters.
const LEAST: usize = 12;

type Secrets = BTreeMap<String, Zeroizing<Vec<u8>>>;

#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u32,
    salt: String,
    nonce: String,
    sealed: String,
}

struct Open {
    salt: Vec<u8>,
    key: Zeroizing<[u8; 32]>,
    secrets: Secrets,
}

/// The vault.
pub struct PassphraseVault {
    dir: PathBuf,
    randomness: Arc<dyn Randomness>,
    open: Mutex<Option<Open>>,
}

impl PassphraseVault {
    /// The vault in this directory, closed.
    pub fn new(dir: &Path, randomness: Arc<dyn Randomness>) -> Self {
        Self { dir: dir.to_owned(), randomness, open: Mutex::new(None) }
    }

    /// Whether there is one.
    pub fn exists(dir: &Path) -> bool {
        dir.join(FILE).exists()
    }

    /// Makes the vault, or opens the one that is there. Takes a good part of a second.
    ///
    /// # Errors
    /// [`Code::WeakPin`] for a new one under a short passphrase, [`Code::WrongPin`], [`Code::StoreDamaged`].
    pub fn enter(&self, passphrase: &str) -> Result<()> {
        let mut open = lock(&self.open);
        if Self::exists(&self.dir) {
            *open = Some(self.read(passphrase)?);
            return Ok(());
        }
        if passphrase.chars().count() < LEAST {
            return Err(Code::WeakPin.into());
        }
        let mut salt = vec![0u8; 16];
        self.randomness.fill(&mut salt);
        let fresh = Open { key: stretch(passphrase, &salt)?, salt, secrets: Secrets::new() };
        self.write(&fresh)?;
        *open = Some(fresh);
        Ok(())
    }

    /// Forgets the key.
    pub fn close(&self) {
        *lock(&self.open) = None;
    }

    /// Whether the passphrase was given.
    pub fn is_open(&self) -> bool {
        lock(&self.open).is_some()
    }

    fn read(&self, passphrase: &str) -> Result<Open> {
        let damaged = || Error::Refused(Code::StoreDamaged);
        let file: Sealed = serde_json::from_slice(&std::fs::read(self.dir.join(FILE))?).map_err(|_| damaged())?;
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| damaged());
        let (salt, nonce, sealed) = (decode(&file.salt)?, decode(&file.nonce)?, decode(&file.sealed)?);
        if nonce.len() != 24 {
            return Err(damaged());
        }
        let key = stretch(passphrase, &salt)?;
        let opened = cipher(&key)?
            .decrypt(XNonce::from_slice(&nonce), sealed.as_slice())
            .map(Zeroizing::new)
            .map_err(|_| Error::Refused(Code::WrongPin))?;
        let texts: BTreeMap<String, String> = serde_json::from_slice(&opened).map_err(|_| damaged())?;
        let mut secrets = Secrets::new();
        for (name, text) in texts {
            secrets.insert(name, Zeroizing::new(decode(&Zeroizing::new(text))?));
        }
        Ok(Open { salt, key, secrets })
    }

    fn write(&self, open: &Open) -> Result<()> {
        let texts: BTreeMap<&String, Zeroizing<String>> =
            open.secrets.iter().map(|(name, secret)| (name, Zeroizing::new(STANDARD.encode(secret)))).collect();
        let plain: BTreeMap<&String, &str> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let plain = Zeroizing::new(serde_json::to_vec(&plain)?);
        let mut nonce = [0u8; 24];
        self.randomness.fill(&mut nonce);
        let sealed =
            cipher(&open.key)?.encrypt(XNonce::from_slice(&nonce), plain.as_slice()).map_err(|_| Code::Internal)?;
        let file = Sealed {
            version: 1,
            salt: STANDARD.encode(&open.salt),
            nonce: STANDARD.encode(nonce),
            sealed: STANDARD.encode(sealed),
        };
        crate::desk::make_dir(&self.dir)?;
        replace_file(&self.dir, FILE, &serde_json::to_vec(&file)?)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Open) -> Result<T>) -> Result<T> {
        match lock(&self.open).as_mut() {
            Some(open) => work(open),
            None => Err(Code::KeyringLocked.into()),
        }
    }
}

fn cipher(key: &[u8; 32]) -> Result<XChaCha20Poly1305> {
    XChaCha20Poly1305::new_from_slice(key).map_err(|_| Code::Internal.into())
}

impl KeyVault for PassphraseVault {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.with(|open| Ok(open.secrets.get(name).cloned()))
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<()> {
        self.with(|open| {
            open.secrets.insert(name.to_owned(), Zeroizing::new(secret.to_vec()));
            self.write(open)
        })
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.with(|open| match open.secrets.remove(name) {
            Some(_) => self.write(open),
            None => Ok(()),
        })
    }
}
