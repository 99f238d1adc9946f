//! Time without the server: a desk works, locks, and deletes itself by the workspace's policy, on a clock that cannot be talked
//! out of it (PRIVACY.md DSK-7.4, DSK-7.5). All of it in simulated time.

use std::path::Path;
use std::sync::Arc;

use parley_client::keys::{KeyVault, MemoryVault};
use parley_client::views::{LockReason, OpensWith, Phase};
use parley_client::{DraftMode, Engine, EngineConfig};
use parley_domain::Code;
use parley_domain::protocol::device::{Deed, WipeReason};
use parley_domain::time::{DAY, HOUR, MINUTE};

use crate::world::*;

/// A desk and its server whose time is set by hand.
pub struct Timed {
    pub server: Server,
    pub desk: Desk,
    pub clock: Arc<TestClock>,
}

impl Timed {
    pub async fn start() -> Self {
        let clock = TestClock::at(now());
        let server = Server::start().await;
        server.world().clock = Some(clock.clone());
        Self { server, desk: Desk::new(), clock }
    }

    pub fn config(&self) -> EngineConfig {
        EngineConfig { clock: self.clock.clone(), ..self.desk.config() }
    }

    pub async fn open(&self) -> Engine {
        let engine = Engine::start(self.config()).await;
        until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
        engine
    }

