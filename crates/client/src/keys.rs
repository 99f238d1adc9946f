//! Where secrets stand: the operating system's keyring behind a small trait.
//!
//! Promise: "no service", "locked" and "no such entry" are told apart. A locked gnome-keyring answers a read with "no entry",
//! so a read that finds nothing is followed by a trial write; only when that works is the entry really missing.

pub mod passphrase;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use parley_domain::Code;
use zeroize::Zeroizing;

use crate::{Error, Result};

/// How long the keyring may take. A locked keyring with a prompt blocks until the member answers; Retry asks again.
const PATIENCE: Duration = Duration::from_secs(5);
const SERVICE: &str = "parley";
const PROBE: &str = "probe";

/// A place for small secrets, by name. Failures are [`Code::KeyringMissing`] and [`Code::KeyringLocked`]. Calls block:
/// the engine makes them on a blocking thread.
pub trait KeyVault: Send + Sync {
    /// The secret, or `None` when the vault can be read and holds none of that name.
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>>;
    /// Stores a secret in place of an earlier one.
    fn set(&self, name: &str, secret: &[u8]) -> Result<()>;
    /// Forgets a secret; nothing happens when there is none.
    fn delete(&self, name: &str) -> Result<()>;
    /// Whether calls return at once, so that they need no thread of their own.
    fn is_quick(&self) -> bool {
        false
    }
}

/// Asks a vault, on a thread that may block where that is needed.
pub(crate) async fn ask<T: Send + 'static>(
    vault: &Arc<dyn KeyVault>,
    work: impl FnOnce(&dyn KeyVault) -> Result<T> + Send + 'static,
) -> Result<T> {
    if vault.is_quick() {
        return work(vault.as_ref());
    }
    let vault = vault.clone();
    tokio::task::spawn_blocking(move || work(vault.as_ref())).await.map_err(|_| Error::Closed)?
}

/// The operating system's keyring: Secret Service, Keychain, Credential Manager. All calls run on one thread of its own,
/// each with a time limit.
pub struct OsKeyring {
    calls: Mutex<mpsc::Sender<Call>>,
}

type Call = Box<dyn FnOnce() + Send>;

impl OsKeyring {
    /// Starts the thread; the keyring is not touched yet.
    pub fn new() -> Self {
        Self { calls: Mutex::new(start_thread()) }
    }

    fn call<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let (answer, answered) = mpsc::channel();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = calls.send(Box::new(move || {
            let _ = answer.send(work());
        }));
        if sent.is_err() {
            *calls = start_thread();
            return Err(Code::KeyringMissing.into());
        }
        answered.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            // The thread hangs in a prompt. It is left to end by itself; the next call gets a fresh one.
            *calls = start_thread();
            Err(Code::KeyringLocked.into())
        })
    }
}

impl Default for OsKeyring {
    fn default() -> Self {
        Self::new()
    }
}

fn start_thread() -> mpsc::Sender<Call> {
    let (calls, queue) = mpsc::channel::<Call>();
    // When no thread can be started the receiver is dropped and the next send reports it.
    let _ = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
        while let Ok(call) = queue.recv() {
            call();
        }
    });
    calls
}

fn entry(name: &str) -> Result<keyring_core::Entry> {
    if keyring::Entry::store_status().is_err() {
        connect_again()?;
    }
    keyring_core::Entry::new(SERVICE, name).map_err(code_of)
}

/// `keyring` looks for a service once per process; one that started later is found here.
#[cfg(target_os = "linux")]
fn connect_again() -> Result<()> {
    if keyring_core::get_default_store().is_none() {
        let store = zbus_secret_service_keyring_store::Store::new().map_err(code_of)?;
        keyring_core::set_default_store(store);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn connect_again() -> Result<()> {
    Err(Code::KeyringMissing.into())
}

fn code_of(error: keyring::Error) -> Error {
    match error {
        keyring::Error::NoStorageAccess(_) => Code::KeyringLocked.into(),
        _ => Code::KeyringMissing.into(),
    }
}

fn set_now(name: &str, secret: &[u8]) -> Result<()> {
    entry(name)?.set_secret(secret).map_err(|error| match error {
        keyring::Error::NoDefaultStore => Code::KeyringMissing.into(),
        // A service that is there and does not take a secret is locked.
        _ => Error::Refused(Code::KeyringLocked),
    })
}

impl KeyVault for OsKeyring {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let name = name.to_owned();
        self.call(move || match entry(&name)?.get_secret() {
            Ok(secret) => Ok(Some(Zeroizing::new(secret))),
            Err(keyring::Error::NoEntry) => {
                set_now(PROBE, b"probe")?;
                let _ = entry(PROBE)?.delete_credential();
                Ok(None)
            }
            Err(error) => Err(code_of(error)),
        })
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<()> {
        let (name, secret) = (name.to_owned(), Zeroizing::new(secret.to_vec()));
        self.call(move || set_now(&name, &secret))
    }

    fn delete(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.call(move || match entry(&name)?.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(code_of(error)),
        })
    }
}

/// A vault in memory, for tests and demonstrations without a keyring. It can play missing and locked.
#[derive(Default)]
pub struct MemoryVault {
    secrets: Mutex<HashMap<String, Zeroizing<Vec<u8>>>>,
    failure: Mutex<Option<Code>>,
}

impl MemoryVault {
    /// From now on every call fails with `code`; `None` lets them work again.
    pub fn fail_with(&self, code: Option<Code>) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = code;
    }

    /// Names of what is stored.
    pub fn names(&self) -> Vec<String> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    fn check(&self) -> Result<()> {
        match *self.failure.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(code) => Err(code.into()),
            None => Ok(()),
        }
    }
}

impl KeyVault for MemoryVault {
    fn get(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        self.check()?;
        Ok(self.secrets.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned())
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<()> {
        self.check()?;
        let secret = Zeroizing::new(secret.to_vec());
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), secret);
        Ok(())
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.check()?;
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }
}
