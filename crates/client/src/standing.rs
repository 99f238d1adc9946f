//! What a desk must know of its lease while its files are closed: when the server was last heard, by which rules it locks and
//! wipes itself, what it held that was not sent, how often a wrong PIN was typed.
//!
//! Promise: `standing.json` is authenticated under a key that the vault's secret makes, so that an edited file is noticed. One
//! that is missing or does not verify is no reason to go on: the desk is locked until the server was heard (PRIVACY.md DSK-7.4).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use parley_domain::lease::{Heard, Reading, Standing};
use parley_domain::policy::DeviceRules;
use parley_domain::time::{MINUTE, SECOND};
use parley_domain::{Clock, Code, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Result;
use crate::keyfile::replace_file;
use crate::live::lock;

const FILE: &str = "standing.json";
/// The high water is written when it rose by this much.
const WRITE_EVERY: i64 = 5 * MINUTE;
/// Wrong PINs without a pause.
const FREE_TRIES: u32 = 3;
/// The first pause, and the longest.
const PAUSES: (i64, i64) = (30 * SECOND, 15 * MINUTE);

/// The content of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    pub heard: Heard,
    pub rules: DeviceRules,
    pub policy_epoch: u64,
    /// As last counted while the files were open.
    pub unsent: u32,
    pub drafts: u32,
    /// Wrong PINs in a row, and when the last was typed.
    pub tries: u32,
    pub tried_at: Timestamp,
}

impl Kept {
    /// After a contact.
    pub fn new(heard: Heard, rules: DeviceRules) -> Self {
        Self { heard, rules, policy_epoch: 0, unsent: 0, drafts: 0, tries: 0, tried_at: Timestamp(0) }
    }

    /// Before this no PIN is looked at.
    pub fn not_before(&self) -> Option<Timestamp> {
        let over = self.tries.checked_sub(FREE_TRIES)?;
        Some(self.tried_at + PAUSES.0.saturating_mul(1 << over.min(16)).min(PAUSES.1))
    }
}

#[derive(Serialize, Deserialize)]
struct Sealed {
    body: String,
    mac: String,
}

/// The watch over one desk's lease.
pub struct Watch {
    dir: PathBuf,
    key: Zeroizing<[u8; 32]>,
    kept: Mutex<Kept>,
    written: Mutex<Timestamp>,
}

/// The computer's clocks.
pub fn reading(clock: &dyn Clock) -> Reading {
    Reading { wall: clock.now(), boot: clock.boot() }
}

impl Watch {
    /// A new watch; writes the file.
    pub fn begin(dir: &Path, secret: &[u8], kept: Kept) -> Result<Self> {
        let watch = Self::of(dir, secret, kept);
        watch.write()?;
        Ok(watch)
    }

    /// A watch that writes nothing by itself.
    pub fn of(dir: &Path, secret: &[u8], kept: Kept) -> Self {
        let written = Mutex::new(kept.heard.high_water);
        Self { dir: dir.to_owned(), key: key_of(secret), kept: Mutex::new(kept), written }
    }

    /// The watch as it was written; `None` when there is none, or not of ours.
    pub fn load(dir: &Path, secret: &[u8]) -> Option<Self> {
        let sealed: Sealed = serde_json::from_slice(&fs::read(dir.join(FILE)).ok()?).ok()?;
        let key = key_of(secret);
        mac(&key, &sealed.body)?.verify_slice(&hex::decode(&sealed.mac).ok()?).ok()?;
        Some(Self::of(dir, secret, serde_json::from_str(&sealed.body).ok()?))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// What is known.
    pub fn kept(&self) -> Kept {
        self.lock().clone()
    }

    /// Changes what is known and writes it.
    pub fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<()> {
        change(&mut self.lock());
        self.write()
    }

    /// Takes the counts of what is not sent; written with the next change.
    pub fn count(&self, unsent: usize, drafts: usize) {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut kept = self.lock();
        (kept.unsent, kept.drafts) = (count(unsent), count(drafts));
    }

    /// Time went by: the high water rises, and is written now and then.
    pub fn look(&self, reading: Reading) -> Standing {
        let (standing, high) = {
            let mut kept = self.lock();
            kept.heard = kept.heard.seen(reading);
            (kept.heard.standing(reading, &kept.rules), kept.heard.high_water)
        };
        let due = high.since(*lock(&self.written)) >= WRITE_EVERY;
        if due && let Err(error) = self.write() {
            tracing::warn!(code = error.code().as_str(), "the lease's high water cannot be written");
        }
        standing
    }

    /// The trusted moment.
    pub fn now(&self, reading: Reading) -> Timestamp {
        self.lock().heard.trusted(reading).now
    }

    /// Writes what is known.
    pub fn write(&self) -> Result<()> {
        let kept = self.kept();
        let body = serde_json::to_string(&kept)?;
        let mac = mac(&self.key, &body).ok_or(Code::Internal)?.finalize().into_bytes();
        let mac = hex::encode(mac);
        replace_file(&self.dir, FILE, &serde_json::to_vec(&Sealed { body, mac })?)?;
        *lock(&self.written) = kept.heard.high_water;
        Ok(())
    }
}

fn key_of(secret: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0u8; 32]);
    // Thirty-two bytes are never too long for HKDF.
    let _ = Hkdf::<Sha256>::new(None, secret).expand(b"parley standing 1", key.as_mut());
    key
}

fn mac(key: &[u8; 32], body: &str) -> Option<Hmac<Sha256>> {
    Some(Hmac::<Sha256>::new_from_slice(key).ok()?.chain_update(body))
}
