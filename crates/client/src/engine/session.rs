//! Opening, signing in, signing out.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use parley_domain::lease::{Heard, Standing};
use parley_domain::permission::Role;
use parley_domain::planted::{Bug, planted};
use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::device::{Deed, Receipt, ReceiptsRequest, WipeReason};
use parley_domain::protocol::endpoint::{Receipts, SignIn, SignOut};
use parley_domain::protocol::session::{Secret, Session, SignInRequest};
use parley_domain::{Code, Email, MessageText, PersonName, Timestamp};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::{Engine, State};
use crate::auth::{self, Auth};
use crate::contact::Hold;
use crate::desk::{
    DeskEntry, Desks, DirLock, SecretsIn, device_secret, lease_secret, make_dir, new_dir, session_secret, store_secret,
};
use crate::egress::{Egress, Failure, ServerUrl};
use crate::keyfile::{self, HeldLease, Opened, Parts, Pin, Shut, StoreKeys};
use crate::keys::{KeyVault, passphrase};
use crate::live::{Live, lock};
use crate::notify::Notifier;
use crate::standing::{Kept, Watch, reading};
use crate::store::pool::{Durability, Urgency};
use crate::store::session::{self, SignedIn};
use crate::store::{Stores, Touched, apply, custody, outbox, overlay};
use crate::sync::driver::{self, End};
use crate::sync::machine::Machine;
use crate::views::{LockReason, OpensWith, Phase};
use crate::{Error, Result, wipe};

/// How long signing out waits for a server that does not answer.
const FAREWELL: Duration = Duration::from_secs(3);

/// Times that one process opens the files again because of damage.
const HEALS: u32 = 3;

impl Engine {
    /// Signs a member in on this computer and starts the first sync. `code` is that of the second factor, or a recovery code.
    pub async fn sign_in(
        &self,
        server: &str,
        email: &str,
        password: &str,
        device_name: &str,
        code: Option<Secret>,
    ) -> Result<Phase> {
        let server = ServerUrl::parse(server)?;
        let (email, password) = (Email::new(email.trim()), Secret::new(password));
        let device_name = device_name.to_owned();
        self.enter(server, async move |egress, device_key| {
            let request = SignInRequest { email, password, device: None, device_name, code, device_key };
            egress.call::<SignIn>(None, &request).await
        })
        .await
    }

    /// Makes a desk out of the session that `ask` gets from the server. The keyring is tried first: when it is missing or
    /// locked, nothing is created and the server is not asked.
    pub(super) async fn enter(
        &self,
        server: ServerUrl,
        ask: impl AsyncFnOnce(Egress, Option<String>) -> std::result::Result<Session, Failure>,
    ) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        if matches!(self.state(), State::Ready(_) | State::Locked(_)) {
            return Err(Code::Conflict.into());
        }
        let egress = Egress::new(server, self.inner.outside.wire.clone());
        let config = &self.inner.config;
        let dir = new_dir(config.clock.as_ref(), config.randomness.as_ref());
        let (_, vault) = self.vault_for_new();
        let secret = self.mint_secret(&vault, &dir).await?;
        let begun = match self.mint_device_key(&vault, &dir).await {
            Ok(key) => match ask(egress.clone(), Some(key)).await {
                Ok(session) => self.begin(&dir, secret, egress, &session).await,
                Err(failure) => Err(Error::Refused(failure.code)),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = begun {
            self.remove_desk(&vault, &dir).await;
            return Err(error);
        }
        Ok(self.phase())
    }

    /// Signs out: everything of this desk is deleted, and the server forgets the device when it can be reached.
    pub async fn sign_out(&self) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        let token = match self.state() {
            State::Ready(live) => {
                let token = tokio::time::timeout(FAREWELL, live.auth.token(&live.egress)).await;
                token.ok().and_then(std::result::Result::ok).map(|(token, _)| (token, live.egress.clone()))
            }
            _ => None,
        };
        let receipt = self.wipe_files(WipeReason::SignedOut).await;
        if let Some((token, egress)) = token {
            let farewell = async {
                if let Some((_, receipt)) = &receipt {
                    let request = ReceiptsRequest { receipts: vec![receipt.clone()] };
                    egress.call::<Receipts>(Some(&token), &request).await?;
                }
                egress.call::<SignOut>(Some(&token), &Nothing {}).await
            };
            if let Ok(Ok(_)) = tokio::time::timeout(FAREWELL, farewell).await {
                return Ok(self.phase());
            }
        }
        // Offline the device stays known to the server until its tokens run out; the next sign-in here says that it is gone.
        self.leave_receipt(receipt);
        Ok(self.phase())
    }

