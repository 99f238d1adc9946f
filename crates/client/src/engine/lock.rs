//! Locked and unlocked: files closed and keys out of memory, and how they are opened again; the app lock's PIN.
//!
//! Promise: locked, every command is answered [`Code::Locked`] and nothing of the desk can be read without what its key file
//! asks for. A wrong PIN costs time, more with each try, and the count survives a restart (SECURITY.md, key protocol).

use std::sync::Arc;

use parley_domain::lease::{Locked, Standing};
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, Timestamp};

use super::{Engine, State, blocking};
use crate::desk::{DeskEntry, DirLock, SecretsIn, lease_secret};
use crate::keyfile::{self, Parts, Pin, PinPart};
use crate::live::lock;
use crate::standing::reading;
use crate::views::{AppLock, LockReason, LockView, OpensWith, Phase};
use crate::{Error, Result};

/// Shortest PIN, in characters.
const PIN_LEAST: usize = 6;

/// A desk whose files are closed.
#[derive(Clone, Debug)]
pub(crate) struct Shut {
    pub entry: DeskEntry,
    pub reason: LockReason,
    pub opens_with: OpensWith,
    /// What the last try to reach the server ended with.
    pub problem: Option<Code>,
}

impl From<Locked> for LockReason {
    fn from(why: Locked) -> Self {
        match why {
            Locked::Silence => Self::Silence,
            Locked::ClockBehind => Self::ClockBehind,
            Locked::ClockAhead => Self::ClockAhead,
        }
    }
}

