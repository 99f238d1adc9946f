//! Access to the server: a short-lived token in memory, renewed by the refresh token that stands in the vault.
//!
//! Promise: one renewal at a time; the new refresh token is in the vault before anything uses what came with it, so a crash
//! does not sign anybody out.

use std::sync::Arc;

use parley_domain::protocol::endpoint::Refresh;
use parley_domain::protocol::session::{RefreshRequest, Secret, Session};
use parley_domain::time::SECOND;
use parley_domain::{Clock, Code, DeviceId, Timestamp};
use tokio::sync::Mutex;

use crate::egress::{Egress, Failure};
use crate::keys::KeyVault;

/// A token that ends sooner is renewed first.
const MARGIN: i64 = 30 * SECOND;

struct Access {
    token: Secret,
    /// By this desk's clock.
    until: Timestamp,
}

/// A device's access.
pub struct Auth {
    vault: Arc<dyn KeyVault>,
    clock: Arc<dyn Clock>,
    entry: String,
    device: DeviceId,
    access: Mutex<Option<Access>>,
}

impl Auth {
    /// Access of `device`, whose refresh token stands in the vault under `entry`.
    pub fn new(vault: Arc<dyn KeyVault>, clock: Arc<dyn Clock>, entry: String, device: DeviceId) -> Self {
        Self { vault, clock, entry, device, access: Mutex::new(None) }
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
        let (vault, entry) = (self.vault.clone(), self.entry.clone());
        let stored = tokio::task::spawn_blocking(move || vault.get(&entry))
            .await
            .map_err(|_| Failure::of(Code::Internal))??
            .ok_or_else(|| Failure::of(Code::Unauthorized))?;
        let text = String::from_utf8(stored.to_vec()).map_err(|_| Failure::of(Code::Unauthorized))?;
        let request = RefreshRequest { device: self.device, refresh_token: Secret::new(text), proof: None };
        let session = egress.call::<Refresh>(None, &request).await?;
        self.store(&session).await?;
        let fresh = self.access_of(&session);
        let token = fresh.token.clone();
        *access = Some(fresh);
        Ok((token, Some(session)))
    }

    /// Forgets the token, because the server did not take it or the member's rights changed.
    pub async fn forget(&self) {
        *self.access.lock().await = None;
    }

    async fn store(&self, session: &Session) -> crate::Result<()> {
        let (vault, entry, token) = (self.vault.clone(), self.entry.clone(), session.refresh_token.clone());
        tokio::task::spawn_blocking(move || vault.set(&entry, token.expose().as_bytes()))
            .await
            .map_err(|_| crate::Error::Closed)?
    }

    fn access_of(&self, session: &Session) -> Access {
        let lives = session.access_expires_at.since(session.server_time);
        Access { token: session.access_token.clone(), until: self.clock.now() + lives }
    }
}
