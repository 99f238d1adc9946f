//! Where every run begins: a server with two workspaces and four desks that are signed in. Made once a process, with a clock and
//! randomness of its own, and copied for each run: passwords are hashed and tables made a single time.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use parley_client::keys::KeyVault;
use parley_client::{Disk, Engine, EngineConfig, Outside};
use parley_domain::permission::Role;
use parley_domain::policy::{DevicePolicy, OrderScope};
use parley_domain::protocol::session::Secret;
use parley_domain::time::{DAY, HOUR, SeededRandomness};
use parley_domain::{Clock, InboxId, MemberId, Timestamp, WorkspaceId};
use parley_server::admin::{NewMember, NewWhatsapp, NewWorkspace};
use parley_server::{App, Config, Deps};
use parley_sim::{Number, SimConfig};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::network::{DeskWire, GraphWire, Net};
use super::plan::{DESKS, NUMBERS};
use crate::Fallible;

/// The members at the desks: name, workspace, role, numbers.
pub const MEMBERS: [(&str, usize, Role, &[usize]); DESKS] = [
    ("ana", 0, Role::Agent, &[0, 1]),
    ("ben", 0, Role::Agent, &[0]),
    ("mia", 0, Role::Manager, &[0, 1]),
    ("cleo", 1, Role::Agent, &[2]),
];
/// The workspace of each number.
pub const WORKSPACE_OF: [usize; NUMBERS] = [0, 0, 1];
const PASSWORD: &str = "lantern harbour violet 29";
/// The server's address; nobody listens there.
pub const ADDRESS: &str = "127.0.0.1:9";

/// Time as tokio's paused clock shows it, from `base` on, set off by `skew`.
pub struct SimClock {
    began: tokio::time::Instant,
    base: i64,
    skew: std::sync::atomic::AtomicI64,
}

impl SimClock {
    /// A clock that shows `base` now.
    pub fn new(base: i64) -> Self {
        Self { began: tokio::time::Instant::now(), base, skew: Default::default() }
    }

    /// Sets it off.
    pub fn skew(&self, ms: i64) {
        self.skew.store(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.base + passed + self.skew.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// A vault in memory that needs no thread and can be copied.
#[derive(Default)]
pub struct SimVault(pub Mutex<BTreeMap<String, Vec<u8>>>);

impl SimVault {
    fn held(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyVault for SimVault {
    fn get(&self, name: &str) -> parley_client::Result<Option<Zeroizing<Vec<u8>>>> {
        Ok(self.held().get(name).cloned().map(Zeroizing::new))
    }
    fn set(&self, name: &str, secret: &[u8]) -> parley_client::Result<()> {
        self.held().insert(name.to_owned(), secret.to_vec());
        Ok(())
    }
    fn delete(&self, name: &str) -> parley_client::Result<()> {
        self.held().remove(name);
        Ok(())
    }
    fn is_quick(&self) -> bool {
        true
    }
}

/// A disk whose pace the run sets.
#[derive(Default)]
pub struct SimDisk(pub std::sync::atomic::AtomicU64);

impl Disk for SimDisk {
    fn pace(&self) -> Option<Duration> {
        let ms = self.0.load(std::sync::atomic::Ordering::SeqCst);
        (ms > 0).then(|| Duration::from_millis(ms))
    }
}

/// Who and what there is.
#[derive(Clone, Debug)]
pub struct Ids {
    pub workspaces: [WorkspaceId; 2],
    pub inboxes: [InboxId; NUMBERS],
    pub members: [MemberId; DESKS],
}

/// What runs are copied from.
pub struct Start {
    dir: TempDir,
    vaults: Vec<BTreeMap<String, Vec<u8>>>,
    pub ids: Ids,
    /// When runs begin.
    pub base: i64,
}

impl Start {
    /// The one of this process.
    ///
    /// # Errors
    /// The directory cannot be written, or the programs refuse.
    pub fn get() -> Fallible<&'static Self> {
        static START: OnceLock<Result<Start, String>> = OnceLock::new();
        let made = START.get_or_init(|| {
            std::thread::spawn(|| super::runtime().block_on(make()).map_err(|failure| failure.to_string()))
                .join()
                .unwrap_or_else(|_| Err("the start could not be made".to_owned()))
        });
        made.as_ref().map_err(xtask::failure::Failure::new)
    }

    /// A copy of all files; desks' vaults come beside.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn copy(&self) -> Fallible<(TempDir, Vec<Arc<SimVault>>)> {
        let dir = scratch()?;
        copy(self.dir.path(), dir.path())?;
        Ok((dir, self.vaults.iter().map(|vault| Arc::new(SimVault(Mutex::new(vault.clone())))).collect()))
    }
}

/// In memory where the system has a place for that.
fn scratch() -> Fallible<TempDir> {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    Ok(tempfile::Builder::new().prefix("parley-simulation-").tempdir_in(place)?)
}

fn copy(from: &Path, to: &Path) -> Fallible {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target).map(drop)?
        }
    }
    Ok(())
}

/// The server's directory in a run's.
pub fn server_dir(dir: &Path) -> PathBuf {
    dir.join("server")
}

