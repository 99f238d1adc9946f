//! What the command line says, and the configuration that comes of it: options and variables first, then the file, then what
//! is built in.

mod admin;
mod serve;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use parley_domain::protocol::session::Secret;
use parley_server::config::File;
use parley_server::{App, Config, Database, Deps, Result};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "parley-server", version, about = "Parley's central server")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Takes webhooks, serves desks, sends.
    Serve {
        #[command(flatten)]
        store: Store,
        #[command(flatten)]
        options: serve::Options,
    },
    /// Prints the configuration that `serve` would have, secrets left out.
    Config {
        #[command(flatten)]
        store: Store,
    },
    /// Brings the database's schema up to date.
    Migrate {
        #[command(flatten)]
        store: Store,
    },
    /// Administration; done by the server of this data directory when it runs, otherwise at once.
    Admin {
        #[command(flatten)]
        store: Store,
        #[command(subcommand)]
        command: admin::AdminCommand,
    },
}

#[derive(Args)]
pub struct Store {
    /// Directory for keys and, without a database address, the database.
    #[arg(long, env = "PARLEY_DATA", default_value = "parley-data", global = true)]
    pub data: PathBuf,
    /// `mysql://user:password@host:port/name`; without it, an SQLite file in the data directory.
    #[arg(long, env = "PARLEY_DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<String>,
    /// A file with what options and variables leave open; `parley.toml` in the data directory unless named.
    #[arg(long, env = "PARLEY_CONFIG", global = true)]
    config: Option<PathBuf>,
    /// Whoever shows this token may read /metrics.
    #[arg(long, env = "PARLEY_METRICS_TOKEN", hide_env_values = true, global = true)]
    metrics_token: Option<String>,
    /// Logs as one JSON object a line.
    #[arg(long, env = "PARLEY_LOG_JSON", global = true)]
    log_json: bool,
}

/// Does what was said.
///
/// # Errors
/// It cannot be done; the text is for whoever typed the command.
pub async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve { store, options } => serve::serve(options.put(config(store)?)).await,
        Command::Config { store } => {
            println!("{:#?}", config(store)?);
            Ok(())
        }
        Command::Migrate { store } => {
            App::open(config(store)?, Deps::system()).await?.close().await;
            Ok(())
        }
        Command::Admin { store, command } => admin::administer(config(store)?, command).await,
    }
}

/// The configuration. Starts the log, whose form stands there too.
fn config(store: Store) -> Result<Config> {
    let file = File::read(&store.config.unwrap_or_else(|| store.data.join("parley.toml")))?;
    start_log(store.log_json || file.log_json);
    let built_in = Config::new(store.data);
    let url = store.database_url.or_else(|| file.database_url.map(|url| url.expose().to_owned()));
    Ok(Config {
        database: Database::parse(url.as_deref())?,
        listen: file.listen.unwrap_or(built_in.listen),
        graph_url: file.graph_url.unwrap_or(built_in.graph_url.clone()),
        senders: file.senders.unwrap_or(built_in.senders),
        on: file.on,
        off: file.off,
        metrics_token: store.metrics_token.map(Secret::new).or(file.metrics_token),
        limits: file.limits,
        ..built_in
    })
}

fn start_log(json: bool) {
    let filter =
        EnvFilter::try_from_env("PARLEY_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.init() }
}
