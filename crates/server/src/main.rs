//! The command line of the server.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use parley_domain::permission::Role;
use parley_domain::protocol::access::InviteRequest;
use parley_domain::protocol::session::Secret;
use parley_domain::{
    AppId, Code, ContactId, DeviceId, Email, InboxId, MemberId, PersonName, Phone, PhoneNumberId, WabaId, WorkspaceId,
};
use parley_server::admin::{NewMember, NewWhatsapp, NewWorkspace};
use parley_server::config::{File, Smtp, SmtpTls};
use parley_server::{App, Config, Database, Deps, Error, Result};
use tracing_subscriber::EnvFilter;

#[derive(Parser)]
#[command(name = "parley-server", version, about = "Parley's central server")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Takes webhooks, serves desks, sends.
    Serve {
        #[command(flatten)]
        store: Store,
        /// Where to listen.
        #[arg(long, env = "PARLEY_LISTEN")]
        listen: Option<SocketAddr>,
        /// Scheme and host of the Graph API, for inboxes that name none.
        #[arg(long, env = "PARLEY_GRAPH_URL")]
        graph_url: Option<String>,
        #[command(flatten)]
        mail: Mail,
        /// A proxy of ours is in front: who asks stands in the last entry of X-Forwarded-For.
        #[arg(long, env = "PARLEY_BEHIND_PROXY")]
        behind_proxy: bool,
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
    /// Administration. On the embedded database the server must not be running.
    Admin {
        #[command(flatten)]
        store: Store,
        #[command(subcommand)]
        command: AdminCommand,
    },
}

#[derive(Args)]
struct Store {
    /// Directory for keys and, without a database address, the database.
    #[arg(long, env = "PARLEY_DATA", default_value = "parley-data", global = true)]
    data: PathBuf,
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

#[derive(Args, Clone)]
struct Mail {
    /// Where desks reach this server (`https://parley.example.org`): part of invitations.
    #[arg(long, env = "PARLEY_PUBLIC_URL")]
    public_url: Option<String>,
    /// The mail host for invitations.
    #[arg(long, env = "PARLEY_SMTP_HOST", requires = "smtp_from")]
    smtp_host: Option<String>,
    #[arg(long, env = "PARLEY_SMTP_PORT", default_value_t = 465)]
    smtp_port: u16,
    /// tls, starttls or off; off to this machine only.
    #[arg(long, env = "PARLEY_SMTP_TLS", value_parser = smtp_tls, default_value = "tls")]
    smtp_tls: SmtpTls,
    /// The sender: `Parley <parley@example.org>`.
    #[arg(long, env = "PARLEY_SMTP_FROM")]
    smtp_from: Option<String>,
    #[arg(long, env = "PARLEY_SMTP_USER")]
    smtp_user: Option<String>,
    /// Visible to other programs of this machine; prefer the environment.
    #[arg(long, env = "PARLEY_SMTP_PASSWORD", hide_env_values = true)]
    smtp_password: Option<String>,
}

fn smtp_tls(text: &str) -> Result<SmtpTls, String> {
    SmtpTls::parse(text).ok_or_else(|| "tls, starttls or off".to_owned())
}

impl Mail {
    fn put(self, config: Config) -> Config {
        let smtp = self.smtp_host.zip(self.smtp_from).map(|(host, from)| Smtp {
            host,
            port: self.smtp_port,
            tls: self.smtp_tls,
            from,
            user: self.smtp_user,
            password: self.smtp_password.map(Secret::new),
        });
        Config { smtp, public_url: self.public_url, ..config }
    }
}

#[derive(Args)]
struct Password {
    /// Visible to other programs of this machine; prefer --password-stdin.
    #[arg(long, required_unless_present = "password_stdin")]
    password: Option<String>,
    /// Reads the password from standard input.
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
}

impl Password {
    fn read(self) -> Result<Secret> {
        match self.password {
            Some(password) => Ok(Secret::new(password)),
            None => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
            }
        }
    }
}

