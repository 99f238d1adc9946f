//! Signing in, and what authentication yields: the only way to a [`WorkspaceCtx`].
//!
//! Promise: an unknown address takes as long as a wrong password and is held back after as many tries; tokens are 256 bits,
//! stored hashed. A refresh replaces both tokens and, from a device with a key, is signed; the same refresh token again
//! gives the same successors while they are not used for the next refresh; without a key within 60 s only, and later closes the
//! session, because then two hold it. A session ends after 14 days without use and 90 days after it began.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use parley_domain::entity::Kind;
use parley_domain::limits::{ACCESS_TOKEN_LIVES, REFRESH_GRACE, REFRESH_TOKEN_IDLE, SESSION_LIVES, STEP_UP_LASTS};
use parley_domain::permission::{Actor, Permission, allows};
use parley_domain::planted::{Bug, planted};
use parley_domain::protocol::access::{AccessRules, StepUpRequest, SteppedUp};
use parley_domain::protocol::endpoint::Admits;
use parley_domain::protocol::session::{RefreshRequest, Secret, Session, SignInRequest};
use parley_domain::{Code, DeviceId, Email, InboxId, MemberId, PersonName, Timestamp, WorkspaceId};
use subtle::ConstantTimeEq;

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::access::{self, DeviceRow, Holder, MemberRow};
use crate::db::{Txn, desks, transaction};
use crate::error::{Error, Result};
use crate::secrets::token_hash;
use crate::tries::{self, Subjects};
use crate::{device_key, factor};

/// Longest name of a device, in characters.
const DEVICE_NAME_MAX: usize = 200;

/// Who asks, in which workspace, from which device. Made by [`authenticate`] alone.
#[derive(Clone, Debug)]
pub struct WorkspaceCtx {
    workspace: WorkspaceId,
    actor: Actor,
    device: DeviceId,
    epoch: u64,
    name: PersonName,
    email: Email,
    two_factor: bool,
    rules: AccessRules,
    stepped_up_until: Option<Timestamp>,
    protocol: u32,
    head: (u64, String),
}

/// What members see, as of their permission epoch. The epoch is read from the database with every request and raised in the
/// transaction of every change of rights, so what stands under the present epoch is what the database says.
#[derive(Debug, Default)]
pub struct Granted(Mutex<HashMap<MemberId, (u64, BTreeSet<InboxId>)>>);

impl Granted {
    async fn to(&self, core: &Core, holder: &Holder) -> Result<BTreeSet<InboxId>> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((epoch, inboxes)) = known().get(&holder.member)
            && *epoch == holder.epoch
        {
            return Ok(inboxes.clone());
        }
        let inboxes = access::granted(core.db.reader(), holder.workspace, holder.member).await?;
        known().insert(holder.member, (holder.epoch, inboxes.clone()));
        Ok(inboxes)
    }
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
    /// The member's name.
    pub fn name(&self) -> &PersonName {
        &self.name
    }
    /// The member's e-mail address.
    pub fn email(&self) -> &Email {
        &self.email
    }
    /// Whether the member has a second factor.
    pub fn two_factor(&self) -> bool {
        self.two_factor
    }
    /// The workspace's rules about access.
    pub fn rules(&self) -> AccessRules {
        self.rules
    }
    /// Until when the device may do what needs a step-up.
    pub fn stepped_up_until(&self) -> Option<Timestamp> {
        self.stepped_up_until
    }
    /// The workspace's counter and lineage when the request was let in.
    pub fn head(&self) -> (u64, &str) {
        (self.head.0, &self.head.1)
    }
    /// Whether rows of the kind go to this desk: it must know the kind, and facts go to who may see reports.
    pub fn receives(&self, kind: Kind) -> bool {
        self.protocol >= kind.since() && (kind != Kind::Fact || self.allows(Permission::SeeReports))
    }
    /// Whether contacts go to this member without phone number.
    pub fn hides_phones(&self) -> bool {
        self.rules.mask_contacts && !allows(self.actor.role, Permission::SeeMaskedContacts)
    }
    /// Whether the member may do it.
    pub fn allows(&self, permission: Permission) -> bool {
        allows(self.actor.role, permission)
    }

    /// Whether a route serves this member now.
    ///
    /// # Errors
    /// [`Code::SecondFactorRequired`], [`Code::Forbidden`], [`Code::StepUpNeeded`].
    pub fn admit(&self, admits: Admits, step_up: bool, now: Timestamp) -> Result<()> {
        let finished = self.two_factor || !self.rules.two_factor_required;
        if !finished && !matches!(admits, Admits::Anyone | Admits::Unfinished) {
            return Err(Error::Refused(Code::SecondFactorRequired, "a second factor has to be set up first"));
        }
        if let Admits::Holders(permission) = admits
            && !self.allows(permission)
        {
            return Err(Error::Refused(Code::Forbidden, "the role does not allow it"));
        }
        if step_up && self.stepped_up_until.is_none_or(|until| now >= until) {
            return Err(Error::Refused(Code::StepUpNeeded, "the password has to be given again"));
        }
        Ok(())
    }
}