    /// Tries again to open files that could not be opened, or that need nobody's secret.
    pub async fn retry_open(&self) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        match self.state() {
            State::Blocked { .. } => {
                let _ = self.open_present(None).await;
            }
            State::Locked(shut) if shut.waits() => self.knock(&shut).await?,
            State::Locked(shut) if shut.opens_with == OpensWith::Click => self.open_present(None).await?,
            _ => {}
        }
        Ok(self.phase())
    }

    /// Opens the desk that `desk.json` names, with the PIN that was typed. A wrong PIN leaves the state as it is. Call with
    /// `change` held.
    pub(crate) async fn open_present(&self, pin: Option<Secret>) -> Result<()> {
        let asked = pin.is_some();
        let opened = match self.try_open(pin.clone()).await {
            // A page was found damaged behind the first ones: the second try looks at every page, and mends.
            Err(error) if error.is_damage() => self.try_open(pin).await,
            opened => opened,
        };
        let state = match opened {
            Ok(state) => state,
            Err(error) if asked && matches!(error.code(), Code::WrongPin | Code::RateLimited) => return Err(error),
            Err(error) => {
                tracing::warn!(code = error.code().as_str(), "the desk cannot be opened");
                State::Blocked { code: error.code() }
            }
        };
        if !matches!(state, State::Locked(_)) {
            *lock(&self.inner.folder) = None;
        }
        self.active();
        self.set_state(state);
        Ok(())
    }

    async fn try_open(&self, pin: Option<Secret>) -> Result<State> {
        let base = self.inner.config.base_dir.clone();
        let desks = Desks::load(&base)?;
        let Some(entry) = desks.present().cloned() else {
            return Ok(State::SignedOut { server: desks.server });
        };
        let path = base.join(&entry.dir);
        if !path.is_dir() {
            return Err(Code::StoreDamaged.into());
        }
        if lock(&self.inner.folder).is_none() {
            *lock(&self.inner.folder) = Some(DirLock::take(&path)?);
        }
        if entry.secrets == SecretsIn::Passphrase && !self.inner.passphrase.is_open() {
            return Ok(self.locked(entry, LockReason::Started));
        }
        let (vault, names) = (self.vault_of(&entry), (store_secret(&entry.dir), lease_secret(&entry.dir)));
        let (secret, lease) = blocking(move || Ok((vault.get(&names.0)?, vault.get(&names.1)?))).await?;
        let secret = secret.ok_or(Code::WrongKey)?;
        let leases: Vec<HeldLease> = lease.and_then(|bytes| HeldLease::from_bytes(&bytes)).into_iter().collect();
        let head = keyfile::head(&path)?;
        if !keyfile::is_of(&path, &secret)? {
            return Err(Code::WrongKey.into());
        }
        let reading = reading(self.inner.config.clock.as_ref());
        let Some(watch) = Watch::load(&path, &secret).or_else(|| self.first_watch(&path, &secret, &head)) else {
            // Whoever takes the record of the lease away takes the lease away.
            self.drop_lease(&entry).await;
            let heard = Heard { server: Timestamp(0), ..Heard::now(reading.wall, reading) };
            let unknown = Kept::new(heard, DevicePolicy::default().of(Role::Agent));
            *lock(&self.inner.watch) = Some(Arc::new(Watch::of(&path, &secret, unknown)));
            return Ok(self.locked(entry, LockReason::Silence));
        };
        let watch = Arc::new(watch);
        *lock(&self.inner.watch) = Some(watch.clone());
        match watch.look(reading) {
            Standing::Usable { .. } => {}
            Standing::Locked { why, .. } => {
                self.drop_lease(&entry).await;
                return Ok(self.locked(entry, why.into()));
            }
            Standing::Wipe => {
                let receipt = self.wipe_files(WipeReason::Silence).await;
                self.leave_receipt(receipt);
                return Ok(self.state());
            }
        }
        if pin.is_some() {
            self.may_try(&watch.kept().not_before())?;
        }
        let asked = pin.is_some();
        let (dir, tried) = (entry.dir.clone(), path.clone());
        let opened = blocking(move || {
            let typed = pin.as_ref().map_or(Pin::None, |pin| Pin::Typed(pin.expose()));
            Ok(keyfile::open(&tried, &dir, &secret, &leases, &typed))
        })
        .await?;
        let Opened { keys, parts, .. } = match opened {
            Ok(opened) => opened,
            Err(Shut::NeedsPin) => return Ok(self.locked(entry, LockReason::Started)),
            Err(Shut::NeedsLease) => return Ok(self.locked(entry, LockReason::Silence)),
            Err(Shut::WrongPin) => {
                self.tried(&watch, false)?;
                return Err(Code::WrongPin.into());
            }
            Err(other) => return Err(other.into()),
        };
        if asked {
            self.tried(&watch, true)?;
        }
        let folder = lock(&self.inner.folder).take().ok_or(Code::AlreadyOpen)?;
        let dir = entry.dir.clone();
        let outbox_key = Zeroizing::new(keys.outbox);
        let disk = self.inner.outside.disk.clone();
        let (stores, mended) = blocking(move || Stores::open(&path, &dir, &keys, folder, disk)).await?;
        let signed_in = match stores.replica.read(session::load).await? {
            Some(signed_in) => signed_in,
            None => start_over(&stores, &entry).await?,
        };
        let egress = Egress::new(ServerUrl::parse(&signed_in.server)?, self.inner.outside.wire.clone());
        let hold = self.hold(&entry, parts, outbox_key);
        let live = self.assemble(hold, watch, stores, signed_in, egress).await?;
        *lock(&live.mended) = mended.code();
        reconcile(&live).await?;
        Ok(self.run(live))
    }

    /// A desk that never had a lease has no record of one.
    fn first_watch(&self, path: &Path, secret: &[u8], head: &keyfile::Head) -> Option<Watch> {
        if head.leases.iter().any(|serial| *serial > 0) {
            return None;
        }
        let reading = reading(self.inner.config.clock.as_ref());
        let kept = Kept::new(Heard::now(reading.wall, reading), DevicePolicy::default().of(Role::Agent));
        Watch::begin(path, secret, kept).ok()
    }

    /// Makes the desk's secret and proves that the vault gives it back.
    pub(super) async fn mint_secret(&self, vault: &Arc<dyn KeyVault>, dir: &str) -> Result<Zeroizing<Vec<u8>>> {
        let mut secret = Zeroizing::new(vec![0u8; 32]);
        self.inner.config.randomness.fill(&mut secret);
        let (vault, name, stored) = (vault.clone(), store_secret(dir), secret.clone());
        blocking(move || {
            vault.set(&name, &stored)?;
            let back = vault.get(&name)?;
            if back.is_some_and(|back| *back == *stored) { Ok(()) } else { Err(Code::KeyringLocked.into()) }
        })
        .await?;
        Ok(secret)
    }

    /// Makes the key that this desk signs its refreshes with; the public half as hex. The private half stays in the vault.
    pub(super) async fn mint_device_key(&self, vault: &Arc<dyn KeyVault>, dir: &str) -> Result<String> {
        let mut seed = Zeroizing::new([0u8; 32]);
        self.inner.config.randomness.fill(&mut *seed);
        let public = auth::public_key(&seed);
        let (vault, name) = (vault.clone(), device_secret(dir));
        blocking(move || vault.set(&name, &*seed)).await?;
        Ok(public)
    }

    async fn begin(&self, dir: &str, secret: Zeroizing<Vec<u8>>, egress: Egress, session: &Session) -> Result<()> {
        let config = self.inner.config.clone();
        let (path, desk, disk) = (config.base_dir.join(dir), dir.to_owned(), self.inner.outside.disk.clone());
        let parts = Parts { secret: secret.clone(), lease: None, pin: None };
        let heard = Heard::now(session.server_time, reading(config.clock.as_ref()));
        let kept = Kept::new(heard, DevicePolicy::default().of(session.role));
        let wrapped = parts.clone();
        let (stores, watch, outbox_key) = blocking(move || {
            make_dir(&path)?;
            let lock_taken = DirLock::take(&path)?;
            let keys = StoreKeys::random(config.randomness.as_ref());
            keyfile::create(&path, &desk, &wrapped, &keys, config.randomness.as_ref())?;
            let watch = Watch::begin(&path, &secret, kept)?;
            Ok((Stores::create(&path, &desk, &keys, lock_taken, disk)?, watch, Zeroizing::new(keys.outbox)))
        })
        .await?;
        let signed_in = SignedIn::new(egress.server().as_str(), session);
        let saved = signed_in.clone();
        // `desk.json` will name this desk, so it must be readable after a power cut too.
        stores.replica.write_durable(Urgency::Person, Durability::Full, move |tx| session::save(tx, &saved)).await?;
        let server = egress.server().as_str().to_owned();
        let entry = DeskEntry {
            dir: dir.to_owned(),
            server: server.clone(),
            workspace: session.workspace,
            member: session.member,
            device: session.device,
            secrets: self.vault_for_new().0,
        };
        let watch = Arc::new(watch);
        let hold = self.hold(&entry, parts, outbox_key);
        let live = self.assemble(hold, watch.clone(), stores, signed_in, egress).await?;
        live.auth.begin(session).await?;
        let base = &self.inner.config.base_dir;
        let mut desks = Desks::load(base)?;
        desks.current = Some(dir.to_owned());
        desks.server = Some(server);
        desks.desks.push(entry);
        desks.save(base)?;
        *lock(&self.inner.watch) = Some(watch);
        self.active();
        let state = self.run(live);
        self.set_state(state);
        Ok(())
    }

    pub(super) fn hold(&self, entry: &DeskEntry, parts: Parts, outbox_key: Zeroizing<[u8; 32]>) -> Hold {
        Hold {
            base: self.inner.config.base_dir.clone(),
            dir: entry.dir.clone(),
            vault: self.vault_of(entry),
            parts: Mutex::new(parts),
            outbox_key: Mutex::new(Some(outbox_key)),
            in_custody: AtomicBool::new(false),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) async fn assemble(
        &self,
        hold: Hold,
        watch: Arc<Watch>,
        stores: Stores,
        signed_in: SignedIn,
        egress: Egress,
    ) -> Result<Live> {
        let config = &self.inner.config;
        let (pending, drafts, noted) =
            stores.outbox.read(|c| Ok((outbox::load(c)?, outbox::drafts(c)?, custody::read(c)?))).await?;
        if noted.acknowledged {
            hold.in_custody.store(true, Ordering::Release);
            *lock(&hold.outbox_key) = None;
        }
        let auth = Auth::new(hold.vault.clone(), config.clock.clone(), &hold.dir, signed_in.device);
        let complete = stores.replica.read(session::position).await?.cursor.is_some();
        let mut link = Machine::new(config.clock.now()).link().clone();
        link.syncing = (!complete).then_some(0);
        // Wishes before the driver runs are of no use to anybody.
        let (wishes, _) = mpsc::unbounded_channel();
        let (open, closed) = oneshot::channel();
        *lock(&self.inner.closed) = Some(closed);
        Ok(Live {
            stores,
            signed_in: RwLock::new(signed_in),
            pending: Mutex::new(Arc::new(pending)),
            drafts: Mutex::new(drafts),
            edits: tokio::sync::Mutex::new(()),
            answered: Mutex::default(),
            auth,
            egress,
            events: self.inner.events.clone(),
            clock: config.clock.clone(),
            randomness: config.randomness.clone(),
            link: Mutex::new(link),
            front: self.inner.front.clone(),
            notifier: Mutex::new(Notifier::default()),
            mended: Mutex::new(None),
            wishes,
            watch,
            hold: Arc::new(hold),
            sweep: Mutex::new(None),
            _open: open,
        })
    }

    pub(super) fn run(&self, mut live: Live) -> State {
        let (wishes, received) = mpsc::unbounded_channel();
        live.wishes = wishes;
        let live = Arc::new(live);
        let (driven, inner) = (live.clone(), Arc::downgrade(&self.inner));
        let task = tokio::spawn(async move {
            if driver::run(driven, received).await == End::Revoked
                && let Some(inner) = inner.upgrade()
            {
                // In a task of its own: wiping ends this one.
                tokio::spawn(async move {
                    let engine = Engine { inner };
                    let _change = engine.inner.change.lock().await;
                    engine.wipe(WipeReason::Revoked).await;
                });
            }
        });
        *lock(&self.inner.driver) = Some(task);
        self.watch_for_damage(&live);
        State::Ready(live)
    }

    /// Opens the files again when a query meets a damaged page: opening looks at every page then, and mends. A few times only:
    /// a disk that goes on failing is not made better by it.
    fn watch_for_damage(&self, live: &Arc<Live>) {
        let (alarm, inner) = (live.stores.alarm.clone(), Arc::downgrade(&self.inner));
        tokio::spawn(async move {
            if !alarm.heard().await {
                return;
            }
            let Some(inner) = inner.upgrade() else { return };
            let engine = Engine { inner };
            let _change = engine.inner.change.lock().await;
            let present = matches!(engine.state(), State::Ready(live) if Arc::ptr_eq(&live.stores.alarm, &alarm));
            if present && engine.inner.healed.fetch_add(1, Ordering::Relaxed) < HEALS {
                drop(alarm);
                engine.stop().await;
                // The phase says what became of it.
                let _ = engine.open_present(None).await;
            }
        });
    }

    /// Deletes the present desk and leaves a receipt for the next sign-in. Call with `change` held.
    pub(super) async fn wipe(&self, reason: WipeReason) {
        let receipt = self.wipe_files(reason).await;
        self.leave_receipt(receipt);
    }

    /// Deletes the present desk: keys first, so that whatever file survives cannot be read. What it signed is returned.
    async fn wipe_files(&self, reason: WipeReason) -> Option<(DeskEntry, Receipt)> {
        if let State::Ready(live) = self.state() {
            live.count();
        }
        self.stop().await;
        *lock(&self.inner.folder) = None;
        let watch = lock(&self.inner.watch).take();
        let base = &self.inner.config.base_dir;
        let (mut server, mut signed) = (None, None);
        if let Ok(mut desks) = Desks::load(base) {
            server = desks.server.clone();
            let entry = desks.present().cloned();
            if let Some(dir) = desks.current.take() {
                desks.desks.retain(|desk| desk.dir != dir);
                if let Some(entry) = entry {
                    let vault = self.vault_of(&entry);
                    if let Some(watch) = watch {
                        signed = self
                            .sign_wipe(&vault, &entry, &watch, reason)
                            .await
                            .map(|receipt| (entry.clone(), receipt));
                    }
                    self.remove_desk(&vault, &dir).await;
                    if entry.secrets == SecretsIn::Passphrase {
                        self.inner.passphrase.close();
                        let _ = std::fs::remove_file(base.join(passphrase::FILE));
                    }
                }
                if let Err(error) = desks.save(base) {
                    tracing::warn!(code = error.code().as_str(), "the list of desks cannot be written");
                }
            }
        }
        self.set_state(State::SignedOut { server });
        signed
    }

    async fn sign_wipe(
        &self,
        vault: &Arc<dyn KeyVault>,
        entry: &DeskEntry,
        watch: &Watch,
        reason: WipeReason,
    ) -> Option<Receipt> {
        let (kept, at) = (watch.kept(), watch.now(reading(self.inner.config.clock.as_ref())));
        let deed = Deed::Wiped { reason, unsent: kept.unsent, drafts: kept.drafts };
        let (vault, name) = (vault.clone(), device_secret(&entry.dir));
        let seed = blocking(move || vault.get(&name)).await.ok().flatten()?;
        let signature = auth::sign(&seed, &Receipt::signed(entry.device, at, deed))?;
        Some(Receipt { device: entry.device, at, deed, signature })
    }

    fn leave_receipt(&self, receipt: Option<(DeskEntry, Receipt)>) {
        let Some((entry, receipt)) = receipt else { return };
        if let Err(error) = wipe::leave(&self.inner.config.base_dir, &entry, receipt) {
            tracing::warn!(code = error.code().as_str(), "no word of the wipe could be left");
        }
    }

    pub(super) async fn remove_desk(&self, vault: &Arc<dyn KeyVault>, dir: &str) {
        let (vault, path) = (vault.clone(), self.inner.config.base_dir.join(dir));
        let names = [store_secret(dir), lease_secret(dir), session_secret(dir), device_secret(dir)];
        let removed = blocking(move || {
            let mut kept = None;
            for name in names {
                kept = vault.delete(&name).err().or(kept);
            }
            // Without a vault that answers, the wrapped keys go first: nothing opens what is left.
            let _ = std::fs::remove_file(path.join(keyfile::FILE));
            remove_dir(&path)?;
            kept.map_or(Ok(()), Err)
        })
        .await;
        if let Err(error) = removed {
            tracing::warn!(code = error.code().as_str(), "a desk's directory cannot be deleted");
        }
    }
}

fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Who is signed in, for a replica that was made anew: what `desk.json` knows, with the least rights. The first contact with the
/// server tells the rest.
async fn start_over(stores: &Stores, entry: &DeskEntry) -> Result<SignedIn> {
    let signed_in = SignedIn {
        server: entry.server.clone(),
        workspace: entry.workspace,
        workspace_name: String::new(),
        member: entry.member,
        member_name: PersonName::new(""),
        role: Role::Agent,
        inboxes: Default::default(),
        device: entry.device,
        holds: None,
    };
    let saved = signed_in.clone();
    stores.replica.write_durable(Urgency::Person, Durability::Full, move |tx| session::save(tx, &saved)).await?;
    Ok(signed_in)
}

/// Draws the difference between outbox and replica, both ways, before the first read.
pub(super) async fn reconcile(live: &Live) -> Result<()> {
    let settled = live.stores.replica.read(apply::settled).await?;
    if !settled.is_empty() && !planted(Bug::SettledForgotten) {
        live.carry_out(settled).await?;
    }
    if recover_lost(live).await? {
        *lock(&live.mended) = Some(Code::OutboxRecovered);
    }
    let (pending, signed_in) = (live.pending(), live.signed_in());
    let ready = live
        .stores
        .edit(move |tx| {
            let shown = overlay::shown(tx)?;
            let wanted = pending.iter().map(|item| (item.intent.id, item.refused())).collect();
            if shown != wanted {
                let mut touched = Touched::default();
                overlay::rebase(tx, &pending, &signed_in.actor(tx)?, &mut touched)?;
                apply::refresh(tx, &touched)?;
            }
            Ok(session::position(tx)?.cursor.is_some())
        })
        .await?;
    if ready {
        live.refuse_orphans().await?;
    }
    Ok(())
}

pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
}

/// An answer or note that the replica shows and the outbox does not know any more was lost with the outbox's newest commits: its
/// text becomes a draft. `true` when some text was not among the drafts already (a member who discards it puts it there first).
async fn recover_lost(live: &Live) -> Result<bool> {
    let pending = live.pending();
    let lost = live.stores.replica.read(move |c| overlay::unknown_answers(c, &pending)).await?;
    let mut recovered = false;
    for (conversation, mode, text) in lost {
        let drafted = lock(&live.drafts).get(&(conversation, mode)).map(|draft| draft.expose().to_owned());
        if drafted.as_deref().is_some_and(|draft| draft.contains(text.expose())) {
            continue;
        }
        let joined = drafted.map_or_else(|| text.expose().to_owned(), |draft| format!("{draft}\n{}", text.expose()));
        let (stored, now) = (joined.clone(), live.now());
        live.stores
            .outbox
            .write(Urgency::Person, move |tx| outbox::save_draft(tx, conversation, mode, &stored, now))
            .await?;
        lock(&live.drafts).insert((conversation, mode), MessageText::new(joined));
        recovered = true;
    }
    Ok(recovered)
}
