//! Watches over the lease: on a timer, at start, and whenever the shell says that the computer woke up.
//!
//! Promise: works without a network and with the files closed. A desk that was silent for too long locks, then deletes itself; a
//! locked desk goes on asking the server, so that a contact opens it again and a revocation reaches it.

use std::sync::Weak;
use std::time::Duration;

use parley_domain::Code;
use parley_domain::lease::{Heard, Standing};
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::device::{ContactAnswer, ContactRequest, WipeReason};
use parley_domain::protocol::endpoint::Contact;
use parley_domain::protocol::session::Session;

use super::lock::Shut;
use super::{Engine, Inner, State, blocking};
use crate::auth::Auth;
use crate::desk::{DeskEntry, lease_secret};
use crate::egress::{Egress, Failure, ServerUrl};
use crate::keyfile::{self, HeldLease};
use crate::live::lock;
use crate::standing::reading;
use crate::views::{Event, LockReason, OpensWith};
use crate::{Error, Result};

const EVERY: Duration = Duration::from_secs(20);

/// Runs until the engine is gone.
pub(super) async fn run(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        Engine { inner }.look().await;
    }
}

impl Engine {
    /// Looks at the clocks and does what follows. The timer calls it; so does the shell when the computer woke up.
    pub async fn look(&self) {
        let _change = self.inner.change.lock().await;
        let Some(watch) = lock(&self.inner.watch).clone() else { return };
        match (watch.look(reading(self.inner.config.clock.as_ref())), self.state()) {
            (Standing::Wipe, State::Ready(_) | State::Locked(_)) => self.wipe(WipeReason::Silence).await,
            (Standing::Locked { why, .. }, State::Ready(live)) => {
                drop(live);
                self.lock_until_heard(why).await;
            }
            (Standing::Locked { why, .. }, State::Locked(shut)) if !shut.waits() => {
                self.drop_lease(&shut.entry).await;
                self.set_state(self.locked(shut.entry.clone(), why.into()));
            }
            _ => self.lock_when_idle().await,
        }
        if let State::Locked(shut) = self.state()
            && shut.opens_with != OpensWith::Passphrase
            && let Err(error) = self.knock(&shut).await
        {
            tracing::debug!(code = error.code().as_str(), "the server was not reached from a locked desk");
        }
    }

    /// A contact while the files are closed. One that waited for it is opened, as far as its PIN allows. Call with `change` held.
    pub(super) async fn knock(&self, shut: &Shut) -> Result<()> {
        let entry = &shut.entry;
        let egress = Egress::new(ServerUrl::parse(&entry.server)?, self.inner.outside.wire.clone());
        let auth = Auth::new(self.vault_of(entry), self.inner.config.clock.clone(), &entry.dir, entry.device);
        let heard = async {
            let (token, session) = auth.token(&egress).await?;
            let session = session.ok_or(Failure::of(Code::Unauthorized))?;
            let request = self.counts();
            Ok::<_, Failure>((session, egress.call::<Contact>(Some(&token), &request).await?))
        };
        match heard.await {
            Ok((session, answer)) => self.heard(shut, &session, answer).await,
            Err(failure) if failure.code == Code::DeviceRevoked => {
                self.wipe(WipeReason::Revoked).await;
                Ok(())
            }
            Err(failure) => {
                // A session that has ended is begun anew by the member, on the same device.
                let ended = failure.code == Code::Unauthorized && shut.waits();
                let opens_with = if ended { OpensWith::SignIn } else { shut.opens_with };
                if (Some(failure.code), opens_with) != (shut.problem, shut.opens_with) {
                    let problem = Some(failure.code);
                    let shut = Shut { problem, opens_with, ..shut.clone() };
                    self.set_state(State::Locked(std::sync::Arc::new(shut)));
                }
                Err(Error::Refused(failure.code))
            }
        }
    }

    /// What a locked desk says: counts of when it was open. Erasures wait until it can carry them out.
    pub(super) fn counts(&self) -> ContactRequest {
        let kept = lock(&self.inner.watch).as_ref().map(|watch| watch.kept());
        ContactRequest {
            lease: None,
            renew: false,
            unsent: kept.as_ref().map_or(0, |kept| kept.unsent),
            drafts: kept.as_ref().map_or(0, |kept| kept.drafts),
            outbox_key: None,
            erased_upto: None,
            receipts: Vec::new(),
        }
    }

    /// The server answered: the watch begins anew, and a desk that waited for it opens.
    pub(super) async fn heard(&self, shut: &Shut, session: &Session, answer: ContactAnswer) -> Result<()> {
        let rules = DevicePolicy::of(&answer.policy, session.role);
        let watch = lock(&self.inner.watch).clone().ok_or(Code::Internal)?;
        let heard = Heard::now(answer.server_time, reading(self.inner.config.clock.as_ref()));
        watch.change(|kept| (kept.heard, kept.rules, kept.policy_epoch) = (heard, rules, answer.policy_epoch))?;
        if !shut.waits() {
            self.inner.events.send(Event::Phase);
            return Ok(());
        }
        self.take_lease(&shut.entry, &answer).await?;
        self.open_present(None).await
    }

    /// Puts the lease under which the key file is wrapped back into the vault.
    async fn take_lease(&self, entry: &DeskEntry, answer: &ContactAnswer) -> Result<()> {
        let head = keyfile::head(&self.inner.config.base_dir.join(&entry.dir))?;
        let offered = [Some(&answer.lease), answer.previous.as_ref()];
        let fits = offered.into_iter().flatten().find(|lease| head.leases.contains(&lease.serial));
        let Some(lease) = fits.and_then(|lease| HeldLease::parse(lease.serial, lease.secret.expose())) else {
            // A desk that never had a lease opens without one.
            return if head.leases.contains(&0) { Ok(()) } else { Err(Code::WrongKey.into()) };
        };
        let (vault, name) = (self.vault_of(entry), lease_secret(&entry.dir));
        blocking(move || vault.set(&name, &lease.to_bytes())).await
    }
}

impl Shut {
    /// Whether only a contact opens it.
    pub fn waits(&self) -> bool {
        matches!(self.reason, LockReason::Silence | LockReason::ClockBehind | LockReason::ClockAhead)
    }
}