/// What a device says about itself when a session begins.
#[derive(Clone, Debug)]
pub(crate) struct NewDevice {
    pub id: Option<DeviceId>,
    pub name: String,
    /// Ed25519 public key, hex; checked.
    pub key: Option<String>,
}

impl NewDevice {
    pub fn checked(id: Option<DeviceId>, name: &str, key: Option<&String>) -> Result<Self> {
        if name.chars().count() > DEVICE_NAME_MAX {
            return Err(Error::Refused(Code::BadRequest, "the device name is too long"));
        }
        let key = key.map(|key| device_key::checked(key)).transpose()?;
        Ok(Self { id, name: name.to_owned(), key })
    }
}

/// Signs a device in. `from` is the network address that asks.
///
/// # Errors
/// [`Code::BadCredentials`], [`Code::SecondFactorNeeded`], [`Code::BadSecondFactor`], [`Code::DeviceRevoked`],
/// [`Code::RateLimited`] after too many wrong tries.
pub async fn sign_in(core: &Core, from: Option<IpAddr>, request: SignInRequest) -> Result<Session> {
    let email = request.email.expose().trim().to_lowercase();
    let new = NewDevice::checked(request.device, &request.device_name, request.device_key.as_ref())?;
    let subjects = Subjects::of(core, &email, from);
    tries::take(core, &subjects).await?;
    let member = access::member_by_email(core.db.reader(), &email).await?;
    let phc = member.as_ref().map(|member| member.password.clone());
    let matches = core.passwords.verify(&request.password, phc).await?;
    let member = member
        .filter(|member| matches && member.active)
        .ok_or(Error::Refused(Code::BadCredentials, "e-mail or password is wrong"))?;
    if member.two_factor && request.code.is_none() {
        tries::give_back(core, &subjects).await?;
        return Err(Error::Refused(Code::SecondFactorNeeded, "the code of the second factor is needed"));
    }
    let made = Made::new(core);
    let (device, tokens) =
        transaction!(core.db, |txn| open_session(&txn, core, &member, request.code.as_ref(), &new, &made))?;
    tries::passed(core, &subjects).await?;
    session(core, member, device, tokens).await
}

pub(crate) struct Tokens {
    access: String,
    refresh: String,
}

/// What is drawn before a transaction, so that it can run again.
pub(crate) struct Made {
    fresh: String,
    nonce: String,
    device: DeviceId,
}

impl Made {
    pub fn new(core: &Core) -> Self {
        Self { fresh: core.random_token(), nonce: core.random_token(), device: DeviceId(core.new_id()) }
    }
}

/// Checks the second factor and begins a session, in one.
async fn open_session(
    txn: &Txn,
    core: &Core,
    member: &MemberRow,
    code: Option<&Secret>,
    new: &NewDevice,
    made: &Made,
) -> Result<(DeviceRow, Tokens)> {
    if member.two_factor {
        let code = code.ok_or(Error::Refused(Code::SecondFactorNeeded, "the code of the second factor is needed"))?;
        factor::spend(txn, core, member.workspace, member.id, code).await?;
    }
    open_device(txn, core, member, new, made).await
}

