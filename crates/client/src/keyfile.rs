//! The key file: three random store keys, wrapped under a key that only the vault's secret, the present lease and, where the app
//! is locked, the member's PIN can make together.
//!
//! `keys.json` holds at most two slots: the one in use, and the next while a part of the wrapping key changes hands. To change
//! one: [`add`] the new slot beside the old, store the new part, read it back, [`keep_only`] the new slot (SECURITY.md, key
//! protocol). Every step leaves a file that the parts of before or after the step open. The file is written beside the old one,
//! synced, renamed, and the directory synced; [`create`] never makes it over an existing one.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use argon2::{Algorithm, Argon2, Params, Version};
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
/// argon2id over a PIN or passphrase: 64 MiB, three passes.
const STRETCH: (u32, u32, u32) = (64 * 1024, 3, 1);

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

/// A lease as the vault keeps it.
#[derive(Clone)]
pub struct HeldLease {
    pub serial: u64,
    pub secret: Zeroizing<Vec<u8>>,
}

impl HeldLease {
    /// From the server's form; `None` when it is none.
    pub fn parse(serial: u64, hex: &str) -> Option<Self> {
        let secret = Zeroizing::new(hex::decode(hex).ok()?);
        (secret.len() == 32 && serial > 0).then_some(Self { serial, secret })
    }

    /// As the vault stores it.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(self.serial.to_be_bytes().to_vec());
        bytes.extend_from_slice(&self.secret);
        bytes
    }

    /// What [`HeldLease::to_bytes`] made.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (serial, secret) = bytes.split_at_checked(8)?;
        let serial = u64::from_be_bytes(serial.try_into().ok()?);
        (secret.len() == 32).then(|| Self { serial, secret: Zeroizing::new(secret.to_vec()) })
    }
}

/// What a PIN became by stretching.
#[derive(Clone)]
pub struct PinPart {
    salt: [u8; 16],
    hash: Zeroizing<[u8; 32]>,
}

impl PinPart {
    /// Stretches a PIN with a new salt. Takes a good part of a second: not on the main thread.
    pub fn new(pin: &str, randomness: &dyn Randomness) -> Result<Self> {
        let mut salt = [0u8; 16];
        randomness.fill(&mut salt);
        Self::stretch(pin, salt)
    }

    fn stretch(pin: &str, salt: [u8; 16]) -> Result<Self> {
        Ok(Self { salt, hash: stretch(pin, &salt)? })
    }
}

/// argon2id, as PINs and passphrases go through it.
pub fn stretch(text: &str, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let (memory, passes, lanes) = STRETCH;
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| Code::Internal)?;
    let mut hash = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(text.as_bytes(), salt, hash.as_mut())
        .map_err(|_| Code::Internal)?;
    Ok(hash)
}

/// What makes a wrapping key. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Parts {
    pub secret: Zeroizing<Vec<u8>>,
    /// `None` only for a desk that never had a contact.
    pub lease: Option<HeldLease>,
    pub pin: Option<PinPart>,
}

/// What somebody brings to open the file.
pub enum Pin<'a> {
    None,
    Typed(&'a str),
}

/// Why no slot opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shut {
    /// The file is missing or unreadable.
    Damaged,
    /// The vault's secret is another one.
    WrongSecret,
    /// A lease is needed that the desk does not have.
    NeedsLease,
    /// A PIN is needed.
    NeedsPin,
    /// The PIN is wrong.
    WrongPin,
}