#[derive(Subcommand)]
enum AdminCommand {
    /// Makes a workspace with its first admin; prints their ids.
    CreateWorkspace {
        #[arg(long)]
        name: String,
        #[arg(long)]
        admin_email: String,
        #[arg(long)]
        admin_name: String,
        #[command(flatten)]
        password: Password,
    },
    /// Adds a member; prints the id.
    AddMember {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        name: String,
        #[arg(long)]
        email: String,
        /// agent, manager or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        #[command(flatten)]
        password: Password,
    },
    /// Connects a WhatsApp number; prints the inbox's id.
    ConnectWhatsapp {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        name: String,
        #[arg(long)]
        app_id: String,
        #[arg(long, env = "PARLEY_APP_SECRET", hide_env_values = true)]
        app_secret: String,
        #[arg(long, env = "PARLEY_VERIFY_TOKEN", hide_env_values = true)]
        verify_token: String,
        #[arg(long)]
        waba_id: String,
        #[arg(long)]
        phone_number_id: String,
        #[arg(long)]
        display_phone: String,
        #[arg(long, env = "PARLEY_META_TOKEN", hide_env_values = true)]
        token: String,
        /// Scheme and host of the Graph API, when it is not the server's.
        #[arg(long)]
        graph_url: Option<String>,
    },
    /// Lets a member see an inbox.
    GrantInbox {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        member: MemberId,
        #[arg(long)]
        inbox: InboxId,
    },
    /// Takes an inbox away from a member.
    WithdrawInbox {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        member: MemberId,
        #[arg(long)]
        inbox: InboxId,
    },
    /// The audit log.
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Writes the whole database to a new file. It holds personal data: keep it encrypted, and the key file apart from it.
    Backup { file: PathBuf },
    /// Reads a backup into an empty database and begins a new lineage.
    Restore { file: PathBuf },
    /// Erases a person for good, in restored backups too.
    EraseContact {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        contact: ContactId,
    },
    /// Work that failed for good.
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Makes a new key that wraps the data keys, and wraps them all anew. Back the key file up afterwards.
    RotateKeys,
    /// Deletes a workspace's data keys: its tokens never open again.
    ShredKeys {
        #[arg(long)]
        workspace: WorkspaceId,
        /// Confirms that this cannot be undone.
        #[arg(long, required = true)]
        for_good: bool,
    },
    /// Invites a person by mail; prints what the person pastes into the sign-in screen.
    Invite {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        email: String,
        /// agent, manager or admin.
        #[arg(long, value_parser = role)]
        role: Role,
        /// An inbox that the person will see; may be repeated.
        #[arg(long)]
        inbox: Vec<InboxId>,
        #[command(flatten)]
        mail: Mail,
    },
    /// Takes off a second factor that was lost, and closes the member's sessions.
    #[command(name = "reset-2fa")]
    ResetTwoFactor {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        member: MemberId,
    },
    /// Revokes a device: it is told to wipe itself.
    RevokeDevice {
        #[arg(long)]
        workspace: WorkspaceId,
        #[arg(long)]
        device: DeviceId,
    },
}

#[derive(Subcommand)]
enum JobsCommand {
    /// Lists dead jobs.
    Dead,
    /// Lets a dead job run again.
    Replay { name: String },
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Compares the log with its hashes and checkpoints; fails and names the first bad place when it was changed.
    Verify {
        /// All workspaces without it.
        #[arg(long)]
        workspace: Option<WorkspaceId>,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "agent, manager or admin".to_owned())
}

fn start_log(json: bool) {
    let filter =
        EnvFilter::try_from_env("PARLEY_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,sea_orm=warn"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.init() }
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("parley-server: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parley-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Options and variables, then the file, then what is built in. Starts the log, whose form stands there too.
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
        ..built_in
    })
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Serve { store, listen, graph_url, mail, behind_proxy } => {
            let config = config(store)?;
            let listen = listen.unwrap_or(config.listen);
            let graph_url = graph_url.unwrap_or(config.graph_url.clone());
            serve(mail.put(Config { listen, graph_url, behind_proxy, ..config })).await
        }
        Command::Config { store } => {
            println!("{:#?}", config(store)?);
            Ok(())
        }
        Command::Migrate { store } => {
            App::open(config(store)?, Deps::system()).await?.close().await;
            Ok(())
        }
        Command::Admin { store, command } => {
            let mut config = config(store)?;
            if let AdminCommand::Invite { mail, .. } = &command {
                config = mail.clone().put(config);
            }
            let app = App::open(config, Deps::system()).await?;
            let done = administer(&app, command).await;
            app.close().await;
            done
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    tracing::info!(?config, "starting");
    let listen = config.listen;
    let app = App::open(config, Deps::system()).await?;
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let running = app.serve(listener)?;
    println!("listening http://{}", running.address());
    stop_signal().await?;
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

/// Ends on SIGTERM or SIGINT.
async fn stop_signal() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            done = tokio::signal::ctrl_c() => done.map_err(Error::from),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(Error::from)
}

