//! What the server is told from outside: data directory, database, address, Graph API. Printing it shows no password.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use parley_domain::limits::{
    CONNECTIONS, CONNECTIONS_ADDRESS, RATE_ADDRESS, RATE_OTHER, RATE_PUSH, RATE_STRANGER, RATE_SYNC, RATE_WORKSPACE,
    Rate, SOCKETS_DEVICE, SOCKETS_MEMBER,
};
use parley_domain::protocol::session::Secret;
use serde::Deserialize;

/// Where rows are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// `parley.db` in the data directory.
    Sqlite,
    /// `mysql://user:password@host:port/name`.
    MySql(String),
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "Sqlite",
            Self::MySql(_) => "MySql(redacted)",
        })
    }
}

impl Database {
    /// From an address; `None` or `sqlite` is the embedded file.
    ///
    /// # Errors
    /// Another scheme than `mysql`.
    pub fn parse(url: Option<&str>) -> crate::Result<Self> {
        match url {
            None | Some("" | "sqlite") => Ok(Self::Sqlite),
            Some(url) if url.starts_with("mysql://") => Ok(Self::MySql(url.to_owned())),
            Some(_) => Err(crate::Error::Config("database address: mysql://… or nothing".to_owned())),
        }
    }
}

/// How a connection to the mail host is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SmtpTls {
    /// TLS from the first byte, usually on port 465.
    Wrapped,
    /// Plain first, then TLS or nothing, usually on port 587.
    StartTls,
    /// None; to this machine only.
    Off,
}

impl SmtpTls {
    /// From its name: `tls`, `starttls`, `off`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "tls" => Some(Self::Wrapped),
            "starttls" => Some(Self::StartTls),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// The mail host.
#[derive(Clone)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub tls: SmtpTls,
    /// The sender: `Parley <parley@example.org>`.
    pub from: String,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}:{}, {:?})", self.host, self.port, self.tls)
    }
}

/// How much one workspace, device, member or network address may ask for; what is not said is [`parley_domain::limits`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests from one network address.
    pub address: Rate,
    /// Requests without a token from one network address.
    pub stranger: Rate,
    /// Requests of one workspace.
    pub workspace: Rate,
    /// Pulls, snapshots and backfills of one device.
    pub sync: Rate,
    /// Pushes of one device.
    pub push: Rate,
    /// Other requests of one device.
    pub other: Rate,
    pub sockets_of_device: usize,
    pub sockets_of_member: usize,
    pub connections_of_address: usize,
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            address: RATE_ADDRESS,
            stranger: RATE_STRANGER,
            workspace: RATE_WORKSPACE,
            sync: RATE_SYNC,
            push: RATE_PUSH,
            other: RATE_OTHER,
            sockets_of_device: SOCKETS_DEVICE,
            sockets_of_member: SOCKETS_MEMBER,
            connections_of_address: CONNECTIONS_ADDRESS,
            connections: CONNECTIONS,
        }
    }
}

impl Limits {
    /// None that anything reaches: for measurements, and for tests whose clock stands still.
    pub fn none() -> Self {
        let free = Rate::new(1_000_000, u32::MAX);
        Self {
            address: free,
            stranger: free,
            workspace: free,
            sync: free,
            push: free,
            other: free,
            sockets_of_device: usize::MAX,
            sockets_of_member: usize::MAX,
            connections_of_address: usize::MAX,
            connections: usize::MAX,
        }
    }
}

/// The server's configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Holds `secrets.toml` and, on SQLite, the database.
    pub data: PathBuf,
    pub database: Database,
    pub listen: SocketAddr,
    /// Scheme and host of the Graph API, for inboxes that name none.
    pub graph_url: String,
    /// Messages in flight to Meta at a time.
    pub senders: usize,
    /// Sub-processors to use though `privacy/subprocessors.toml` has them off.
    pub on: Vec<String>,
    /// Sub-processors not to use though it has them on.
    pub off: Vec<String>,
    /// Where desks reach this server (`https://parley.example.org`): part of invitations.
    pub public_url: Option<String>,
    /// The mail host for invitations; without one they are handed over in person.
    pub smtp: Option<Smtp>,
    /// The network address of who asks stands in the last entry of `X-Forwarded-For`, because a proxy of ours is in between.
    pub behind_proxy: bool,
    /// Whoever shows this token may read `/metrics`; without one there is no such route.
    pub metrics_token: Option<Secret>,
    pub limits: Limits,
}

/// `parley.toml`: what the command line and the environment leave open. Every entry may be missing; an unknown one is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    pub database_url: Option<Secret>,
    pub listen: Option<SocketAddr>,
    pub graph_url: Option<String>,
    pub senders: Option<usize>,
    pub on: Vec<String>,
    pub off: Vec<String>,
    pub metrics_token: Option<Secret>,
    /// Logs as one JSON object a line.
    pub log_json: bool,
    pub limits: Limits,
}

impl File {
    /// Reads the file; a missing one is empty.
    ///
    /// # Errors
    /// It is there and is not what it should be.
    pub fn read(path: &Path) -> crate::Result<Self> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                // The error's own text may quote a secret's line.
                toml::from_str(&text).map_err(|_| crate::Error::Config(format!("{} cannot be read", path.display())))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Config {
    /// The configuration of a server with nothing but a data directory.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            database: Database::Sqlite,
            listen: SocketAddr::from(([127, 0, 0, 1], 7300)),
            graph_url: parley_meta::graph::BASE_URL.to_owned(),
            senders: 64,
            on: Vec::new(),
            off: Vec::new(),
            public_url: None,
            smtp: None,
            behind_proxy: false,
            metrics_token: None,
            limits: Limits::default(),
        }
    }
}
