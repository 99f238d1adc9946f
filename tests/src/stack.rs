//! Simulator and server as processes, with one workspace, two members and one connected number: what every scenario over
//! real programs starts from. The server can be killed and started again on the same port and folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use xtask::cargo;
use xtask::failure::Failure;
use xtask::mariadb::MariaDb;
use xtask::process::{Running, Scratch, free_port, output};

use crate::Fallible;
use crate::meta::Meta;

const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// The simulator's app and number.
pub const APP_ID: &str = "634974000000001";
/// The key of webhook signatures.
pub const APP_SECRET: &str = "sim-app-secret";
/// The Bearer token that the Graph face takes.
pub const ACCESS_TOKEN: &str = "sim-access-token";
const VERIFY_TOKEN: &str = "sim-verify-token";
const WABA_ID: &str = "102290000000001";
/// The connected number.
pub const PHONE_NUMBER_ID: &str = "106540000000001";

/// A number that [`Stack::connect_second_inbox`] connects.
pub const SECOND_NUMBER_ID: &str = "106540000000002";

/// A member who can sign in.
#[derive(Clone, Copy, Debug)]
pub struct Login {
    pub name: &'static str,
    pub email: &'static str,
    pub password: &'static str,
}

/// An admin of the workspace.
pub const RHEA: Login = Login { name: "Rhea Kapoor", email: "rhea@casalumen.example", password: "lanterns-at-dusk-41" };
/// An agent of the workspace.
pub const DEV: Login = Login { name: "Dev Varma", email: "dev@casalumen.example", password: "walnut-and-brass-73" };

/// Where the server keeps its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Database {
    Sqlite,
    Mysql,
}

/// The running programs; all end with this value.
pub struct Stack {
    pub meta: Meta,
    server: Option<Running>,
    _simulator: Running,
    port: u16,
    database_url: Option<String>,
    mariadb: Option<MariaDb>,
    folder: Scratch,
    logs: PathBuf,
    log_level: &'static str,
    workspace: String,
    dev: String,
    graph: String,
}

impl Stack {
    /// Starts simulator and server with an empty workspace “Casa Lumen”. Logs go to `logs`; the server's holds everything it
    /// would ever log, so that a scan of it means something.
    pub async fn start(database: Database, logs: &Path, simulator_args: &[&str]) -> Fallible<Self> {
        Self::start_logging(database, logs, simulator_args, "trace").await
    }

    /// The same with a server that logs what it logs in production, for measurements.
    pub async fn start_quiet(database: Database, logs: &Path, simulator_args: &[&str]) -> Fallible<Self> {
        Self::start_logging(database, logs, simulator_args, "info").await
    }

    async fn start_logging(
        database: Database,
        logs: &Path,
        simulator_args: &[&str],
        log_level: &'static str,
    ) -> Fallible<Self> {
        let folder = Scratch::new()?;
        let mariadb = match database {
            Database::Sqlite => None,
            Database::Mysql => Some(MariaDb::start(&logs.join("mariadb.log"))?),
        };
        let database_url = match &mariadb {
            Some(mariadb) => {
                mariadb.query("CREATE DATABASE parley CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")?;
                Some(format!("{}/parley", mariadb.url()))
            }
            None => None,
        };
        let port = free_port()?;
        let mut command = cargo::command(&cargo::program("parley-sim").to_string_lossy());
        command.args(["--ledger", &folder.path().join("ledger.jsonl").to_string_lossy()]);
        command.args(["--webhook", &format!("http://127.0.0.1:{port}/webhooks/meta/{APP_ID}")]);
        command.args(simulator_args);
        let log = logs.join("simulator.log");
        let _ = std::fs::remove_file(&log);
        let mut simulator = Running::start("parley-sim", &mut command, &log)?;
        let line = simulator.wait_for_line("listening ", STARTS_WITHIN)?;
        let graph = line.trim_start_matches("listening ").trim().to_owned();
        let mut stack = Self {
            meta: Meta::at(&graph),
            server: None,
            _simulator: simulator,
            port,
            database_url,
            mariadb,
            folder,
            logs: logs.to_owned(),
            log_level,
            workspace: String::new(),
            dev: String::new(),
            graph: graph.clone(),
        };
        let made = stack.admin(&[
            ["create-workspace", "--name", "Casa Lumen", "--admin-name", RHEA.name].as_slice(),
            &["--admin-email", RHEA.email, "--password", RHEA.password],
        ])?;
        let workspace = told(&made, "workspace")?;
        stack.workspace.clone_from(&workspace);
        let dev = stack.admin(&[
            ["add-member", "--workspace", &workspace, "--role", "agent", "--name", DEV.name].as_slice(),
            &["--email", DEV.email, "--password", DEV.password],
        ])?;
        let inbox = stack.admin(&[
            ["connect-whatsapp", "--workspace", &workspace, "--name", "Sales", "--app-id", APP_ID].as_slice(),
            &["--app-secret", APP_SECRET, "--verify-token", VERIFY_TOKEN, "--waba-id", WABA_ID],
            &["--phone-number-id", PHONE_NUMBER_ID, "--display-phone", "+1 555-010-0001"],
            &["--token", ACCESS_TOKEN, "--graph-url", &graph],
        ])?;
        let (dev, inbox) = (told(&dev, "member")?, told(&inbox, "inbox")?);
        stack.admin(&[&["grant-inbox", "--workspace", &workspace, "--member", &dev, "--inbox", &inbox]])?;
        stack.dev = dev;
        stack.start_server()?;
        Ok(stack)
    }