/// Begins a session on a new device, or on one that the member had signed in before.
pub(crate) async fn open_device(
    txn: &Txn,
    core: &Core,
    member: &MemberRow,
    new: &NewDevice,
    made: &Made,
) -> Result<(DeviceRow, Tokens)> {
    let now = core.now();
    let known = match new.id {
        Some(id) => access::device(txn, id).await?,
        None => None,
    };
    let known = known.filter(|device| device.workspace == member.workspace && device.member == member.id);
    if known.as_ref().is_some_and(|device| device.revoked_at.is_some()) {
        return Err(Error::Refused(Code::DeviceRevoked, "this device was revoked"));
    }
    let mut device = known.unwrap_or(DeviceRow {
        workspace: member.workspace,
        id: made.device,
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
        key: None,
        signed_in_at: now,
        stepped_up_until: None,
    });
    if !new.name.is_empty() {
        device.name.clone_from(&new.name);
    }
    device.key.clone_from(&new.key);
    device.signed_in_at = now;
    // The password was given just now.
    device.stepped_up_until = Some(now + STEP_UP_LASTS);
    let tokens = successors(core, device.id, &made.fresh, &made.nonce);
    adopt(&mut device, &tokens, None, &made.nonce, now);
    access::put_device(txn, &device).await?;
    let entry = Entry {
        actor: Some(member.id),
        action: "device.signed_in",
        target: &format!("device/{}", device.id),
        details: "",
    };
    audit::record(txn, core, member.workspace, entry).await?;
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
    device.access_expires_at = (now + ACCESS_TOKEN_LIVES).min(device.signed_in_at + SESSION_LIVES);
    device.refresh_hash = Some(token_hash(&tokens.refresh));
    device.previous_hash = previous;
    nonce.clone_into(&mut device.nonce);
    device.rotated_at = now;
    device.last_seen_at = now;
}

/// The answer that begins or goes on with a session.
pub(crate) async fn session(core: &Core, member: MemberRow, device: DeviceRow, tokens: Tokens) -> Result<Session> {
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
            core.pokes.permission(device.member);
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
    // Whoever cannot sign has a copy of the token and not the device: refused, and the device goes on.
    if device.key.as_ref().is_some_and(|key| !device_key::signed(key, request)) {
        return Err(WRONG);
    }
    if now.since(device.signed_in_at) >= SESSION_LIVES {
        return Err(WRONG);
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
        // A device that signs is the device: it did not hear the answer, however long ago that was. Whoever replays what it sent
        // gets an access token that runs out, and cannot sign for the next.
        let proven = device.key.is_some();
        let again = proven || now.since(device.rotated_at) <= REFRESH_GRACE;
        if again && !planted(Bug::RefreshGraceDropped) {
            let tokens = successors(core, device.id, presented, &device.nonce);
            return Ok(Refreshed::Session(device, tokens));
        }
        access::clear_tokens(txn, device.workspace, device.id, None).await?;
        let target = format!("device/{}", device.id);
        let entry = Entry { actor: None, action: "device.token_reused", target: &target, details: "" };
        audit::record(txn, core, device.workspace, entry).await?;
        return Ok(Refreshed::Reused(device));
    }
    Err(WRONG)
}

/// Signs the device out and forgets its tokens.
pub async fn sign_out(core: &Core, ctx: &WorkspaceCtx) -> Result<()> {
    transaction!(core.db, |txn| close(&txn, core, ctx))?;
    core.pokes.permission(ctx.member());
    Ok(())
}

async fn close(txn: &Txn, core: &Core, ctx: &WorkspaceCtx) -> Result<()> {
    access::clear_tokens(txn, ctx.workspace, ctx.device, None).await?;
    desks::forget_keys(txn, ctx.workspace, Some(ctx.device)).await?;
    let target = format!("device/{}", ctx.device);
    let entry = Entry { actor: Some(ctx.member()), action: "device.signed_out", target: &target, details: "" };
    audit::record(txn, core, ctx.workspace, entry).await
}

