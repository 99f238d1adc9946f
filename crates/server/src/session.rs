//! Signing in, and what authentication yields: the only way to a [`WorkspaceCtx`].
//!
//! Promise: passwords are argon2id (19 MiB, 2 passes); an unknown address takes as long as a wrong password; tokens are 256
//! bits, stored hashed. A refresh replaces both tokens; the same refresh token again within 60 s gives the same successors, and
//! later revokes the device, because then two hold it.

use std::sync::{Arc, OnceLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use parley_domain::limits::{ACCESS_TOKEN_LIVES, REFRESH_GRACE, REFRESH_TOKEN_IDLE};
use parley_domain::permission::Actor;
use parley_domain::protocol::session::{RefreshRequest, Secret, Session, SignInRequest};
use parley_domain::{Code, DeviceId, MemberId, Timestamp, WorkspaceId};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use crate::app::Core;
use crate::db::access::{self, DeviceRow, MemberRow};
use crate::db::{Txn, transaction};
use crate::error::{Error, Result};
use crate::secrets::token_hash;

/// Longest password taken, in bytes.
const PASSWORD_MAX: usize = 1_024;

/// Who asks, in which workspace, from which device. Made by [`authenticate`] alone.
#[derive(Clone, Debug)]
pub struct WorkspaceCtx {
    workspace: WorkspaceId,
    actor: Actor,
    device: DeviceId,
    epoch: u64,
}

impl WorkspaceCtx {
    /// The workspace that the member works in.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }
    /// The member as the rules see it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }
    /// The member.
    pub fn member(&self) -> MemberId {
        self.actor.member
    }
    /// The device.
    pub fn device(&self) -> DeviceId {
        self.device
    }
    /// Raised when what the member may see changes.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// Hashes and checks passwords, no more at a time than there are cores.
#[derive(Debug)]
pub struct Passwords {
    slots: Arc<Semaphore>,
}

impl Passwords {
    /// For `cores` hashes at a time.
    pub fn new(cores: usize) -> Self {
        Self { slots: Arc::new(Semaphore::new(cores.max(1))) }
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: &Secret, salt: [u8; 16]) -> Result<String> {
        if password.expose().len() > PASSWORD_MAX || password.expose().is_empty() {
            return Err(Error::Refused(Code::BadRequest, "the password is empty or too long"));
        }
        let password = password.clone();
        self.work(move || hash(&password, &salt)).await?
    }

    /// Whether the password matches the PHC string; without one the same work is done for nothing.
    async fn verify(&self, password: &Secret, phc: Option<String>) -> Result<bool> {
        if password.expose().len() > PASSWORD_MAX {
            return Ok(false);
        }
        let password = password.clone();
        self.work(move || {
            let known = phc.is_some();
            let phc = phc.unwrap_or_else(nobody);
            PasswordHash::new(&phc)
                .is_ok_and(|phc| hasher().verify_password(password.expose().as_bytes(), &phc).is_ok())
                && known
        })
        .await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| Error::Stopping)?;
        tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        })
        .await
        .map_err(|_| Error::Stopping)
    }
}

fn hasher() -> Argon2<'static> {
    // The parameters are OWASP's and within argon2's range.
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap_or_default())
}

fn hash(password: &Secret, salt: &[u8]) -> Result<String> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    hasher()
        .hash_password_customized(password.expose().as_bytes(), salt, None, None, params)
        .map(|phc| phc.to_string())
        .map_err(|_| Error::Damaged("password"))
}

/// A hash that no sign-in can match, for addresses that nobody has.
fn nobody() -> String {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| hash(&Secret::new("nobody"), &[7; 16]).unwrap_or_default()).clone()
}

/// Signs a device in.
///
/// # Errors
/// [`Code::BadCredentials`], [`Code::DeviceRevoked`].
pub async fn sign_in(core: &Core, request: SignInRequest) -> Result<Session> {
    let email = request.email.expose().trim().to_lowercase();
    let member = access::member_by_email(core.db.reader(), &email).await?;
    let phc = member.as_ref().map(|member| member.password.clone());
    let matches = core.passwords.verify(&request.password, phc).await?;
    let member = member
        .filter(|member| matches && member.active)
        .ok_or(Error::Refused(Code::BadCredentials, "e-mail or password is wrong"))?;
    if request.device_name.chars().count() > 200 {
        return Err(Error::Refused(Code::BadRequest, "the device name is too long"));
    }
    let fresh = core.random_token();
    let nonce = core.random_token();
    let new_device = DeviceId(core.new_id());
    let (device, tokens) =
        transaction!(core.db, |txn| open_device(&txn, core, &member, &request, new_device, &fresh, &nonce))?;
    session(core, member, device, tokens).await
}

struct Tokens {
    access: String,
    refresh: String,
}

async fn open_device(
    txn: &Txn,
    core: &Core,
    member: &MemberRow,
    request: &SignInRequest,
    new_device: DeviceId,
    fresh: &str,
    nonce: &str,
) -> Result<(DeviceRow, Tokens)> {
    let now = core.now();
    let known = match request.device {
        Some(id) => access::device(txn, id).await?,
        None => None,
    };
    let known = known.filter(|device| device.workspace == member.workspace && device.member == member.id);
    if known.as_ref().is_some_and(|device| device.revoked_at.is_some()) {
        return Err(Error::Refused(Code::DeviceRevoked, "this device was revoked"));
    }
    let mut device = known.unwrap_or(DeviceRow {
        workspace: member.workspace,
        id: new_device,
        member: member.id,
        name: String::new(),
        access_hash: None,
        access_expires_at: now,
        refresh_hash: None,
        previous_hash: None,
        nonce: String::new(),
        rotated_at: now,
        created_at: now,
        last_seen_at: now,
        revoked_at: None,
    });
    device.name.clone_from(&request.device_name);
    let tokens = successors(core, device.id, fresh, nonce);
    adopt(&mut device, &tokens, None, nonce, now);
    access::put_device(txn, &device).await?;
    Ok((device, tokens))
}

