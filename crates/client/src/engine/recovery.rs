//! Signing in again on the same device: for a locked desk whose session has ended, and for one whose keyring lost its secret.
//!
//! Promise: the device keeps its id. After a loss of the keyring the outbox is opened with the key that the server kept, proved
//! before anything is replaced, and everything that was not sent is there again; the rest is fetched anew (SECURITY.md, custody).

use std::sync::Arc;

use parley_domain::lease::Heard;
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::endpoint::{Contact, Recover, SignIn};
use parley_domain::protocol::session::{Secret, Session, SignInRequest};
use parley_domain::{Code, Email};
use zeroize::Zeroizing;

use super::session::reconcile;
use super::{Engine, State, blocking};
use crate::auth::{Auth, public_key};
use crate::desk::{DeskEntry, DirLock, device_secret};
use crate::egress::{Egress, ServerUrl};
use crate::keyfile::{self, Parts, StoreKeys};
use crate::live::lock;
use crate::standing::{Kept, Watch, reading};
use crate::store::Stores;
use crate::store::pool::Urgency;
use crate::store::session::{self, SignedIn};
use crate::sync::driver::Wish;
use crate::views::SignedInAgain;
use crate::{Error, Result};

impl Engine {
    /// Signs the member of this desk in again. A desk that waits for the server opens; one that lost its keys is rebuilt around
    /// what was not sent.
    ///
    /// # Errors
    /// As signing in; [`Code::Conflict`] for another member than this desk's; [`Code::NothingToRecover`] when the server keeps no
    /// key for it.
    pub async fn sign_in_again(&self, email: &str, password: &str, code: Option<Secret>) -> Result<SignedInAgain> {
        let _change = self.inner.change.lock().await;
        let entry = self.entry().ok_or(Code::SignedOut)?;
        if !matches!(self.state(), State::Blocked { code: Code::WrongKey } | State::Ready(_) | State::Locked(_)) {
            return Err(Code::Conflict.into());
        }
        let egress = Egress::new(ServerUrl::parse(&entry.server)?, self.inner.outside.wire.clone());
        let device_key = self.own_device_key(&entry).await?;
        let request = SignInRequest {
            email: Email::new(email.trim()),
            password: Secret::new(password),
            device: Some(entry.device),
            device_name: String::new(),
            code,
            device_key: Some(device_key),
        };
        let session = egress.call::<SignIn>(None, &request).await.map_err(|failure| Error::Refused(failure.code))?;
        if (session.workspace, session.member, session.device) != (entry.workspace, entry.member, entry.device) {
            return Err(Code::Conflict.into());
        }
        let recovered = match self.state() {
            State::Ready(live) => {
                live.auth.begin(&session).await?;
                live.renew(&session).await?;
                live.wish(Wish::SyncNow);
                None
            }
            State::Locked(shut) => {
                let auth = Auth::new(self.vault_of(&entry), self.inner.config.clock.clone(), &entry.dir, entry.device);
                auth.begin(&session).await?;
                let answer = egress.call::<Contact>(Some(&session.access_token), &self.counts()).await;
                let answer = answer.map_err(|failure| Error::Refused(failure.code))?;
                self.heard(&shut, &session, answer).await?;
                None
            }
            _ => Some(self.rebuild(&entry, egress, &session).await?),
        };
        Ok(SignedInAgain { phase: self.phase(), recovered })
    }

    /// The public half of the device's key: the present one, or a new one when the vault has none.
    async fn own_device_key(&self, entry: &DeskEntry) -> Result<String> {
        let (vault, name) = (self.vault_of(entry), device_secret(&entry.dir));
        let present = blocking({
            let (vault, name) = (vault.clone(), name.clone());
            move || vault.get(&name)
        })
        .await?;
        match present.and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok()) {
            Some(seed) => Ok(public_key(&Zeroizing::new(seed))),
            None => self.mint_device_key(&vault, &entry.dir).await,
        }
    }

    async fn rebuild(&self, entry: &DeskEntry, egress: Egress, session: &Session) -> Result<u32> {
        let custody = egress.call::<Recover>(Some(&session.access_token), &Nothing {}).await;
        let custody = custody.map_err(|failure| Error::Refused(failure.code))?;
        let key = custody.outbox_key.ok_or(Code::NothingToRecover)?;
        let key: Zeroizing<Vec<u8>> = Zeroizing::new(hex::decode(key.expose()).map_err(|_| Code::NothingToRecover)?);
        let outbox: [u8; 32] = key.as_slice().try_into().map_err(|_| Code::NothingToRecover)?;
        let config = self.inner.config.clone();
        let path = config.base_dir.join(&entry.dir);
        let folder = match lock(&self.inner.folder).take() {
            Some(folder) => folder,
            None => DirLock::take(&path)?,
        };
        let secret = self.mint_secret(&self.vault_of(entry), &entry.dir).await?;
        let parts = Parts { secret: secret.clone(), lease: None, pin: None };
        let signed_in = SignedIn::new(egress.server().as_str(), session);
        let heard = Heard::now(session.server_time, reading(config.clock.as_ref()));
        let kept = Kept::new(heard, DevicePolicy::default().of(session.role));
        let (dir, wrapped, at) = (entry.dir.clone(), parts.clone(), path.clone());
        let disk = self.inner.outside.disk.clone();
        let (stores, keys) = blocking(move || {
            let mut keys = StoreKeys::random(config.randomness.as_ref());
            keys.outbox = outbox;
            Ok((Stores::rebuild(&at, &dir, &keys, folder, disk)?, keys))
        })
        .await?;
        let saved = signed_in.clone();
        stores.replica.write(Urgency::Person, move |tx| session::save(tx, &saved)).await?;
        // Until here a kill leaves the old key file, and recovery begins again.
        let (config, dir) = (self.inner.config.clone(), entry.dir.clone());
        let watch = blocking(move || {
            keyfile::replace(&path, &dir, &wrapped, &keys, config.randomness.as_ref())?;
            Watch::begin(&path, &secret, kept)
        })
        .await?;
        let watch = Arc::new(watch);
        let hold = self.hold(entry, parts, Zeroizing::new(outbox));
        let live = self.assemble(hold, watch.clone(), stores, signed_in, egress).await?;
        live.auth.begin(session).await?;
        reconcile(&live).await?;
        let recovered = u32::try_from(live.pending().len()).unwrap_or(u32::MAX);
        *lock(&self.inner.watch) = Some(watch);
        self.active();
        let state = self.run(live);
        self.set_state(state);
        Ok(recovered)
    }
}
