//! The server's own keys, in `secrets.toml` of the data directory (mode 0600), made when the file is missing.
//!
//! Promise: no key of an existing file is ever lost: a file gains what it lacks by being written anew beside itself and renamed.
//! A file that cannot be read stops the start: with new keys nothing sealed would open.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::RwLock;

use ed25519_dalek::{Signature, Signer, SigningKey};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use parley_domain::Randomness;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{Error, Result};

/// Id of the first key that wraps data keys.
const FIRST_KEK: &str = "first";
/// Name of the file.
pub const FILE: &str = "secrets.toml";

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Stored {
    cursor: String,
    dedupe: String,
    seal: String,
    tokens: String,
    /// Signs checkpoints of the audit log; a file of an earlier version gains it.
    #[serde(default)]
    audit: String,
    /// Keys that wrap data keys, oldest first; the last one wraps.
    #[serde(default)]
    kek: Vec<StoredKek>,
}

#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct StoredKek {
    id: String,
    key: String,
}

/// Keys of 256 bits, one per purpose. They are cleared when it is dropped.
pub struct Keys {
    cursor: Zeroizing<[u8; 32]>,
    dedupe: Zeroizing<[u8; 32]>,
    seal: Zeroizing<[u8; 32]>,
    tokens: Zeroizing<[u8; 32]>,
    audit: SigningKey,
    kek: RwLock<Vec<Kek>>,
}

struct Kek {
    id: String,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

impl Keys {
    /// Reads the file, or makes it.
    ///
    /// # Errors
    /// The file is there and is not ours, or the directory cannot be written.
    pub fn open(data: &Path, randomness: &dyn Randomness) -> Result<Self> {
        let path = data.join(FILE);
        match File::open(&path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                let mut stored: Stored =
                    toml::from_str(&text).map_err(|_| Error::Config(format!("{FILE} cannot be read")))?;
                text.zeroize();
                let keys = if stored.audit.is_empty() || stored.kek.is_empty() {
                    if stored.audit.is_empty() {
                        stored.audit = fresh(randomness);
                    }
                    if stored.kek.is_empty() {
                        stored.kek.push(StoredKek { id: FIRST_KEK.to_owned(), key: fresh(randomness) });
                    }
                    let keys = Self::from_stored(&stored)?;
                    replace(data, &stored)?;
                    keys
                } else {
                    Self::from_stored(&stored)?
                };
                Ok(keys)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = || fresh(randomness);
                let kek = vec![StoredKek { id: FIRST_KEK.to_owned(), key: key() }];
                let stored = Stored { cursor: key(), dedupe: key(), seal: key(), tokens: key(), audit: key(), kek };
                write_new(&path, &stored)?;
                Self::from_stored(&stored)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn from_stored(stored: &Stored) -> Result<Self> {
        let key = |text: &str| {
            let mut bytes = Zeroizing::new([0u8; 32]);
            hex::decode_to_slice(text, &mut *bytes).map_err(|_| Error::Config(format!("{FILE} holds a broken key")))?;
            Ok::<_, Error>(bytes)
        };
        Ok(Self {
            cursor: key(&stored.cursor)?,
            dedupe: key(&stored.dedupe)?,
            seal: key(&stored.seal)?,
            tokens: key(&stored.tokens)?,
            audit: SigningKey::from_bytes(&*key(&stored.audit)?),
            kek: RwLock::new(
                stored
                    .kek
                    .iter()
                    .map(|stored| Ok(Kek { id: stored.id.clone(), key: key(&stored.key)? }))
                    .collect::<Result<_>>()?,
            ),
        })
    }

    /// The key that wraps data keys, with its id.
    pub(crate) fn newest_kek(&self) -> Result<(String, Zeroizing<[u8; 32]>)> {
        let keks = self.kek.read().map_err(|_| Error::Stopping)?;
        keks.last().map(|kek| (kek.id.clone(), kek.key.clone())).ok_or(Error::Sealed)
    }

    /// The key with that id, however old.
    pub(crate) fn kek(&self, id: &str) -> Result<Zeroizing<[u8; 32]>> {
        let keks = self.kek.read().map_err(|_| Error::Stopping)?;
        keks.iter().find(|kek| kek.id == id).map(|kek| kek.key.clone()).ok_or(Error::Sealed)
    }

    /// Makes a new wrapping key and writes it to the file; those before stay there.
    ///
    /// # Errors
    /// The file cannot be read or written; nothing is changed then.
    pub(crate) fn add_kek(&self, data: &Path, randomness: &dyn Randomness, id: uuid::Uuid) -> Result<()> {
        let text = Zeroizing::new(std::fs::read_to_string(data.join(FILE))?);
        let mut stored: Stored = toml::from_str(&text).map_err(|_| Error::Config(format!("{FILE} cannot be read")))?;
        let new = StoredKek { id: id.to_string(), key: fresh(randomness) };
        stored.kek.push(new);
        let read = Self::from_stored(&stored)?;
        replace(data, &stored)?;
        *self.kek.write().map_err(|_| Error::Stopping)? = read.kek.into_inner().map_err(|_| Error::Stopping)?;
        Ok(())
    }

    /// Signs a checkpoint of the audit log; hex.
    pub(crate) fn sign_checkpoint(&self, digest: &[u8; 32]) -> String {
        hex::encode(self.audit.sign(digest).to_bytes())
    }

    /// Whether this server signed the checkpoint.
    pub(crate) fn checkpoint_is_ours(&self, digest: &[u8; 32], signature: &str) -> bool {
        let mut bytes = [0u8; 64];
        hex::decode_to_slice(signature, &mut bytes).is_ok()
            && self.audit.verifying_key().verify_strict(digest, &Signature::from_bytes(&bytes)).is_ok()
    }

    /// Authenticates cursors.
    pub fn cursor_mac(&self, bytes: &[u8]) -> [u8; 32] {
        mac(&self.cursor, bytes)
    }

    /// The keyed hash under which a natural key is remembered, hex.
    pub fn dedupe_hash(&self, natural_key: &str) -> String {
        let full = mac(&self.dedupe, natural_key.as_bytes());
        hex::encode(full.get(..16).unwrap_or(&full))
    }

    /// Derives a token of 256 bits from what only the server and the presenter of `input` know.
    pub fn token(&self, input: &str) -> String {
        hex::encode(mac(&self.tokens, input.as_bytes()))
    }

    /// A sealing key for one purpose.
    pub(crate) fn seal_key(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0u8; 32];
        // 32 bytes are within what HKDF can give, so this cannot fail.
        let _ = Hkdf::<Sha256>::new(None, &*self.seal).expand(purpose.as_bytes(), &mut key);
        key
    }
}

/// A new key, hex.
fn fresh(randomness: &dyn Randomness) -> String {
    let mut bytes = Zeroizing::new([0u8; 32]);
    randomness.fill(&mut *bytes);
    hex::encode(*bytes)
}

/// Writes the file anew beside itself and renames it over itself: at every moment one whole file is there.
fn replace(data: &Path, stored: &Stored) -> Result<()> {
    let beside = data.join(format!("{FILE}.new"));
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    write_new(&beside, stored)?;
    std::fs::rename(&beside, data.join(FILE))?;
    #[cfg(unix)]
    File::open(data)?.sync_all()?;
    Ok(())
}

/// The hash under which a token is stored, hex. Tokens have 256 bits of entropy, so one round is enough.
pub fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

fn mac(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length; the error arm cannot be reached.
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(bytes);
            mac.finalize().into_bytes().into()
        }
        Err(_) => [0; 32],
    }
}