/// The tokens that follow `presented`: derived, so that a repeated request gets the same ones although only hashes are stored.
fn successors(core: &Core, device: DeviceId, presented: &str, nonce: &str) -> Tokens {
    Tokens {
        access: core.keys.token(&format!("access|{device}|{presented}|{nonce}")),
        refresh: core.keys.token(&format!("refresh|{device}|{presented}|{nonce}")),
    }
}

fn adopt(device: &mut DeviceRow, tokens: &Tokens, previous: Option<String>, nonce: &str, now: Timestamp) {
    device.access_hash = Some(token_hash(&tokens.access));
    device.access_expires_at = now + ACCESS_TOKEN_LIVES;
    device.refresh_hash = Some(token_hash(&tokens.refresh));
    device.previous_hash = previous;
    nonce.clone_into(&mut device.nonce);
    device.rotated_at = now;
    device.last_seen_at = now;
}

async fn session(core: &Core, member: MemberRow, device: DeviceRow, tokens: Tokens) -> Result<Session> {
    let inboxes = access::inboxes_of(core.db.reader(), member.workspace, &member.actor()).await?;
    Ok(Session {
        workspace: member.workspace,
        workspace_name: member.workspace_name,
        member: member.id,
        member_name: member.name,
        role: member.role,
        inboxes,
        device: device.id,
        access_token: Secret::new(tokens.access),
        access_expires_at: device.access_expires_at,
        refresh_token: Secret::new(tokens.refresh),
        server_time: core.now(),
    })
}

enum Refreshed {
    Session(DeviceRow, Tokens),
    /// The token was used before: whoever has the other copy is not the member.
    Reused(DeviceRow),
}

/// Replaces a session's tokens.
///
/// # Errors
/// [`Code::Unauthorized`], [`Code::DeviceRevoked`].
pub async fn refresh(core: &Core, request: RefreshRequest) -> Result<Session> {
    let nonce = core.random_token();
    match transaction!(core.db, |txn| rotate(&txn, core, &request, &nonce))? {
        Refreshed::Session(device, tokens) => {
            let member = access::member(core.db.reader(), device.workspace, device.member)
                .await?
                .filter(|member| member.active)
                .ok_or(Error::Refused(Code::Unauthorized, "the member is not active"))?;
            session(core, member, device, tokens).await
        }
        Refreshed::Reused(device) => {
            tracing::warn!(device = %device.id, "a refresh token was used twice; its session is closed");
            Err(Error::Refused(Code::Unauthorized, "the refresh token was used before"))
        }
    }
}

async fn rotate(txn: &Txn, core: &Core, request: &RefreshRequest, nonce: &str) -> Result<Refreshed> {
    const WRONG: Error = Error::Refused(Code::Unauthorized, "the refresh token is not valid");
    let now = core.now();
    let mut device = access::device(txn, request.device).await?.ok_or(WRONG)?;
    let presented = request.refresh_token.expose();
    let hash = token_hash(presented);
    let is = |known: &Option<String>| {
        known.as_ref().is_some_and(|known| bool::from(known.as_bytes().ct_eq(hash.as_bytes())))
    };
    if device.revoked_at.is_some() {
        return Err(Error::Refused(Code::DeviceRevoked, "this device was revoked"));
    }
    if is(&device.refresh_hash) {
        if now.since(device.last_seen_at) > REFRESH_TOKEN_IDLE {
            return Err(WRONG);
        }
        let tokens = successors(core, device.id, presented, nonce);
        adopt(&mut device, &tokens, Some(hash), nonce, now);
        access::put_device(txn, &device).await?;
        return Ok(Refreshed::Session(device, tokens));
    }
    if is(&device.previous_hash) {
        if now.since(device.rotated_at) <= REFRESH_GRACE {
            let tokens = successors(core, device.id, presented, &device.nonce);
            return Ok(Refreshed::Session(device, tokens));
        }
        access::clear_tokens(txn, device.workspace, device.id, None).await?;
        return Ok(Refreshed::Reused(device));
    }
    Err(WRONG)
}

/// Signs the device out and forgets its tokens.
pub async fn sign_out(core: &Core, ctx: &WorkspaceCtx) -> Result<()> {
    access::clear_tokens(core.db.writer(), ctx.workspace, ctx.device, None).await.map(|_| ())
}

/// Who holds the access token.
///
/// # Errors
/// [`Code::Unauthorized`], [`Code::DeviceRevoked`].
pub async fn authenticate(core: &Core, token: &str) -> Result<WorkspaceCtx> {
    const WRONG: Error = Error::Refused(Code::Unauthorized, "the access token is not valid");
    let device = access::device_by_access(core.db.reader(), &token_hash(token)).await?.ok_or(WRONG)?;
    if device.revoked_at.is_some() {
        return Err(Error::Refused(Code::DeviceRevoked, "this device was revoked"));
    }
    if core.now() >= device.access_expires_at {
        return Err(WRONG);
    }
    let member = access::member(core.db.reader(), device.workspace, device.member)
        .await?
        .filter(|member| member.active)
        .ok_or(WRONG)?;
    Ok(WorkspaceCtx { workspace: member.workspace, actor: member.actor(), device: device.id, epoch: member.epoch })
}