    pub async fn sign_in(&self, engine: &Engine) {
        let address = self.server.address.to_string();
        engine.sign_in(&address, "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
        synced(engine).await;
        until(engine, "leased", async || self.lease().is_some()).await;
    }

    pub async fn signed_in(&self) -> Engine {
        let engine = self.open().await;
        self.sign_in(&engine).await;
        engine
    }

    /// The lease in the vault.
    pub fn lease(&self) -> Option<u64> {
        let name = self.desk.vault.names().into_iter().find(|name| name.ends_with("/lease"))?;
        let bytes = self.desk.vault.get(&name).unwrap()?;
        Some(u64::from_be_bytes(bytes[..8].try_into().unwrap()))
    }
}

pub fn locked(engine: &Engine) -> Option<(LockReason, OpensWith)> {
    match engine.phase() {
        Phase::Locked { lock } => Some((lock.reason, lock.opens_with)),
        _ => None,
    }
}

/// Folders of desks.
pub fn folders(base: &Path) -> usize {
    std::fs::read_dir(base).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

const WAITS: Option<(LockReason, OpensWith)> = Some((LockReason::Silence, OpensWith::Contact));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn day_six_works_day_eight_is_locked_until_a_contact_day_twenty_two_is_gone() {
    let mut timed = Timed::start().await;
    let engine = timed.signed_in().await;
    timed.server.vanish().await;
    engine.send_reply(conversation(1), "never sent", None, None).await.unwrap();
    engine.save_draft(conversation(2), DraftMode::Reply, "half a thought").await.unwrap();

    timed.clock.pass(6 * DAY);
    engine.look().await;
    assert_eq!(texts(&engine, 1).await.last().unwrap(), "never sent");
    assert_eq!(engine.lease().await.unwrap().days_left, 1);

    timed.clock.pass(2 * DAY);
    engine.look().await;
    assert_eq!(locked(&engine), WAITS);
    assert_eq!(timed.lease(), None, "without the server nothing opens");
    for refused in [
        engine.sidebar().await.map(drop),
        engine.outbox().await.map(drop),
        engine.send_reply(conversation(1), "x", None, None).await.map(drop),
        engine.device_policy().await.map(drop),
        engine.unlock(None).await.map(drop).map_err(|_| Code::Locked.into()),
    ] {
        assert_eq!(refused.unwrap_err().code(), Code::Locked);
    }
    // A restart does not help.
    engine.close().await;
    let engine = timed.open().await;
    assert_eq!(locked(&engine), WAITS);

    timed.server.come_back().await;
    assert!(matches!(engine.unlock(None).await.unwrap(), Phase::Ready { .. }));
    assert!(texts(&engine, 1).await.contains(&"never sent".to_owned()));
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    assert_eq!(timed.server.world().pushed.len(), 1, "once");
    until(&engine, "leased", async || timed.lease().is_some()).await;

    timed.server.vanish().await;
    engine.add_note(conversation(1), "never sent either").await.unwrap();
    timed.clock.pass(22 * DAY);
    engine.look().await;
    assert!(matches!(engine.phase(), Phase::SignedOut { .. }));
    assert_eq!((folders(timed.desk.dir.path()), timed.desk.vault.names().len()), (0, 0), "wiped means gone");
    let left = std::fs::read_to_string(timed.desk.dir.path().join("wiped.json")).unwrap();
    assert!(left.contains(r#""unsent":1"#) && left.contains(r#""drafts":1"#), "{left}");
    assert!(!left.contains("never") && !left.contains("thought") && !left.contains("Ana"), "{left}");

    // Whoever signs in next says so, and the file goes.
    timed.server.come_back().await;
    timed.sign_in(&engine).await;
    until(&engine, "reported", async || !timed.desk.dir.path().join("wiped.json").exists()).await;
    let receipts = timed.server.world().desk.receipts.clone();
    let [receipt] = receipts.as_slice() else { panic!("{receipts:?}") };
    assert_eq!(receipt.deed, Deed::Wiped { reason: WipeReason::Silence, unsent: 1, drafts: 1 });
    assert_eq!(receipt.signature.len(), 128);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_is_started_after_three_weeks_deletes_itself_before_anything_is_read() {
    let mut timed = Timed::start().await;
    timed.signed_in().await.close().await;
    timed.server.vanish().await;
    timed.clock.reboot(22 * DAY);
    let engine = timed.open().await;
    assert!(matches!(engine.phase(), Phase::SignedOut { .. }), "{:?}", engine.phase());
    assert_eq!((folders(timed.desk.dir.path()), timed.desk.vault.names().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_set_ahead_or_stopped_locks_and_none_of_it_wipes_too_early() {
    for (what, move_clock, expected) in [
        ("back", (|clock| clock.set_wall_by(-60 * DAY)) as fn(&TestClock), LockReason::ClockBehind),
        ("ahead", |clock| clock.set_wall_by(3_650 * DAY), LockReason::ClockAhead),
        ("stopped", |clock| clock.run(2 * DAY), LockReason::ClockBehind),
        ("back, and restarted", |clock| clock.reboot(-60 * DAY), LockReason::ClockBehind),
        ("ahead, and restarted", |clock| clock.reboot(3_650 * DAY), LockReason::ClockAhead),
        ("off for eight days", |clock| clock.reboot(8 * DAY), LockReason::Silence),
    ] {
        let mut timed = Timed::start().await;
        let engine = timed.signed_in().await;
        timed.server.vanish().await;
        timed.clock.pass(HOUR);
        engine.look().await;
        assert_eq!(locked(&engine), None, "{what}: an hour is nothing");
        move_clock(&timed.clock);
        engine.look().await;
        assert_eq!(locked(&engine), Some((expected, OpensWith::Contact)), "{what}");
        engine.close().await;
        let engine = timed.open().await;
        assert!(locked(&engine).is_some(), "{what}: {:?}", engine.phase());
        assert_eq!(folders(timed.desk.dir.path()), 1, "{what}: nothing is wiped");
        // The server says the time, whatever this computer thinks.
        timed.server.world().clock = Some(TestClock::at(now()));
        timed.server.come_back().await;
        assert!(matches!(engine.unlock(None).await.unwrap(), Phase::Ready { .. }), "{what}");
        assert_eq!(texts(&engine, 1).await, ["Hello from the first sync"], "{what}");
        engine.look().await;
        assert_eq!(locked(&engine), None, "{what}: the offset is known now");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_computer_that_runs_for_three_weeks_wipes_whatever_its_clock_says() {
    for skew in [-60 * DAY, 0, 3_650 * DAY] {
        let mut timed = Timed::start().await;
        let engine = timed.signed_in().await;
        timed.server.vanish().await;
        timed.clock.set_wall_by(skew);
        timed.clock.run(22 * DAY);
        engine.look().await;
        assert!(matches!(engine.phase(), Phase::SignedOut { .. }), "{skew}: {:?}", engine.phase());
        assert_eq!(folders(timed.desk.dir.path()), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_or_missing_record_of_the_lease_locks() {
    for missing in [false, true] {
        let mut timed = Timed::start().await;
        timed.signed_in().await.close().await;
        timed.server.vanish().await;
        let dir = std::fs::read_dir(timed.desk.dir.path()).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir());
        let record = dir.unwrap().join("standing.json");
        let text = std::fs::read_to_string(&record).unwrap();
        if missing {
            std::fs::remove_file(&record).unwrap();
        } else {
            let edited = text.replace(r#"lock_after_days\":7"#, r#"lock_after_days\":9"#);
            assert_ne!(edited, text);
            std::fs::write(&record, edited).unwrap();
        }
        let engine = timed.open().await;
        assert_eq!(locked(&engine), WAITS, "missing: {missing}");
        assert_eq!(timed.lease(), None);
        engine.close().await;
        std::fs::write(&record, &text).unwrap();
        let engine = timed.open().await;
        assert_eq!(locked(&engine), WAITS, "putting it back does not bring the lease back");
        timed.server.come_back().await;
        assert!(matches!(engine.unlock(None).await.unwrap(), Phase::Ready { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_has_ended_is_begun_again_on_the_same_device() {
    let mut timed = Timed::start().await;
    let engine = timed.signed_in().await;
    timed.server.vanish().await;
    engine.send_reply(conversation(1), "kept", None, None).await.unwrap();
    timed.clock.pass(15 * DAY);
    engine.look().await;
    timed.server.world().desk.session_ended = true;
    timed.server.come_back().await;
    assert_eq!(engine.unlock(None).await.unwrap_err().code(), Code::Unauthorized);
    assert_eq!(locked(&engine), Some((LockReason::Silence, OpensWith::SignIn)));
    assert_eq!(engine.sign_in_again("ana@example.com", "wrong", None).await.unwrap_err().code(), Code::BadCredentials);
    let again = engine.sign_in_again("ana@example.com", "right", None).await.unwrap();
    assert!(matches!(again.phase, Phase::Ready { .. }));
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    assert_eq!(timed.server.world().pushed.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_desk_hears_that_it_was_revoked() {
    let timed = Timed::start().await;
    let engine = timed.signed_in().await;
    engine.lock().await.unwrap();
    assert_eq!(locked(&engine), Some((LockReason::Asked, OpensWith::Click)));
    timed.server.world().desk.revoked = true;
    engine.look().await;
    assert!(matches!(engine.phase(), Phase::SignedOut { .. }));
    assert_eq!((folders(timed.desk.dir.path()), timed.desk.vault.names().len()), (0, 0));
}

/// A vault that keeps a picture of folder and vault before and after each access to the lease: every moment at which a kill could
/// come while a lease changes hands.
struct Camera {
    inner: MemoryVault,
    base: std::path::PathBuf,
    pictures: std::sync::Mutex<Vec<(tempfile::TempDir, MemoryVault)>>,
    on: std::sync::atomic::AtomicBool,
}

impl Camera {
    fn shoot(&self) {
        if !self.on.load(std::sync::atomic::Ordering::SeqCst) {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        copy(&self.base, dir.path());
        let vault = MemoryVault::default();
        for name in self.inner.names() {
            vault.set(&name, &self.inner.get(&name).unwrap().unwrap()).unwrap();
        }
        self.pictures.lock().unwrap().push((dir, vault));
    }
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { drop(std::fs::copy(entry.path(), target)) }
    }
}

impl KeyVault for Camera {
    fn get(&self, name: &str) -> parley_client::Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
        let watched = name.ends_with("/lease");
        if watched {
            self.shoot();
        }
        let found = self.inner.get(name);
        if watched {
            self.shoot();
        }
        found
    }
    fn set(&self, name: &str, secret: &[u8]) -> parley_client::Result<()> {
        if name.ends_with("/lease") {
            self.shoot();
        }
        self.inner.set(name, secret)?;
        if name.ends_with("/lease") {
            self.shoot();
        }
        Ok(())
    }
    fn delete(&self, name: &str) -> parley_client::Result<()> {
        self.inner.delete(name)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_any_step_of_a_new_lease_leaves_files_that_open_and_the_bubble_once() {
    let mut timed = Timed::start().await;
    let camera = Arc::new(Camera {
        inner: MemoryVault::default(),
        base: timed.desk.dir.path().to_owned(),
        pictures: Default::default(),
        on: Default::default(),
    });
    let config = EngineConfig { vault: camera.clone(), ..timed.config() };
    let engine = Engine::start(config.clone()).await;
    until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
    let address = timed.server.address.to_string();
    engine.sign_in(&address, "ana@example.com", "right", "LAPTOP-7", None).await.unwrap();
    synced(&engine).await;
    timed.server.world().block_pushes = true;
    engine.send_reply(conversation(1), "the bubble", None, None).await.unwrap();
    camera.on.store(true, std::sync::atomic::Ordering::SeqCst);
    timed.clock.pass(25 * HOUR);
    engine.sync_now().await.unwrap();
    until(&engine, "a second lease", async || camera.pictures.lock().unwrap().len() >= 4).await;
    camera.on.store(false, std::sync::atomic::Ordering::SeqCst);
    engine.close().await;
    camera.on.store(true, std::sync::atomic::Ordering::SeqCst);
    camera.shoot();
    timed.server.vanish().await;
    let pictures = std::mem::take(&mut *camera.pictures.lock().unwrap());
    let slots = |dir: &Path| {
        let desk = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir()).unwrap();
        std::fs::read_to_string(desk.join("keys.json")).unwrap().matches("wrapped").count()
    };
    let counts: Vec<usize> = pictures.iter().map(|(dir, _)| slots(dir.path())).collect();
    assert_eq!(counts, [2, 2, 2, 2, 1], "new beside old until the new one was read back");
    for (place, (dir, vault)) in pictures.into_iter().enumerate() {
        let config = EngineConfig { base_dir: dir.path().to_owned(), vault: Arc::new(vault), ..config.clone() };
        let engine = Engine::start(config).await;
        until(&engine, "opened", async || engine.phase() != Phase::Opening).await;
        assert!(matches!(engine.phase(), Phase::Ready { .. }), "picture {place}: {:?}", engine.phase());
        let bubbles = texts(&engine, 1).await.iter().filter(|text| *text == "the bubble").count();
        assert_eq!((bubbles, engine.outbox().await.unwrap().len()), (1, 1), "picture {place}");
        engine.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_left_half_written_is_no_key_file() {
    let timed = Timed::start().await;
    timed.signed_in().await.close().await;
    let dir = std::fs::read_dir(timed.desk.dir.path()).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir());
    std::fs::write(dir.unwrap().join("keys.json.new"), b"{\"version\":1,\"slo").unwrap();
    assert!(matches!(timed.open().await.phase(), Phase::Ready { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_lease_says_when_it_ends_and_what_is_stored_can_be_cleared() {
    let mut timed = Timed::start().await;
    let engine = timed.signed_in().await;
    let lease = engine.lease().await.unwrap();
    assert_eq!((lease.days_left, lease.in_custody), (7, true));
    assert_eq!(lease.wipes_at.since(lease.heard_at), 21 * DAY);
    timed.server.vanish().await;
    timed.clock.pass(2 * DAY + MINUTE);
    assert_eq!(engine.lease().await.unwrap().days_left, 4);
    engine.save_draft(conversation(1), DraftMode::Reply, "typed").await.unwrap();
    let view = engine.storage().await.unwrap();
    let of = |name: &str| {
        let store = view.stores.iter().find(|store| format!("{:?}", store.store) == name);
        store.unwrap().clone()
    };
    assert!(of("LocalCopy").rows == 3 && of("LocalCopy").bytes > 4_096 && of("LocalCopy").oldest.is_some());
    assert_eq!((of("Drafts").rows, of("Drafts").keeps_days), (1, Some(14)));
    assert!(of("Keys").bytes > 100);
    let cleared = engine.clear_storage(parley_client::views::Clearable::Drafts).await.unwrap();
    assert_eq!(cleared.stores.iter().find(|store| format!("{:?}", store.store) == "Drafts").unwrap().rows, 0);
    assert_eq!(engine.draft(conversation(1), DraftMode::Reply).await.unwrap(), None);
    engine.add_note(conversation(1), "waits").await.unwrap();
    engine.clear_storage(parley_client::views::Clearable::LocalCopy).await.unwrap();
    assert_eq!(engine.outbox().await.unwrap().len(), 1, "what waits to be sent stays");
    assert!(texts(&engine, 2).await.is_empty());
    timed.server.come_back().await;
    engine.sync_now().await.unwrap();
    until(&engine, "fetched anew", async || texts(&engine, 2).await.len() == 1).await;
    until(&engine, "sent", async || engine.outbox().await.unwrap().is_empty()).await;
    assert_eq!(timed.server.world().pushed.len(), 1);
}
