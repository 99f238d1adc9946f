//! The engine: the whole public API. One method per command of the window, with the same names, arguments and results.
//!
//! Promise: every query is answered from local files, with the network gone or not; every edit is durable before its method
//! returns. Opening touches no network. Handles are cheap clones of one engine; when the last one is dropped, it ends.

mod access;
mod edits;
mod lock;
mod queries;
mod recovery;
mod session;
mod storage;
mod warden;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use parley_domain::{Clock, Code, Randomness, Timestamp};
use tokio::sync::{broadcast, oneshot};

use crate::desk::{DeskEntry, Desks, DirLock, SecretsIn};
use crate::egress::Wire;
use crate::events::Emitter;
use crate::keys::passphrase::PassphraseVault;
use crate::keys::{KeyVault, OsKeyring};
use crate::live::{Live, lock};
use crate::notify::Front;
use crate::os::{OsRandomness, SystemClock};
use crate::standing::Watch;
use crate::store::pool::Disk;
use crate::views::{Event, Me, Phase};
use crate::{Error, Result};
pub(crate) use session::blocking;

/// How long queries in flight may hold a desk that is being closed.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// What an engine needs from outside.
#[derive(Clone)]
pub struct EngineConfig {
    /// Directory of all desks; made when the first member signs in.
    pub base_dir: PathBuf,
    pub vault: Arc<dyn KeyVault>,
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

impl EngineConfig {
    /// The operating system's keyring, clock and randomness.
    pub fn new(base_dir: impl Into<PathBuf>) -> Self {
        Self {
            base_dir: base_dir.into(),
            vault: Arc::new(OsKeyring::new()),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(OsRandomness),
        }
    }
}

/// What takes the place of the operating system's network and threads in a simulation; the default is the real ones.
#[derive(Clone, Default)]
pub struct Outside {
    pub wire: Option<Arc<dyn Wire>>,
    pub disk: Option<Arc<dyn Disk>>,
}

/// A handle to the engine.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub config: EngineConfig,
    pub outside: Outside,
    pub state: RwLock<State>,
    pub events: Emitter,
    pub front: Arc<Mutex<Front>>,
    /// Held while a desk is opened, signed in or out.
    pub change: tokio::sync::Mutex<()>,
    pub driver: Mutex<Option<tokio::task::JoinHandle<()>>>,
    /// Times that this process opened the files again because a page was damaged.
    pub healed: std::sync::atomic::AtomicU32,
    /// Ends when the files of the open desk are closed.
    pub closed: Mutex<Option<oneshot::Receiver<()>>>,
    /// For computers without a keyring; closed until the member gives the passphrase.
    pub passphrase: Arc<PassphraseVault>,
    /// The lease of the present desk, also while its files are closed.
    pub watch: Mutex<Option<Arc<Watch>>>,
    /// Keeps others out of the folder of a locked desk.
    pub folder: Mutex<Option<DirLock>>,
    /// When somebody last touched a key.
    pub active_at: Mutex<Timestamp>,
}

/// Where the engine stands.
#[derive(Clone)]
pub(crate) enum State {
    Opening,
    SignedOut { server: Option<String> },
    Blocked { code: Code },
    Locked(Arc<lock::Shut>),
    Ready(Arc<Live>),
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(driver) = lock(&self.driver).take() {
            driver.abort();
        }
    }
}

impl Engine {
    /// Starts an engine. It returns at once; the present desk is opened beside, and [`Event::Phase`] tells when it is.
    pub async fn start(config: EngineConfig) -> Self {
        Self::start_in(config, Outside::default()).await
    }