impl Engine {
    /// Locks at once: because the member asked, the computer sleeps, or its session was locked.
    pub async fn lock(&self) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        self.close_files(LockReason::Asked).await;
        Ok(self.phase())
    }

    /// Opens a locked desk with the PIN or the passphrase; without either where none is set. One that waits for the server
    /// tries to reach it.
    ///
    /// # Errors
    /// [`Code::WrongPin`], [`Code::RateLimited`] while a pause after wrong tries lasts, [`Code::Locked`] without a PIN where one
    /// is needed; what the server or the keyring answered.
    pub async fn unlock(&self, secret: Option<Secret>) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        let State::Locked(shut) = self.state() else { return Ok(self.phase()) };
        match shut.opens_with {
            OpensWith::Contact | OpensWith::SignIn => self.knock(&shut).await?,
            OpensWith::Passphrase => {
                let passphrase = secret.ok_or(Code::Locked)?;
                let vault = self.inner.passphrase.clone();
                blocking(move || vault.enter(passphrase.expose())).await?;
                self.open_present(None).await?;
            }
            OpensWith::Pin => self.open_present(Some(secret.ok_or(Code::Locked)?)).await?,
            OpensWith::Click => self.open_present(None).await?,
        }
        Ok(self.phase())
    }

    /// How the desk is locked.
    pub async fn app_lock(&self) -> Result<AppLock> {
        let live = self.live()?;
        Ok(self.app_lock_of(lock(&live.hold.parts).pin.is_some(), live.watch.kept().rules.idle_lock_min))
    }

    fn app_lock_of(&self, pin: bool, idle_min: u32) -> AppLock {
        let passphrase = self.inner.passphrase.is_open();
        AppLock { pin, passphrase, idle_min: if pin || passphrase { idle_min } else { 0 } }
    }

    /// Sets the PIN, or changes it: then the present one is needed.
    ///
    /// # Errors
    /// [`Code::WeakPin`], [`Code::WrongPin`], [`Code::RateLimited`].
    pub async fn set_pin(&self, current: Option<Secret>, pin: Secret) -> Result<AppLock> {
        let letters: Vec<char> = pin.expose().chars().collect();
        if letters.len() < PIN_LEAST || letters.windows(2).all(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(Code::WeakPin.into());
        }
        self.change_pin(current, Some(pin)).await
    }

    /// Takes the PIN off.
    ///
    /// # Errors
    /// [`Code::WrongPin`], [`Code::RateLimited`].
    pub async fn remove_pin(&self, current: Secret) -> Result<AppLock> {
        self.change_pin(Some(current), None).await
    }

    async fn change_pin(&self, current: Option<Secret>, pin: Option<Secret>) -> Result<AppLock> {
        let _change = self.inner.change.lock().await;
        let live = self.live()?;
        let _changing = live.hold.changing.lock().await;
        let present = lock(&live.hold.parts).clone();
        if present.pin.is_some() {
            self.may_try(&live.watch.kept().not_before())?;
            let typed = current.ok_or(Code::WrongPin)?;
            let (hold, parts) = (live.hold.clone(), present.clone());
            let right = blocking(move || {
                let leases: Vec<_> = parts.lease.into_iter().collect();
                let path = hold.base.join(&hold.dir);
                Ok(keyfile::open(&path, &hold.dir, &parts.secret, &leases, &Pin::Typed(typed.expose())).is_ok())
            })
            .await?;
            self.tried(&live.watch, right)?;
        }
        let (hold, randomness) = (live.hold.clone(), live.randomness.clone());
        let set = pin.is_some();
        blocking(move || {
            let pin = pin.map(|pin| PinPart::new(pin.expose(), randomness.as_ref())).transpose()?;
            hold.rewrap(Parts { pin, ..present }, randomness.as_ref(), || Ok(()))
        })
        .await?;
        self.inner.events.send(crate::views::Event::Phase);
        Ok(self.app_lock_of(set, live.watch.kept().rules.idle_lock_min))
    }

    /// Whether a PIN may be tried now.
    pub(super) fn may_try(&self, not_before: &Option<Timestamp>) -> Result<()> {
        match not_before {
            Some(until) if self.trusted_now() < *until => Err(Code::RateLimited.into()),
            _ => Ok(()),
        }
    }

    /// Counts a try.
    pub(super) fn tried(&self, watch: &crate::standing::Watch, right: bool) -> Result<()> {
        let now = self.trusted_now();
        if right {
            if watch.kept().tries > 0 {
                watch.change(|kept| kept.tries = 0)?;
            }
            return Ok(());
        }
        watch.change(|kept| (kept.tries, kept.tried_at) = (kept.tries.saturating_add(1), now))?;
        self.inner.events.send(crate::views::Event::Phase);
        Err(Code::WrongPin.into())
    }

    pub(super) fn trusted_now(&self) -> Timestamp {
        let clock = self.inner.config.clock.as_ref();
        match lock(&self.inner.watch).as_ref() {
            Some(watch) => watch.now(reading(clock)),
            None => clock.now(),
        }
    }

    /// Closes the files of an open desk and forgets its keys. Call with `change` held.
    pub(super) async fn close_files(&self, reason: LockReason) {
        let State::Ready(live) = self.state() else { return };
        live.count();
        if let Err(error) = live.watch.write() {
            tracing::warn!(code = error.code().as_str(), "the counts cannot be written");
        }
        let (base, dir) = (live.hold.base.clone(), live.hold.dir.clone());
        drop(live);
        self.stop().await;
        let Some(entry) = self.entry() else { return self.set_state(State::SignedOut { server: None }) };
        // Nobody else may open what this process still answers for.
        *lock(&self.inner.folder) = DirLock::take(&base.join(&dir)).ok();
        if entry.secrets == SecretsIn::Passphrase {
            self.inner.passphrase.close();
        }
        self.set_state(self.locked(entry, reason));
    }

    /// The state of a closed desk: what opens it depends on what its key file says.
    pub(super) fn locked(&self, entry: DeskEntry, reason: LockReason) -> State {
        let waits = matches!(reason, LockReason::Silence | LockReason::ClockBehind | LockReason::ClockAhead);
        let head = keyfile::head(&self.inner.config.base_dir.join(&entry.dir)).unwrap_or_default();
        let opens_with = if entry.secrets == SecretsIn::Passphrase && !self.inner.passphrase.is_open() {
            OpensWith::Passphrase
        } else if waits {
            OpensWith::Contact
        } else if head.pin {
            OpensWith::Pin
        } else {
            OpensWith::Click
        };
        State::Locked(Arc::new(Shut { entry, reason, opens_with, problem: None }))
    }

    /// Locks until there was a contact: the lease goes from the vault, so that without the server nothing opens.
    pub(super) async fn lock_until_heard(&self, why: Locked) {
        self.close_files(why.into()).await;
        if let Some(entry) = self.entry() {
            self.drop_lease(&entry).await;
            self.set_state(self.locked(entry, why.into()));
        }
    }

    pub(super) async fn drop_lease(&self, entry: &DeskEntry) {
        let (vault, name) = (self.vault_of(entry), lease_secret(&entry.dir));
        if let Err(error) = blocking(move || vault.delete(&name)).await {
            tracing::warn!(code = error.code().as_str(), "the lease cannot be taken out of the vault");
        }
    }

    /// What the window is told of a closed desk.
    pub(super) fn lock_view(&self, shut: &Shut) -> LockView {
        let kept = lock(&self.inner.watch).as_ref().map(|watch| watch.kept());
        let standing =
            kept.as_ref().map(|kept| kept.heard.standing(reading(self.inner.config.clock.as_ref()), &kept.rules));
        let wipes_at = match standing {
            Some(Standing::Usable { wipes_at, .. } | Standing::Locked { wipes_at, .. }) => Some(wipes_at),
            _ => None,
        };
        LockView {
            reason: shut.reason,
            opens_with: shut.opens_with,
            not_before: kept.as_ref().and_then(|kept| kept.not_before()).filter(|until| self.trusted_now() < *until),
            wipes_at,
            unsent: kept.map_or(0, |kept| kept.unsent),
            server: shut.entry.server.clone(),
            problem: shut.problem,
        }
    }

    /// A key or a click: the idle lock counts from here.
    pub fn active(&self) {
        *lock(&self.inner.active_at) = self.trusted_now();
    }

    /// Locks when nobody has done anything for as long as the policy says. Only where a PIN or a passphrase is asked for: a lock
    /// that the keyring opens by itself protects nothing. Call with `change` held.
    pub(super) async fn lock_when_idle(&self) {
        let State::Ready(live) = self.state() else { return };
        let lock_of = self.app_lock_of(lock(&live.hold.parts).pin.is_some(), live.watch.kept().rules.idle_lock_min);
        drop(live);
        let idle = self.trusted_now().since(*lock(&self.inner.active_at));
        if lock_of.idle_min > 0 && idle >= i64::from(lock_of.idle_min) * parley_domain::time::MINUTE {
            self.close_files(LockReason::Idle).await;
        }
    }

    /// Uses a file under a passphrase for the secrets of the next sign-in, because there is no keyring; or opens the one there is.
    ///
    /// # Errors
    /// [`Code::WeakPin`], [`Code::WrongPin`], [`Code::Conflict`] while a desk is open.
    pub async fn set_up_passphrase(&self, passphrase: Secret) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        if !matches!(self.state(), State::SignedOut { .. }) {
            return Err(Error::Refused(Code::Conflict));
        }
        let vault = self.inner.passphrase.clone();
        blocking(move || vault.enter(passphrase.expose())).await?;
        Ok(self.phase())
    }
}
