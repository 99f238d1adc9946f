//! What the server is told from outside: data directory, database, address, Graph API. Printing it shows no password.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

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
        }
    }
}