    /// The same over another network and disk.
    pub async fn start_in(config: EngineConfig, outside: Outside) -> Self {
        let passphrase = PassphraseVault::new(&config.base_dir, config.randomness.clone());
        let engine = Self {
            inner: Arc::new(Inner {
                passphrase: Arc::new(passphrase),
                watch: Mutex::new(None),
                folder: Mutex::new(None),
                active_at: Mutex::new(config.clock.now()),
                config,
                outside,
                state: RwLock::new(State::Opening),
                events: Emitter::start(),
                front: Arc::default(),
                change: tokio::sync::Mutex::new(()),
                driver: Mutex::new(None),
                healed: Default::default(),
                closed: Mutex::new(None),
            }),
        };
        tokio::spawn(warden::run(Arc::downgrade(&engine.inner)));
        let opening = engine.clone();
        tokio::spawn(async move {
            let _change = opening.inner.change.lock().await;
            // A member who signed in at once was quicker: that desk is open already.
            if let State::Opening = opening.state() {
                // The phase says what became of it.
                let _ = opening.open_present(None).await;
            }
        });
        engine
    }

    /// Listens to what becomes stale. A listener that was too slow gets `Lagged` and asks for everything again.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.inner.events.subscribe()
    }

    /// Stops sync and closes the files. Queries are refused afterwards with `signed_out`.
    pub async fn close(&self) {
        let _change = self.inner.change.lock().await;
        if let State::Ready(live) = self.state() {
            live.count();
            let _ = live.watch.write();
        }
        self.stop().await;
        *lock(&self.inner.folder) = None;
        *lock(&self.inner.watch) = None;
        self.set_state(State::SignedOut { server: None });
    }

    /// Where the desk stands.
    pub fn phase(&self) -> Phase {
        match self.state() {
            State::Opening => Phase::Opening,
            State::SignedOut { server } => Phase::SignedOut { server },
            State::Blocked { code } => {
                let recoverable = code == Code::WrongKey && self.entry().is_some();
                Phase::Blocked { code, recoverable }
            }
            State::Locked(shut) => Phase::Locked { lock: self.lock_view(&shut) },
            State::Ready(live) => {
                let signed_in = live.signed_in();
                Phase::Ready {
                    me: Me {
                        id: signed_in.member,
                        name: signed_in.member_name,
                        role: signed_in.role,
                        workspace: signed_in.workspace_name,
                        server: signed_in.server,
                    },
                }
            }
        }
    }

    pub(crate) fn state(&self) -> State {
        self.inner.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_state(&self, state: State) {
        *self.inner.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        self.inner.events.send(Event::Phase);
    }

    /// The open desk, or why there is none.
    pub(crate) fn live(&self) -> Result<Arc<Live>> {
        match self.state() {
            State::Ready(live) => Ok(live),
            State::Blocked { code } => Err(Error::Refused(code)),
            State::Locked(_) => Err(Code::Locked.into()),
            State::Opening | State::SignedOut { .. } => Err(Code::SignedOut.into()),
        }
    }

    /// The present desk, as `desk.json` names it.
    pub(crate) fn entry(&self) -> Option<DeskEntry> {
        Desks::load(&self.inner.config.base_dir).ok()?.present().cloned()
    }

    /// Where the secrets of a desk stand.
    pub(crate) fn vault_of(&self, entry: &DeskEntry) -> Arc<dyn KeyVault> {
        match entry.secrets {
            SecretsIn::Keyring => self.inner.config.vault.clone(),
            SecretsIn::Passphrase => self.inner.passphrase.clone(),
        }
    }

    /// Where the secrets of a desk that is being made will stand.
    pub(crate) fn vault_for_new(&self) -> (SecretsIn, Arc<dyn KeyVault>) {
        if self.inner.passphrase.is_open() {
            (SecretsIn::Passphrase, self.inner.passphrase.clone())
        } else {
            (SecretsIn::Keyring, self.inner.config.vault.clone())
        }
    }

    /// Ends the driver and waits until nothing holds the files.
    pub(crate) async fn stop(&self) {
        let driver = lock(&self.inner.driver).take();
        if let Some(driver) = driver {
            driver.abort();
            let _ = driver.await;
        }
        if !matches!(self.state(), State::Ready(_)) {
            return;
        }
        self.set_state(State::Opening);
        let closed = lock(&self.inner.closed).take();
        if let Some(closed) = closed {
            // Queries in flight hold the desk for some milliseconds more.
            let _ = tokio::time::timeout(PATIENCE, closed).await;
        }
    }
}
