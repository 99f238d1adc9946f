//! `parley-server serve`.

use std::net::SocketAddr;

use clap::Args;
use parley_domain::protocol::session::Secret;
use parley_server::config::{Smtp, SmtpTls};
use parley_server::{App, Config, Deps, Error, Result};

#[derive(Args)]
pub struct Options {
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
}

impl Options {
    /// Puts them over what the file says.
    pub fn put(self, config: Config) -> Config {
        let listen = self.listen.unwrap_or(config.listen);
        let graph_url = self.graph_url.unwrap_or(config.graph_url.clone());
        self.mail.put(Config { listen, graph_url, behind_proxy: self.behind_proxy, ..config })
    }
}

#[derive(Args, Clone)]
pub struct Mail {
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
    /// Puts it over what the file says.
    pub fn put(self, config: Config) -> Config {
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

/// Serves until it is told to stop.
///
/// # Errors
/// It cannot start.
pub async fn serve(config: Config) -> Result<()> {
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
