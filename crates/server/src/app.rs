//! The server as a value: opened from a configuration, served on a listener, stopped gracefully. Tests and scenarios run it in
//! their own process with a clock and randomness of theirs.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::serve::ListenerExt;
use fs4::fs_std::FileExt;
use parley_domain::limits::SIGN_IN_HELD_BACK;
use parley_domain::time::{DAY, new_uuid};
use parley_domain::{Clock, Randomness, Timestamp};
use parley_meta::graph::Wire;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::admin::{Admin, socket};
use crate::by_hand::ByHand;
use crate::config::{Config, Database};
use crate::db::Db;
use crate::egress::Egress;
use crate::egress::mail::Mailer;
use crate::error::{Error, Result};
use crate::http::connections::Bounded;
use crate::http::quota::Quota;
use crate::ingest::{self, Apps, Waiting};
use crate::leaving::{self, Gatekeeper};
use crate::metrics::Metrics;
use crate::password::Passwords;
use crate::pokes::Pokes;
use crate::secrets::Keys;
use crate::session::Granted;
use crate::sync::push::Lanes;
use crate::system::{SystemClock, SystemRandomness};
use crate::{apply, db, egress, erasure, http, jobs, outbox};

/// Name of the lock file in the data directory.
const LOCK: &str = "lock";
/// Name of the database in the data directory.
const SQLITE: &str = "parley.db";
/// Name of the file that holds this node's name.
const NODE: &str = "node";
/// How long requests may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// What comes from outside.
#[derive(Clone)]
pub struct Deps {
    pub clock: Arc<dyn Clock>,
    pub randomness: Arc<dyn Randomness>,
}

impl Deps {
    /// The operating system's.
    pub fn system() -> Self {
        Self { clock: Arc::new(SystemClock), randomness: Arc::new(SystemRandomness) }
    }
}

/// What every part of the server shares.
pub struct Core {
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) keys: Keys,
    pub(crate) granted: Granted,
    clock: Arc<dyn Clock>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) pokes: Pokes,
    pub(crate) passwords: Passwords,
    pub(crate) egress: Egress,
    pub(crate) leaving: Gatekeeper,
    /// The way out for mail, where one is configured.
    pub(crate) mailer: Option<Mailer>,
    pub(crate) metrics: Metrics,
    pub(crate) quota: Arc<Quota>,
    pub(crate) apps: Apps,
    pub(crate) ingest: mpsc::Sender<Waiting>,
    pub(crate) apply_wake: Notify,
    pub(crate) outbox_wake: Notify,
    pub(crate) pushes: Lanes,
    pub(crate) stop: Notify,
    /// Name of this node: stays over restarts, so that it knows what it had in hand.
    pub(crate) node: String,
    stopping: watch::Sender<bool>,
    numbers_changed: AtomicBool,
    fed: AtomicBool,
    lock: Mutex<Option<File>>,
}

impl Core {
    /// The present moment.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A new UUIDv7.
    pub(crate) fn new_id(&self) -> Uuid {
        new_uuid(&*self.clock, &*self.randomness)
    }

    /// 256 random bits, hex.
    pub(crate) fn random_token(&self) -> String {
        let mut bytes = [0u8; 32];
        self.randomness.fill(&mut bytes);
        hex::encode(bytes)
    }

    /// A salt for a password's hash.
    pub(crate) fn salt(&self) -> [u8; 16] {
        let mut salt = [0; 16];
        self.randomness.fill(&mut salt);
        salt
    }

    pub(crate) fn stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(crate) fn until_stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Whether webhooks were stored since this was asked last.
    pub(crate) fn was_fed(&self) -> bool {
        self.fed.swap(false, Ordering::SeqCst)
    }

    /// Webhooks were stored.
    fn feed(&self) {
        self.fed.store(true, Ordering::SeqCst);
        self.apply_wake.notify_one();
    }

    /// Whether items that wait for a number should be looked at; asked once per change.
    pub(crate) fn take_up_waiting(&self) -> bool {
        self.numbers_changed.swap(false, Ordering::SeqCst)
    }

    /// Tells everything that runs to end.
    pub(crate) fn stop_at_once(&self) {
        let _ = self.stopping.send(true);
    }

    /// Closes the database and gives the data directory back.
    pub(crate) async fn close(&self) {
        self.db.close().await;
        if let Ok(mut lock) = self.lock.lock() {
            drop(lock.take());
        }
    }

