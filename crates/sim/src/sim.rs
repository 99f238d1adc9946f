//! Starts and steers a platform.
//!
//! Promise: everything a test needs is a method here; dropping the [`MetaSim`] frees the port and stops all deliveries.

use std::collections::BTreeMap;
use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::check::{self, Violation};
use crate::config::SimConfig;
use crate::customer::Customer;
use crate::delivery::{self, Counts, Queue};
use crate::event::What;
use crate::fault::Fault;
use crate::ids::{self, Mint};
use crate::ledger::{Ledger, LedgerEntry};
use crate::listener::{Cut, CutListener};
use crate::platform::{Platform, State};
use crate::template::{self, Template};
use crate::{control, graph};

/// Why a platform could not start, or a webhook could not be verified.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The port or the ledger file.
    #[error("input or output failed: {0}")]
    Io(#[from] std::io::Error),
    /// The client that posts webhooks.
    #[error("the http client failed: {0}")]
    Http(#[from] reqwest::Error),
    /// The webhook did not echo the challenge (`meta-platform.md` §1.1).
    #[error("the webhook did not verify: {0}")]
    Verification(String),
}

/// A running platform.
#[derive(Debug)]
pub struct MetaSim {
    platform: Arc<Platform>,
    client: reqwest::Client,
    delivery: JoinHandle<()>,
    server: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

/// A client that cannot speak TLS to anybody, which suits loopback, and that no proxy setting can lead astray.
pub(crate) fn loopback_client() -> Result<reqwest::Client, reqwest::Error> {
    // Only the first installation in a process counts, whoever made it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(30)).build()
}

/// A platform where nothing happened yet.
pub(crate) fn fresh(config: &SimConfig) -> std::io::Result<State> {
    Ok(State {
        mint: Mint::new(config.seed, (config.clock)()),
        send_rng: ids::send_randomness(config.seed),
        people: Vec::new(),
        inbound: HashMap::new(),
        outbound: HashMap::new(),
        media: HashMap::new(),
        templates: template::starting_set(),
        next_sends: VecDeque::new(),
        ledger: Ledger::open(config.ledger_path.as_deref())?,
        token: config.access_token.clone(),
        subscribed: true,
        number_rate: HashMap::new(),
        pair_rate: HashMap::new(),
        refused: BTreeMap::new(),
        faults: BTreeMap::new(),
        read_marks: Vec::new(),
    })
}

impl MetaSim {
    /// Binds the port, opens the ledger, starts delivering.
    pub async fn start(config: SimConfig) -> Result<Self, SimError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let client = loopback_client()?;
        let state = fresh(&config)?;
        let config = Arc::new(config);
        let queue = Arc::new(Queue::new(config.webhook_url.clone()));
        let runtime = tokio::runtime::Handle::current();
        let platform = Arc::new(Platform::new(Arc::clone(&config), base_url, Arc::clone(&queue), runtime, state));
        let delivery = tokio::spawn(delivery::run(config, queue, client.clone()));
        let (stop, stopped) = oneshot::channel::<()>();
        let routes = graph::router(Arc::clone(&platform)).merge(control::router(Arc::clone(&platform)));
        let app = routes.into_make_service_with_connect_info::<Cut>();
        let server = tokio::spawn(async move {
            let until = async move { drop(stopped.await) };
            if let Err(error) = axum::serve(CutListener(listener), app).with_graceful_shutdown(until).await {
                tracing::error!(%error, "the Graph face stopped");
            }
        });
        Ok(Self { platform, client, delivery, server, stop: Some(stop) })
    }

    /// E.g. `http://127.0.0.1:49321`; Graph paths begin `/v26.0/`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.platform.base_url
    }

    /// The configuration it was started with.
    #[must_use]
    pub fn config(&self) -> &SimConfig {
        &self.platform.config
    }

    /// Finds or makes a customer. Same name, phone and username: same person.
    pub fn customer(&self, name: &str, phone: Option<&str>, username: Option<&str>) -> Customer {
        Customer::known_or_new(&self.platform, None, name, phone, username)
    }

    /// The same for a customer whose country no phone tells; `country` is two capital letters.
    pub fn customer_in(&self, country: &str, name: &str, phone: Option<&str>, username: Option<&str>) -> Customer {
        Customer::known_or_new(&self.platform, Some(country), name, phone, username)
    }

    /// Points webhooks at a url; whatever waits goes there at once.
    pub fn set_webhook(&self, url: &str) {
        self.platform.queue.set_url(Some(url.to_owned()));
    }

    /// Asks the webhook for its challenge, as Meta does whenever a url is set.
    pub async fn verify_webhook(&self) -> Result<(), SimError> {
        let Some(url) = self.platform.queue.url() else {
            return Err(SimError::Verification("no url is set".into()));
        };
        let challenge = self.platform.lock().mint.number_id();
        let mark = if url.contains('?') { '&' } else { '?' };
        // The token is the caller's own text; everything but letters and digits is percent-encoded.
        let token: String = self.config().verify_token.bytes().map(percent).collect();
        let url = format!("{url}{mark}hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={token}");
        let answer = self.client.get(url).send().await?;
        let status = answer.status().as_u16();
        let body = answer.text().await?;
        if status == 200 && body == challenge {
            Ok(())
        } else {
            Err(SimError::Verification(format!("status {status}")))
        }
    }

    /// Stops (`true`) or resumes webhook delivery.
    pub fn hold(&self, on: bool) {
        self.platform.queue.hold(on);
    }

    /// Waits until everything raised so far was answered 200. Never returns while held or without a webhook.
    pub async fn drain(&self) {
        self.platform.queue.drained().await;
    }

    /// Events and bodies not yet answered 200.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.platform.queue.pending()
    }

    /// What the delivery has done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.platform.queue.counts()
    }

    /// The next send that passes the token meets this fault; several queue up.
    pub fn next_send(&self, fault: Fault) {
        self.platform.lock().next_sends.push_back(fault);
    }

    /// Every accepted send of this run.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.platform.lock().ledger.entries().to_vec()
    }

    /// Waits until at least `n` sends were accepted.
    pub async fn accepted(&self, n: usize) {
        // The sender lives as long as self.
        let _ = self.platform.accepted.subscribe().wait_for(|have| *have >= n).await;
    }

    /// What the ledger holds against the business.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        check::check(self.platform.lock().ledger.entries())
    }

    /// How often each error code was answered.
    #[must_use]
    pub fn refused(&self) -> BTreeMap<i64, u64> {
        self.platform.lock().refused.clone()
    }

    /// Customers' messages that were marked read, in order; true where a typing indicator came with it.
    #[must_use]
    pub fn read_marks(&self) -> Vec<(String, bool)> {
        self.platform.lock().read_marks.clone()
    }

    /// Replaces the only accepted token: the old one is answered 190.
    pub fn set_access_token(&self, token: &str) {
        self.platform.lock().token = token.to_owned();
    }

    /// Adds a template or replaces the one of the same name and language, and tells by webhook.
    pub fn set_template(&self, template: Template) {
        let mut state = self.platform.lock();
        let value = json!({
            "event": template.status, "message_template_id": template.id.parse::<u64>().unwrap_or_default(),
            "message_template_name": template.name, "message_template_language": template.language,
            "message_template_category": template.category, "reason": "NONE",
        });
        state.templates.retain(|one| (&one.name, &one.language) != (&template.name, &template.language));
        state.templates.push(template);
        self.platform.raise(&state, 0, What::Raw { field: "message_template_status_update".into(), value });
    }

    /// Raises any webhook field with any value.
    pub fn raises(&self, field: &str, value: Value) {
        let state = self.platform.lock();
        self.platform.raise(&state, 0, What::Raw { field: field.to_owned(), value });
    }

    /// The state that `GET /_sim/state` shows.
    #[must_use]
    pub fn state(&self) -> Value {
        control::state(&self.platform)
    }
}

fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

impl Drop for MetaSim {
    fn drop(&mut self) {
        self.delivery.abort();
        // Idle connections end in order; those that a fault holds end with the runtime.
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.server.abort();
    }
}