    /// Connects another number, as “Support”, while the server is stopped; returns the inbox's id.
    pub fn connect_second_inbox(&self) -> Fallible<String> {
        let made = self.admin(&[
            ["connect-whatsapp", "--workspace", &self.workspace, "--name", "Support", "--app-id", APP_ID].as_slice(),
            &["--app-secret", APP_SECRET, "--verify-token", VERIFY_TOKEN, "--waba-id", WABA_ID],
            &["--phone-number-id", SECOND_NUMBER_ID, "--display-phone", "+1 555-010-0002"],
            &["--token", ACCESS_TOKEN, "--graph-url", &self.graph],
        ])?;
        told(&made, "inbox")
    }

    /// The workspace's id.
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// The id of [`DEV`].
    pub fn dev(&self) -> &str {
        &self.dev
    }

    /// The server's address, as a member types it.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A folder that goes with the stack.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the server keeps its rows, as its own code takes it. Open it only while the server is stopped.
    pub fn database(&self) -> parley_server::Database {
        match &self.database_url {
            Some(url) => parley_server::Database::MySql(url.clone()),
            None => parley_server::Database::Sqlite,
        }
    }

    /// Resident memory of the server, in kB.
    pub fn server_memory(&self) -> Fallible<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.server_id()?))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        number.ok_or_else(|| Failure::new("the server's memory cannot be read"))
    }

    /// Processor time that the server has used, in seconds.
    pub fn server_seconds(&self) -> Fallible<f64> {
        seconds_of(&self.server_id()?.to_string())
    }

    fn server_id(&self) -> Fallible<u32> {
        self.server.as_ref().map(Running::id).ok_or_else(|| Failure::new("the server is not running"))
    }

    /// The database, when it is MariaDB.
    pub fn mariadb(&self) -> Option<&MariaDb> {
        self.mariadb.as_ref()
    }

    /// Starts the server on its port and folder, and waits until it answers.
    pub fn start_server(&mut self) -> Fallible {
        let mut command = self.server_command();
        command.args(["serve", "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.env("PARLEY_LOG", self.log_level);
        self.place(&mut command);
        let log = self.logs.join("server.log");
        let _ = std::fs::remove_file(&log);
        let mut server = Running::start("parley-server", &mut command, &log)?;
        server.wait_for_line("listening ", STARTS_WITHIN)?;
        self.server = Some(server);
        Ok(())
    }

    /// SIGKILL.
    pub fn kill_server(&mut self) -> Fallible {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Ok(()),
        }
    }

    /// Asks the server to end.
    pub fn stop_server(&mut self) -> Fallible {
        match self.server.take() {
            Some(mut server) => server.stop(),
            None => Ok(()),
        }
    }

    /// Runs a command of administration with the real program, whether the server runs or not; returns what it printed.
    pub fn admin(&self, words: &[&[&str]]) -> Fallible<String> {
        let mut command = self.server_command();
        command.arg("admin").args(words.concat());
        self.place(&mut command);
        output(&mut command)
    }

    /// The server's program.
    pub fn server_command(&self) -> Command {
        cargo::command(&cargo::program("parley-server").to_string_lossy())
    }

    fn place(&self, command: &mut Command) {
        command.arg("--data").arg(self.folder.path().join("server"));
        if let Some(url) = &self.database_url {
            command.args(["--database-url", url]);
        }
    }
}

/// The id that a command of administration printed behind `name`.
fn told(printed: &str, name: &str) -> Fallible<String> {
    let id = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(id.ok_or_else(|| Failure::new(format!("no id of the {name} was printed")))?.trim().to_owned())
}

/// Processor time that a process has used, in seconds; `self` is this one.
pub fn seconds_of(process: &str) -> Fallible<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold spaces: the fields go on behind its closing bracket. Ticks are hundredths of a second.
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    Ok((ticks(11) + ticks(12)) / 100.0)
}