async fn administer(app: &App, command: AdminCommand) -> Result<()> {
    let admin = app.admin();
    match command {
        AdminCommand::CreateWorkspace { name, admin_email, admin_name, password } => {
            let new = NewWorkspace {
                name,
                admin_name: PersonName::new(admin_name),
                admin_email: Email::new(admin_email),
                admin_password: password.read()?,
            };
            let (workspace, member) = admin.create_workspace(new).await?;
            println!("workspace {workspace}\nmember {member}");
        }
        AdminCommand::AddMember { workspace, name, email, role, password } => {
            let new =
                NewMember { name: PersonName::new(name), email: Email::new(email), password: password.read()?, role };
            println!("member {}", admin.add_member(workspace, new).await?);
        }
        AdminCommand::ConnectWhatsapp {
            workspace,
            name,
            app_id,
            app_secret,
            verify_token,
            waba_id,
            phone_number_id,
            display_phone,
            token,
            graph_url,
        } => {
            let new = NewWhatsapp {
                name,
                app: AppId(app_id),
                app_secret: Secret::new(app_secret),
                verify_token: Secret::new(verify_token),
                waba: WabaId(waba_id),
                phone_number_id: PhoneNumberId(phone_number_id),
                display_phone: Phone::new(display_phone),
                token: Secret::new(token),
                graph_url,
            };
            println!("inbox {}", admin.connect_whatsapp(workspace, new).await?);
        }
        AdminCommand::GrantInbox { workspace, member, inbox } => {
            admin.grant_inbox(workspace, member, inbox).await?;
        }
        AdminCommand::WithdrawInbox { workspace, member, inbox } => {
            admin.withdraw_inbox(workspace, member, inbox).await?;
        }
        AdminCommand::Audit { command: AuditCommand::Verify { workspace } } => {
            let workspaces = match workspace {
                Some(workspace) => vec![workspace],
                None => admin.workspaces().await?,
            };
            let mut damaged = false;
            for workspace in workspaces {
                let verdict = admin.verify_audit(workspace).await?;
                let (entries, sealed) = (verdict.entries, verdict.sealed_upto);
                match verdict.bad {
                    None => println!("workspace {workspace}: {entries} entries, sealed up to {sealed}, unchanged"),
                    Some((place, fault)) => {
                        damaged = true;
                        println!(
                            "workspace {workspace}: entry {place} is bad ({fault:?}), {entries} before it are unchanged"
                        );
                    }
                }
            }
            if damaged {
                return Err(Error::Damaged("audit"));
            }
        }
        AdminCommand::Backup { file } => {
            let count = admin.backup(&file).await?;
            println!("{} rows of {} workspaces", count.rows, count.workspaces);
        }
        AdminCommand::Restore { file } => {
            let count = admin.restore(&file).await?;
            println!("{} rows of {} workspaces", count.rows, count.workspaces);
        }
        AdminCommand::EraseContact { workspace, contact } => admin.erase_contact(workspace, contact).await?,
        AdminCommand::Jobs { command: JobsCommand::Dead } => {
            for job in admin.dead_jobs().await? {
                let reason = job.reason.as_deref().unwrap_or("unknown");
                println!("{} {} after {} tries: {reason}", job.name, job.kind, job.attempts);
            }
        }
        AdminCommand::Jobs { command: JobsCommand::Replay { name } } => {
            if !admin.replay_job(&name).await? {
                return Err(Error::Refused(Code::NotFound, "no dead job has that name"));
            }
        }
        AdminCommand::RotateKeys => println!("data keys wrapped anew: {}", admin.rotate_keys().await?),
        AdminCommand::ShredKeys { workspace, for_good } => {
            if for_good {
                admin.shred_keys(workspace).await?;
            }
        }
        AdminCommand::Invite { workspace, email, role, inbox, mail: _ } => {
            let request = InviteRequest { email: Email::new(email), role, inboxes: inbox, teams: Vec::new() };
            let invited = admin.invite(workspace, &request).await?;
            let mailed = if invited.invitation.mailed { "mailed" } else { "not mailed: hand it over" };
            println!("invitation {}\n{mailed}\ncode {}", invited.invitation.id, invited.token.expose());
        }
        AdminCommand::ResetTwoFactor { workspace, member } => admin.reset_two_factor(workspace, member).await?,
        AdminCommand::RevokeDevice { workspace, device } => admin.revoke_device(workspace, device).await?,
    }
    Ok(())
}