impl From<Shut> for crate::Error {
    fn from(shut: Shut) -> Self {
        match shut {
            Shut::Damaged => Code::StoreDamaged.into(),
            Shut::WrongSecret => Code::WrongKey.into(),
            Shut::NeedsLease | Shut::NeedsPin => Code::Locked.into(),
            Shut::WrongPin => Code::WrongPin.into(),
        }
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct KeyFile {
    version: u32,
    slots: Vec<Slot>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Slot {
    salt: String,
    nonce: String,
    wrapped: String,
    /// The lease that is part of it; 0: none.
    #[serde(default)]
    lease: u64,
    /// Salt of the PIN that is part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<String>,
    /// Tells the vault's secret from another one, so that a wrong PIN can be called wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check: Option<String>,
}

/// What a file says of its slots without being opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// Leases of the slots.
    pub leases: Vec<u64>,
    /// Every slot needs a PIN.
    pub pin: bool,
}

/// An opened file.
pub struct Opened {
    pub keys: StoreKeys,
    /// What opened it.
    pub parts: Parts,
    slot: String,
}

/// Makes the key file of a new desk. `desk` binds it to its directory: a file that was moved does not open.
pub fn create(dir: &Path, desk: &str, parts: &Parts, keys: &StoreKeys, randomness: &dyn Randomness) -> Result<()> {
    if dir.join(FILE).exists() {
        return Err(Code::Conflict.into());
    }
    save(dir, &KeyFile { version: VERSION, slots: vec![wrap(desk, parts, keys, randomness)?] })
}

/// Puts a new file in the place of one that nothing opens any more. The keys must have been proved to open what is left.
pub fn replace(dir: &Path, desk: &str, parts: &Parts, keys: &StoreKeys, randomness: &dyn Randomness) -> Result<()> {
    save(dir, &KeyFile { version: VERSION, slots: vec![wrap(desk, parts, keys, randomness)?] })
}

/// What the file says without being opened.
pub fn head(dir: &Path) -> std::result::Result<Head, Shut> {
    let file = load(dir)?;
    Ok(Head {
        leases: file.slots.iter().map(|slot| slot.lease).collect(),
        pin: file.slots.iter().all(|slot| slot.pin.is_some()),
    })
}

/// Whether the file was wrapped under this secret; slots of an earlier form do not say, and may be.
pub fn is_of(dir: &Path, secret: &[u8]) -> std::result::Result<bool, Shut> {
    let fits = |slot: &Slot| slot.check.as_ref().is_none_or(|check| *check == check_of(secret, &slot.salt));
    Ok(load(dir)?.slots.iter().any(fits))
}

/// Opens the key file with the vault's secret, whichever of `leases` fits, and a PIN where one is part of it.
pub fn open(
    dir: &Path,
    desk: &str,
    secret: &Zeroizing<Vec<u8>>,
    leases: &[HeldLease],
    pin: &Pin<'_>,
) -> std::result::Result<Opened, Shut> {
    let file = load(dir)?;
    let mut why = Shut::WrongSecret;
    for slot in file.slots {
        if slot.check.as_ref().is_some_and(|check| *check != check_of(secret, &slot.salt)) {
            continue;
        }
        let lease = leases.iter().find(|lease| lease.serial == slot.lease).cloned();
        if slot.lease > 0 && lease.is_none() {
            why = Shut::NeedsLease;
            continue;
        }
        let part = match (&slot.pin, pin) {
            (None, _) => None,
            (Some(_), Pin::None) => {
                why = Shut::NeedsPin;
                continue;
            }
            (Some(salt), Pin::Typed(text)) => {
                why = Shut::WrongPin;
                let salt = STANDARD.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(Shut::Damaged)?;
                Some(PinPart::stretch(text, salt).map_err(|_| Shut::Damaged)?)
            }
        };
        let parts = Parts { secret: secret.clone(), lease, pin: part };
        if let Some(keys) = unwrap(desk, &slot, &parts)? {
            return Ok(Opened { keys, parts, slot: slot.salt });
        }
    }
    Err(why)
}

/// Opens the key file with parts that are at hand.
pub fn open_with(dir: &Path, desk: &str, parts: &Parts) -> std::result::Result<Opened, Shut> {
    for slot in load(dir)?.slots {
        if slot.lease == parts.lease.as_ref().map_or(0, |lease| lease.serial)
            && slot.pin == parts.pin.as_ref().map(|pin| STANDARD.encode(pin.salt))
            && let Some(keys) = unwrap(desk, &slot, parts)?
        {
            return Ok(Opened { keys, parts: parts.clone(), slot: slot.salt });
        }
    }
    Err(Shut::WrongSecret)
}

/// Wraps the keys anew beside the slot that opened them; any third slot goes.
pub fn add(dir: &Path, desk: &str, opened: &Opened, parts: &Parts, randomness: &dyn Randomness) -> Result<()> {
    let mut file = load(dir)?;
    file.slots.retain(|slot| slot.salt == opened.slot);
    file.slots.push(wrap(desk, parts, &opened.keys, randomness)?);
    save(dir, &file)
}

/// Drops every slot but the one that `opened` was opened by.
pub fn keep_only(dir: &Path, opened: &Opened) -> Result<()> {
    let mut file = load(dir)?;
    file.slots.retain(|slot| slot.salt == opened.slot);
    save(dir, &file)
}

fn load(dir: &Path) -> std::result::Result<KeyFile, Shut> {
    let text = fs::read(dir.join(FILE)).map_err(|_| Shut::Damaged)?;
    let file: KeyFile = serde_json::from_slice(&text).map_err(|_| Shut::Damaged)?;
    if file.version != VERSION || file.slots.is_empty() { Err(Shut::Damaged) } else { Ok(file) }
}

fn save(dir: &Path, file: &KeyFile) -> Result<()> {
    replace_file(dir, FILE, &serde_json::to_vec_pretty(file)?)
}

fn wrap(desk: &str, parts: &Parts, keys: &StoreKeys, randomness: &dyn Randomness) -> Result<Slot> {
    let mut salt = [0u8; 32];
    let mut nonce = [0u8; 24];
    randomness.fill(&mut salt);
    randomness.fill(&mut nonce);
    let joined = keys.joined();
    let payload = Payload { msg: &joined, aad: desk.as_bytes() };
    let wrapped = cipher(parts, &salt)?.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Code::Internal)?;
    let salt = STANDARD.encode(salt);
    Ok(Slot {
        nonce: STANDARD.encode(nonce),
        wrapped: STANDARD.encode(wrapped),
        lease: parts.lease.as_ref().map_or(0, |lease| lease.serial),
        pin: parts.pin.as_ref().map(|pin| STANDARD.encode(pin.salt)),
        check: Some(check_of(&parts.secret, &salt)),
        salt,
    })
}

fn unwrap(desk: &str, slot: &Slot, parts: &Parts) -> std::result::Result<Option<StoreKeys>, Shut> {
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| Shut::Damaged);
    let (salt, nonce, wrapped) = (decode(&slot.salt)?, decode(&slot.nonce)?, decode(&slot.wrapped)?);
    if nonce.len() != 24 {
        return Err(Shut::Damaged);
    }
    let payload = Payload { msg: &wrapped, aad: desk.as_bytes() };
    let cipher = cipher(parts, &salt).map_err(|_| Shut::Damaged)?;
    match cipher.decrypt(XNonce::from_slice(&nonce), payload) {
        Ok(opened) => StoreKeys::split(&Zeroizing::new(opened)).map(Some).ok_or(Shut::Damaged),
        Err(_) => Ok(None),
    }
}

fn check_of(secret: &[u8], salt: &str) -> String {
    let mut check = [0u8; 8];
    // Eight bytes are never too long for HKDF.
    let _ = Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret).expand(b"parley secret check 1", &mut check);
    hex::encode(check)
}

fn cipher(parts: &Parts, salt: &[u8]) -> Result<XChaCha20Poly1305> {
    let mut material = Zeroizing::new(parts.secret.to_vec());
    let mut purpose = "parley store keys 1".to_owned();
    if let Some(lease) = &parts.lease {
        purpose.push_str("|lease");
        material.extend_from_slice(&lease.secret);
    }
    if let Some(pin) = &parts.pin {
        purpose.push_str("|pin");
        material.extend_from_slice(&*pin.hash);
    }
    let mut kek = Zeroizing::new([0u8; 32]);
    Hkdf::<Sha256>::new(Some(salt), &material).expand(purpose.as_bytes(), kek.as_mut()).map_err(|_| Code::Internal)?;
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
