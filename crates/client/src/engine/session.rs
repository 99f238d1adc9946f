//! Opening, signing in, signing out.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, RwLock};

use parley_domain::permission::Role;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::endpoint::{SignIn, SignOut};
use parley_domain::protocol::session::{Secret, Session, SignInRequest};
use parley_domain::{Code, Email, MessageText, PersonName};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use super::{Engine, State};
use crate::auth::{self, Auth};
use crate::desk::{DeskEntry, Desks, DirLock, device_secret, make_dir, new_dir, session_secret, store_secret};
use crate::egress::{Egress, Failure, ServerUrl};
use crate::keyfile::{self, StoreKeys};
use crate::live::{Live, lock};
use crate::notify::Notifier;
use crate::store::pool::{Durability, Urgency};
use crate::store::session::{self, SignedIn};
use crate::store::{Stores, Touched, apply, outbox, overlay};
use crate::sync::driver::{self, End};
use crate::sync::machine::Machine;
use crate::views::Phase;
use crate::{Error, Result};

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
        if let State::Ready(_) = self.state() {
            return Err(Code::Conflict.into());
        }
        let egress = Egress::new(server);
        let config = &self.inner.config;
        let dir = new_dir(config.clock.as_ref(), config.randomness.as_ref());
        let secret = self.mint_secret(&dir).await?;
        let begun = match self.mint_device_key(&dir).await {
            Ok(key) => match ask(egress.clone(), Some(key)).await {
                Ok(session) => self.begin(&dir, secret, egress, &session).await,
                Err(failure) => Err(Error::Refused(failure.code)),
            },
            Err(error) => Err(error),
        };
        if let Err(error) = begun {
            self.remove_desk(&dir).await;
            return Err(error);
        }
        Ok(self.phase())
    }

    /// Signs out: the server forgets the device (when it can be reached), and everything of this desk is deleted.
    pub async fn sign_out(&self) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        if let State::Ready(live) = self.state() {
            let farewell = async {
                let (token, _) = live.auth.token(&live.egress).await?;
                live.egress.call::<SignOut>(Some(&token), &Nothing {}).await?;
                Ok::<_, Failure>(())
            };
            // Offline the device stays known to the server until its tokens run out.
            let _ = tokio::time::timeout(std::time::Duration::from_secs(3), farewell).await;
        }
        self.forget_present().await;
        Ok(self.phase())
    }

    /// Tries again to open files that could not be opened.
    pub async fn retry_open(&self) -> Result<Phase> {
        let _change = self.inner.change.lock().await;
        if matches!(self.state(), State::Blocked { .. }) {
            self.open_present().await;
        }
        Ok(self.phase())
    }

    /// Opens the desk that `desk.json` names. Call with `change` held.
    pub(crate) async fn open_present(&self) {
        let opened = match self.try_open().await {
            // A page was found damaged behind the first ones: the second try looks at every page, and mends.
            Err(error) if error.is_damage() => self.try_open().await,
            opened => opened,
        };
        let state = match opened {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(code = error.code().as_str(), "the desk cannot be opened");
                State::Blocked { code: error.code() }
            }
        };
        self.set_state(state);
    }

    async fn try_open(&self) -> Result<State> {
        let base = self.inner.config.base_dir.clone();
        let desks = Desks::load(&base)?;
        let Some(entry) = desks.present().cloned() else {
            return Ok(State::SignedOut { server: desks.server });
        };
        let path = base.join(&entry.dir);
        if !path.is_dir() {
            return Err(Code::StoreDamaged.into());
        }
        let lock_taken = DirLock::take(&path)?;
        let vault = self.inner.config.vault.clone();
        let name = store_secret(&entry.dir);
        let secret = blocking(move || vault.get(&name)).await?.ok_or(Code::WrongKey)?;
        let dir = entry.dir.clone();
        let (stores, mended) = blocking(move || {
            let keys = keyfile::open(&path, &dir, &secret)?;
            Stores::open(&path, &dir, &keys, lock_taken)
        })
        .await?;
        let signed_in = match stores.replica.read(session::load).await? {
            Some(signed_in) => signed_in,
            None => start_over(&stores, &entry).await?,
        };
        let egress = Egress::new(ServerUrl::parse(&signed_in.server)?);
        let live = self.assemble(&entry.dir, stores, signed_in, egress).await?;
        *lock(&live.mended) = mended.code();
        reconcile(&live).await?;
        Ok(self.run(live))
    }

    /// Makes the desk's secret and proves that the vault gives it back.
    async fn mint_secret(&self, dir: &str) -> Result<Zeroizing<Vec<u8>>> {
        let mut secret = Zeroizing::new(vec![0u8; 32]);
        self.inner.config.randomness.fill(&mut secret);
        let (vault, name, stored) = (self.inner.config.vault.clone(), store_secret(dir), secret.clone());
        blocking(move || {
            vault.set(&name, &stored)?;
            let back = vault.get(&name)?;
            if back.is_some_and(|back| *back == *stored) { Ok(()) } else { Err(Code::KeyringLocked.into()) }
        })
        .await?;
        Ok(secret)
    }

    /// Makes the key that this desk signs its refreshes with; the public half as hex. The private half stays in the vault.
    async fn mint_device_key(&self, dir: &str) -> Result<String> {
        let mut seed = Zeroizing::new([0u8; 32]);
        self.inner.config.randomness.fill(&mut *seed);
        let public = auth::public_key(&seed);
        let (vault, name) = (self.inner.config.vault.clone(), device_secret(dir));
        blocking(move || vault.set(&name, &*seed)).await?;
        Ok(public)
    }

    async fn begin(&self, dir: &str, secret: Zeroizing<Vec<u8>>, egress: Egress, session: &Session) -> Result<()> {
        let config = self.inner.config.clone();
        let (path, desk) = (config.base_dir.join(dir), dir.to_owned());
        let stores = blocking(move || {
            make_dir(&path)?;
            let lock_taken = DirLock::take(&path)?;
            let keys = StoreKeys::random(config.randomness.as_ref());
            keyfile::create(&path, &desk, &secret, &keys, config.randomness.as_ref())?;
            Stores::create(&path, &desk, &keys, lock_taken)
        })
        .await?;
        let signed_in = SignedIn::new(egress.server().as_str(), session);
        let saved = signed_in.clone();
        // `desk.json` will name this desk, so it must be readable after a power cut too.
        stores.replica.write_durable(Urgency::Person, Durability::Full, move |tx| session::save(tx, &saved)).await?;
        let server = egress.server().as_str().to_owned();
        let live = self.assemble(dir, stores, signed_in, egress).await?;
        live.auth.begin(session).await?;
        let base = &self.inner.config.base_dir;
        let mut desks = Desks::load(base)?;
        desks.current = Some(dir.to_owned());
        desks.server = Some(server.clone());
        desks.desks.push(DeskEntry {
            dir: dir.to_owned(),
            server,
            workspace: session.workspace,
            member: session.member,
            device: session.device,
        });
        desks.save(base)?;
        let state = self.run(live);
        self.set_state(state);
        Ok(())
    }

    async fn assemble(&self, dir: &str, stores: Stores, signed_in: SignedIn, egress: Egress) -> Result<Live> {
        let config = &self.inner.config;
        let (pending, drafts) = stores.outbox.read(|c| Ok((outbox::load(c)?, outbox::drafts(c)?))).await?;
        let auth = Auth::new(config.vault.clone(), config.clock.clone(), dir, signed_in.device);
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
            _open: open,
        })
    }

    fn run(&self, mut live: Live) -> State {
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
                    engine.forget_present().await;
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
                engine.open_present().await;
            }
        });
    }

    /// Deletes the present desk: keys first, so that whatever file survives cannot be read.
    async fn forget_present(&self) {
        self.stop().await;
        let base = &self.inner.config.base_dir;
        let mut server = None;
        if let Ok(mut desks) = Desks::load(base) {
            server = desks.server.clone();
            if let Some(dir) = desks.current.take() {
                desks.desks.retain(|desk| desk.dir != dir);
                self.remove_desk(&dir).await;
                if let Err(error) = desks.save(base) {
                    tracing::warn!(code = error.code().as_str(), "the list of desks cannot be written");
                }
            }
        }
        self.set_state(State::SignedOut { server });
    }

    async fn remove_desk(&self, dir: &str) {
        let (vault, path) = (self.inner.config.vault.clone(), self.inner.config.base_dir.join(dir));
        let names = [store_secret(dir), session_secret(dir), device_secret(dir)];
        let removed = blocking(move || {
            for name in names {
                vault.delete(&name)?;
            }
            remove_dir(&path)
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
    };
    let saved = signed_in.clone();
    stores.replica.write_durable(Urgency::Person, Durability::Full, move |tx| session::save(tx, &saved)).await?;
    Ok(signed_in)
}

/// Draws the difference between outbox and replica, both ways, before the first read.
async fn reconcile(live: &Live) -> Result<()> {
    let settled = live.stores.replica.read(apply::settled).await?;
    if !settled.is_empty() {
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
        let stored = joined.clone();
        live.stores
            .outbox
            .write(Urgency::Person, move |tx| outbox::save_draft(tx, conversation, mode, &stored))
            .await?;
        lock(&live.drafts).insert((conversation, mode), MessageText::new(joined));
        recovered = true;
    }
    Ok(recovered)
}