/// Takes the password, and the code where there is a second factor, once more: the device may do what is dangerous for a while.
///
/// # Errors
/// [`Code::BadCredentials`], [`Code::SecondFactorNeeded`], [`Code::BadSecondFactor`], [`Code::RateLimited`].
pub async fn step_up(
    core: &Core,
    ctx: &WorkspaceCtx,
    from: Option<IpAddr>,
    request: StepUpRequest,
) -> Result<SteppedUp> {
    let subjects = Subjects::of(core, ctx.email.expose(), from);
    tries::take(core, &subjects).await?;
    let member = access::member(core.db.reader(), ctx.workspace, ctx.member()).await?;
    let phc = member.map(|member| member.password);
    if !core.passwords.verify(&request.password, phc).await? {
        return Err(Error::Refused(Code::BadCredentials, "the password is wrong"));
    }
    if ctx.two_factor && request.code.is_none() {
        tries::give_back(core, &subjects).await?;
        return Err(Error::Refused(Code::SecondFactorNeeded, "the code of the second factor is needed"));
    }
    let until = transaction!(core.db, |txn| raise(&txn, core, ctx, request.code.as_ref()))?;
    tries::passed(core, &subjects).await?;
    Ok(SteppedUp { until })
}

async fn raise(txn: &Txn, core: &Core, ctx: &WorkspaceCtx, code: Option<&Secret>) -> Result<Timestamp> {
    if let (true, Some(code)) = (ctx.two_factor, code) {
        factor::spend(txn, core, ctx.workspace, ctx.member(), code).await?;
    }
    let gone = Error::Refused(Code::Unauthorized, "the session has ended");
    let mut device = access::device(txn, ctx.device).await?.filter(|device| device.revoked_at.is_none()).ok_or(gone)?;
    let until = core.now() + STEP_UP_LASTS;
    device.stepped_up_until = Some(until);
    access::put_device(txn, &device).await?;
    Ok(until)
}

/// Who holds the access token; `protocol` is the version that the device speaks.
///
/// # Errors
/// [`Code::Unauthorized`], [`Code::DeviceRevoked`].
pub async fn authenticate(core: &Core, token: &str, protocol: u32) -> Result<WorkspaceCtx> {
    const WRONG: Error = Error::Refused(Code::Unauthorized, "the access token is not valid");
    let holder = access::holder(core.db.reader(), &token_hash(token)).await?.ok_or(WRONG)?;
    if holder.revoked {
        return Err(Error::Refused(Code::DeviceRevoked, "this device was revoked"));
    }
    if core.now() >= holder.access_expires_at || !holder.active {
        return Err(WRONG);
    }
    let inboxes = core.granted.to(core, &holder).await?;
    Ok(WorkspaceCtx {
        workspace: holder.workspace,
        actor: Actor { member: holder.member, role: holder.role, inboxes },
        device: holder.device,
        epoch: holder.epoch,
        name: holder.name,
        email: holder.email,
        two_factor: holder.two_factor,
        rules: holder.rules,
        stepped_up_until: holder.stepped_up_until,
        protocol,
        head: (holder.seq, holder.lineage),
    })
}

/// What became of a session that has a socket open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It goes on.
    Good,
    /// The device was revoked.
    Revoked,
    /// The session ended, or the member's rights changed: whoever is still a member comes back with the new rights.
    Changed,
}

/// Looks a session up again: what another node did to it is known in the database only.
pub async fn standing(core: &Core, ctx: &WorkspaceCtx) -> Result<Standing> {
    let Some(now) = access::standing(core.db.reader(), ctx.workspace, ctx.device).await? else {
        return Ok(Standing::Changed);
    };
    if now.revoked {
        return Ok(Standing::Revoked);
    }
    let same = now.signed_in && now.active && now.epoch == ctx.epoch && now.two_factor == ctx.two_factor;
    Ok(if same { Standing::Good } else { Standing::Changed })
}
