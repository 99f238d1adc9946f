//! Access to the server: a short-lived token in memory, renewed by the refresh token that stands in the vault.
//!
//! A renewal is signed with the device's own key, which never leaves the vault, so the refresh token alone is of no use.
//!
//! Promise: one renewal at a time; the new refresh token is in the vault before anything uses what came with it, so a crash
//! does not sign anybody out.

use std::sync::Arc;

use ed25519_dalek::{Signer, SigningKey};
use parley_domain::protocol::endpoint::Refresh;
use parley_domain::protocol::session::{RefreshRequest, Secret, Session, refresh_proof};
use parley_domain::time::SECOND;
use parley_domain::{Clock, Code, DeviceId, Timestamp};
use tokio::sync::Mutex;

use crate::desk::{device_secret, session_secret};
use crate::egress::{Egress, Failure};
use crate::keys::{KeyVault, ask};

/// A token that ends sooner is renewed first.
const MARGIN: i64 = 30 * SECOND;

struct Access {
    token: Secret,
    /// By this desk's clock.
    until: Timestamp,
}

/// The public half of a device's key, hex.
pub fn public_key(seed: &[u8; 32]) -> String {
    hex::encode(SigningKey::from_bytes(seed).verifying_key().as_bytes())
}

/// A signature with a device's key, hex; `None` when the key is not one.
pub fn sign(seed: &[u8], bytes: &[u8]) -> Option<String> {
    let key = SigningKey::from_bytes(seed.try_into().ok()?);
    Some(hex::encode(key.sign(bytes).to_bytes()))
}

/// A device's access.
pub struct Auth {
    vault: Arc<dyn KeyVault>,
    clock: Arc<dyn Clock>,
    /// Names in the vault: of the refresh token, and of the device's key.
    entry: String,
    key: String,
    device: DeviceId,
    access: Mutex<Option<Access>>,
}

impl Auth {
    /// Access of `device`, whose refresh token and key stand in the vault under the names of the desk in `dir`.
    pub fn new(vault: Arc<dyn KeyVault>, clock: Arc<dyn Clock>, dir: &str, device: DeviceId) -> Self {
        let (entry, key) = (session_secret(dir), device_secret(dir));
        Self { vault, clock, entry, key, device, access: Mutex::new(None) }
    }

    /// Takes over a session that has just begun.
    pub async fn begin(&self, session: &Session) -> crate::Result<()> {
        self.store(session).await?;
        *self.access.lock().await = Some(self.access_of(session));
        Ok(())
    }

    /// A token that is good now, and the session when it was renewed.
    pub async fn token(&self, egress: &Egress) -> Result<(Secret, Option<Session>), Failure> {
        let mut access = self.access.lock().await;
        if let Some(access) = access.as_ref().filter(|access| self.clock.now() + MARGIN < access.until) {
            return Ok((access.token.clone(), None));
        }
        let (entry, key) = (self.entry.clone(), self.key.clone());
        let (stored, key) = ask(&self.vault, move |vault| Ok((vault.get(&entry)?, vault.get(&key)?))).await?;
        let stored = stored.ok_or_else(|| Failure::of(Code::Unauthorized))?;
        let text = String::from_utf8(stored.to_vec()).map_err(|_| Failure::of(Code::Unauthorized))?;
        let refresh_token = Secret::new(text);
        // A desk that was signed in before devices had keys has none, and the server knows of none.
        let proof = key.and_then(|key| sign(&key, &refresh_proof(self.device, &refresh_token)));
        let request = RefreshRequest { device: self.device, refresh_token, proof };
        let session = egress.call::<Refresh>(None, &request).await?;
        self.store(&session).await?;
        let fresh = self.access_of(&session);
        let token = fresh.token.clone();
        *access = Some(fresh);
        Ok((token, Some(session)))
    }

    /// Signs with the device's key, hex. [`Code::WrongKey`] when the vault holds none.
    pub async fn sign(&self, bytes: Vec<u8>) -> crate::Result<String> {
        let (vault, name) = (self.vault.clone(), self.key.clone());
        crate::engine::blocking(move || {
            let seed = vault.get(&name)?;
            seed.and_then(|seed| sign(&seed, &bytes)).ok_or_else(|| Code::WrongKey.into())
        })
        .await
    }

    /// Forgets the token, because the server did not take it or the member's rights changed.
    pub async fn forget(&self) {
        *self.access.lock().await = None;
    }

    async fn store(&self, session: &Session) -> crate::Result<()> {
        let (entry, token) = (self.entry.clone(), session.refresh_token.clone());
        ask(&self.vault, move |vault| vault.set(&entry, token.expose().as_bytes())).await
    }

    fn access_of(&self, session: &Session) -> Access {
        let lives = session.access_expires_at.since(session.server_time);
        Access { token: session.access_token.clone(), until: self.clock.now() + lives }
    }
}