/// The base directory of a desk in a run's.
pub fn desk_dir(dir: &Path, who: usize) -> PathBuf {
    dir.join(format!("desk{who}"))
}

/// The platform's configuration.
pub fn platform(seed: u64, clock: Arc<SimClock>) -> SimConfig {
    let number = |n: usize| Number {
        phone_number_id: format!("10654000000000{n}"),
        display_phone_number: format!("+1 555-010-000{n}"),
        verified_name: "Lantern & Loom".into(),
    };
    SimConfig {
        numbers: (0..NUMBERS).map(number).collect(),
        clock: Arc::new(move || clock.now().0),
        ..SimConfig::new(seed)
    }
}

/// The server's configuration.
pub fn config(dir: &Path) -> Config {
    Config { graph_url: "http://127.0.0.1:9".to_owned(), ..Config::new(server_dir(dir)) }
}

async fn make() -> Fallible<Start> {
    let dir = scratch()?;
    let base = 20_500 * DAY + 9 * HOUR;
    let clock = Arc::new(SimClock::new(base));
    let net = Net::new();
    let deps = Deps { clock: clock.clone(), randomness: Arc::new(SeededRandomness::new(1)) };
    let graph = Arc::new(GraphWire(net.clone()));
    let app = super::frozen(App::open_over(config(dir.path()), deps, graph)).await?;
    let ids = super::frozen(people(&app)).await?;
    let mut vaults = Vec::new();
    for (who, (name, ..)) in MEMBERS.iter().enumerate() {
        let vault = Arc::new(SimVault::default());
        let config = EngineConfig {
            base_dir: desk_dir(dir.path(), who),
            vault: vault.clone(),
            clock: clock.clone(),
            randomness: Arc::new(SeededRandomness::new(100 + who as u64)),
        };
        let wire = Arc::new(DeskWire { net: net.clone(), desk: who });
        let outside = Outside { wire: Some(wire), disk: Some(Arc::new(SimDisk::default())) };
        let engine = Engine::start_in(config, outside).await;
        let signing = engine.clone();
        let email = format!("{name}@example.org");
        let desk = format!("{name}'s desk");
        let signed =
            tokio::spawn(async move { signing.sign_in(ADDRESS, &email, PASSWORD, &desk, None).await.map(drop) });
        // One request comes: the sign-in. What sync asks for afterwards is of the run.
        let request = net.next_post(who).await;
        let (status, body) = super::frozen(super::world::answer(&app.router(), &request)).await?;
        let _ = request.reply.send((status, body));
        signed.await??;
        engine.close().await;
        drop(engine);
        vaults.push(vault.held().clone());
    }
    net.clear();
    super::frozen(async { app.close().await }).await;
    Ok(Start { dir, vaults, ids, base: base + HOUR })
}

async fn people(app: &App) -> Fallible<Ids> {
    let admin = app.admin();
    let mut workspaces = Vec::new();
    for name in ["Lantern & Loom", "Other & Sons"] {
        let new = NewWorkspace {
            name: name.to_owned(),
            admin_name: "Ada".into(),
            admin_email: format!("ada{}@example.org", workspaces.len()).as_str().into(),
            admin_password: Secret::new(PASSWORD),
        };
        workspaces.push(admin.create_workspace(new).await?.0);
    }
    let workspaces = [workspaces[0], workspaces[1]];
    // What is looked at here is sync: desks hold everything in scope, however old.
    let policy = DevicePolicy {
        message_window_days: 3_650,
        conversations_max: 10_000_000,
        orders: OrderScope::All,
        role: Default::default(),
        ..DevicePolicy::default()
    };
    for workspace in workspaces {
        admin.set_device_policy(workspace, Some(policy.clone())).await?;
    }
    let platform = SimConfig::new(1);
    let mut inboxes = Vec::new();
    for (n, workspace) in WORKSPACE_OF.into_iter().enumerate() {
        let new = NewWhatsapp {
            name: format!("Shop {n}"),
            app: platform.app_id.as_str().into(),
            app_secret: Secret::new(&platform.app_secret),
            verify_token: Secret::new(&platform.verify_token),
            waba: platform.waba_id.as_str().into(),
            phone_number_id: format!("10654000000000{n}").as_str().into(),
            display_phone: format!("+1 555-010-000{n}").as_str().into(),
            token: Secret::new(&platform.access_token),
            graph_url: None,
        };
        inboxes.push(admin.connect_whatsapp(workspaces[workspace], new).await?);
    }
    let mut members = Vec::new();
    for (name, workspace, role, numbers) in MEMBERS {
        let new = NewMember {
            name: name.into(),
            email: format!("{name}@example.org").as_str().into(),
            password: Secret::new(PASSWORD),
            role,
        };
        let member = admin.add_member(workspaces[workspace], new).await?;
        for number in numbers {
            admin.grant_inbox(workspaces[workspace], member, inboxes[*number]).await?;
        }
        members.push(member);
    }
    Ok(Ids {
        workspaces,
        inboxes: [inboxes[0], inboxes[1], inboxes[2]],
        members: [members[0], members[1], members[2], members[3]],
    })
}