    /// A number was connected, or more items wait than were looked at.
    pub(crate) fn wake_waiting(&self) {
        self.numbers_changed.store(true, Ordering::SeqCst);
        self.apply_wake.notify_one();
    }
}

/// An opened server.
pub struct App {
    pub(crate) core: Arc<Core>,
    waiting: Mutex<Option<mpsc::Receiver<Waiting>>>,
}

impl App {
    /// Takes the data directory's lock, opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// [`Error::AlreadyOpen`] when another process has the directory; otherwise what cannot be opened.
    pub async fn open(config: Config, deps: Deps) -> Result<Self> {
        Self::open_with(config, deps, Egress::new()?).await
    }

    /// The same with Graph calls over another wire than HTTP.
    ///
    /// # Errors
    /// As for [`App::open`].
    pub async fn open_over(config: Config, deps: Deps, graph: Arc<dyn Wire>) -> Result<Self> {
        Self::open_with(config, deps, Egress::over(graph)).await
    }

    async fn open_with(config: Config, deps: Deps, egress: Egress) -> Result<Self> {
        make_directory(&config.data)?;
        let lock = take_lock(&config.data)?;
        egress::check(&config.graph_url)?;
        let keys = Keys::open(&config.data, &*deps.randomness)?;
        let node = node_name(&config.data, &deps)?;
        let db = match &config.database {
            Database::Sqlite => Db::open_sqlite(&config.data.join(SQLITE)).await?,
            Database::MySql(url) => Db::open_mysql(url).await?,
        };
        db.migrate().await?;
        let now = deps.clock.now();
        let today = db::leaving::calls_since(db.reader(), Timestamp(now.0 - now.0.rem_euclid(DAY))).await?;
        let leaving = Gatekeeper::new(&config.on, &config.off, now, today)?;
        let (ingest, waiting) = ingest::channel();
        let mailer = config.smtp.as_ref().map(Mailer::new).transpose()?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let quota = Arc::new(Quota::new(config.limits, deps.clock.clone()));
        let core = Core {
            config,
            db,
            keys,
            granted: Granted::default(),
            clock: deps.clock,
            randomness: deps.randomness,
            pokes: Pokes::default(),
            passwords: Passwords::new(cores),
            leaving,
            egress,
            mailer,
            metrics: Metrics::default(),
            quota,
            apps: Apps::default(),
            ingest,
            apply_wake: Notify::new(),
            outbox_wake: Notify::new(),
            pushes: Lanes::default(),
            stop: Notify::new(),
            node,
            stopping: watch::channel(false).0,
            numbers_changed: AtomicBool::new(true),
            fed: AtomicBool::new(false),
            lock: Mutex::new(Some(lock)),
        };
        // Before any port opens: who was erased stays erased, whatever was restored.
        erasure::replay(&core).await?;
        Ok(Self { core: Arc::new(core), waiting: Mutex::new(Some(waiting)) })
    }

    /// Administration.
    pub fn admin(&self) -> Admin {
        Admin::new(self.core.clone())
    }

    /// The database, for inspection in tests and by operators' commands.
    pub fn db(&self) -> &Db {
        &self.core.db
    }

    /// All routes.
    pub fn router(&self) -> axum::Router {
        http::router(self.core.clone())
    }

    /// Serves on the listener, with the apply worker and the senders.
    ///
    /// # Errors
    /// The app is served already.
    pub fn serve(&self, listener: TcpListener) -> Result<Running> {
        let address = listener.local_addr()?;
        let waiting = self.waiting.lock().map_err(|_| Error::Stopping)?.take();
        let waiting = waiting.ok_or(Error::Config("the app is served already".to_owned()))?;
        let core = self.core.clone();
        let router = self.router();
        let mut stop = core.until_stopping();
        // `tap_io` for its address alone, which handlers are told as that of any listener.
        let listener = Bounded::new(listener, core.config.limits).tap_io(|_| {});
        let http = tokio::spawn(async move {
            let stopped = async move { until(&mut stop).await };
            if let Err(error) = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
                .with_graceful_shutdown(stopped)
                .await
            {
                tracing::error!(%error, "the listener failed");
            }
        });
        let ingest = ingest_writer(&core, waiting);
        let mut work = vec![
            tokio::spawn(apply::run(core.clone())),
            tokio::spawn(outbox::run(core.clone())),
            tokio::spawn(jobs::run(core.clone())),
            tokio::spawn(keep_records(core.clone())),
        ];
        match socket::listen(&core.config.data) {
            Ok(listener) => work.push(tokio::spawn(socket::serve(core.clone(), listener))),
            // Desks and customers are served all the same.
            Err(error) => tracing::warn!(%error, "commands of administration must wait until the server is stopped"),
        }
        Ok(Running { address, core, http, ingest, work })
    }