fn write_new(path: &Path, stored: &Stored) -> Result<()> {
    let text = toml::to_string(stored).map_err(|_| Error::Config(format!("{FILE} cannot be written")))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(
        b"# Keys of this server. Without this file its database cannot be read; keep a copy apart from backups.\n",
    )?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use parley_domain::time::SeededRandomness;

    use super::*;

    #[test]
    fn keys_are_made_once_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let made = Keys::open(dir.path(), &SeededRandomness::new(1)).unwrap();
        let read = Keys::open(dir.path(), &SeededRandomness::new(2)).unwrap();
        assert_eq!(made.cursor_mac(b"x"), read.cursor_mac(b"x"));
        assert_ne!(made.dedupe_hash("a"), made.dedupe_hash("A"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_of_an_earlier_version_gains_a_key_and_loses_none() {
        let dir = tempfile::tempdir().unwrap();
        Keys::open(dir.path(), &SeededRandomness::new(1)).unwrap();
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        let earlier: Vec<&str> = text
            .lines()
            .take_while(|line| !line.starts_with("[[kek"))
            .filter(|line| !line.starts_with("audit"))
            .collect();
        std::fs::write(dir.path().join(FILE), earlier.join("\n")).unwrap();
        let opened = Keys::open(dir.path(), &SeededRandomness::new(2)).unwrap();
        let again = Keys::open(dir.path(), &SeededRandomness::new(3)).unwrap();
        let signature = opened.sign_checkpoint(&[7; 32]);
        assert!(again.checkpoint_is_ours(&[7; 32], &signature));
        assert!(!again.checkpoint_is_ours(&[8; 32], &signature));
        assert_eq!(opened.newest_kek().unwrap(), again.newest_kek().unwrap());
        let now = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(earlier.iter().all(|line| now.contains(line)));
    }

    #[test]
    fn a_damaged_file_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "not ours").unwrap();
        assert!(Keys::open(dir.path(), &SeededRandomness::new(1)).is_err());
        assert_eq!(std::fs::read_to_string(dir.path().join(FILE)).unwrap(), "not ours");
    }
}