    /// The same without a listener, and with every step at the caller's word.
    ///
    /// # Errors
    /// The app is served already, or the database failed.
    pub async fn by_hand(&self) -> Result<ByHand> {
        let waiting = self.waiting.lock().map_err(|_| Error::Stopping)?.take();
        let waiting = waiting.ok_or(Error::Config("the app is served already".to_owned()))?;
        ByHand::start(self.core.clone(), ingest_writer(&self.core, waiting)).await
    }

    /// Closes the database without serving.
    pub async fn close(self) {
        self.core.close().await;
    }
}

/// The task that stores webhook bodies.
fn ingest_writer(core: &Arc<Core>, waiting: mpsc::Receiver<Waiting>) -> JoinHandle<()> {
    let woken = core.clone();
    tokio::spawn(ingest::write(core.db.clone(), waiting, move || woken.feed()))
}

/// Ends when the server stops.
pub(crate) async fn until(stop: &mut watch::Receiver<bool>) {
    // An error means that the core is gone, which is a stop as well.
    let _ = stop.wait_for(|stopping| *stopping).await;
}

/// Writes down what left, and forgets who has not asked lately, until the server stops.
async fn keep_records(core: Arc<Core>) {
    let mut stop = core.until_stopping();
    loop {
        let stopping = tokio::select! {
            () = tokio::time::sleep(leaving::WRITE_EVERY) => false,
            () = until(&mut stop) => true,
        };
        core.quota.forget();
        if let Err(error) = leaving::write(&core).await {
            tracing::warn!(%error, "what left could not be written down");
        }
        if stopping {
            return;
        }
    }
}

/// Forgets invitations that have run out, tries that no longer count, and erasures that no desk can have missed.
pub(crate) async fn forget_access(core: &Core) -> Result<()> {
    db::invitations::expire(core.db.writer(), core.now()).await?;
    db::tries::expire(core.db.writer(), core.now() - SIGN_IN_HELD_BACK).await?;
    let remembered = i64::from(parley_domain::policy::erasure_tombstone_days()) * parley_domain::time::DAY;
    db::desks::expire_erasures(core.db.writer(), core.now() - remembered).await
}

/// A server that serves.
pub struct Running {
    address: SocketAddr,
    core: Arc<Core>,
    http: JoinHandle<()>,
    ingest: JoinHandle<()>,
    work: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends requests and work in hand, then closes the database.
    pub async fn stop(self) {
        let _ = self.core.stopping.send(true);
        self.core.apply_wake.notify_waiters();
        self.core.apply_wake.notify_one();
        self.core.outbox_wake.notify_one();
        self.core.stop.notify_waiters();
        let http = self.http.abort_handle();
        if tokio::time::timeout(GRACE, self.http).await.is_err() {
            http.abort();
        }
        // The writer ends when nobody can hand it anything, and the core can; what is queued was answered or is asked again.
        self.ingest.abort();
        for work in self.work {
            let _ = work.await;
        }
        // Senders that ended last have something to record, too.
        let _ = leaving::write(&self.core).await;
        self.core.close().await;
    }

    /// Stops at once, as a kill would: nothing in hand is ended or recorded.
    pub async fn kill(self) {
        let _ = self.core.stopping.send(true);
        for work in self.work.iter().chain([&self.http, &self.ingest]) {
            work.abort();
        }
        for work in self.work.into_iter().chain([self.http, self.ingest]) {
            let _ = work.await;
        }
        self.core.close().await;
    }
}

/// Makes the data directory, for this user alone.
fn make_directory(data: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    Ok(builder.create(data)?)
}

fn take_lock(data: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(data.join(LOCK))?;
    match FileExt::try_lock_exclusive(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(Error::AlreadyOpen),
        Err(error) => Err(error.into()),
    }
}

fn node_name(data: &Path, deps: &Deps) -> Result<String> {
    let path = data.join(NODE);
    match File::open(&path) {
        Ok(mut file) => {
            let mut name = String::new();
            file.read_to_string(&mut name)?;
            Ok(name.trim().chars().take(64).collect())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let name = new_uuid(&*deps.clock, &*deps.randomness).to_string();
            let mut file = File::create_new(&path)?;
            file.write_all(name.as_bytes())?;
            file.sync_all()?;
            Ok(name)
        }
        Err(error) => Err(error.into()),
    }
}
