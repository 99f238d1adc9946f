//! The platform without sockets: a caller hands it requests, and takes the webhooks from it to deliver them as it likes.
//!
//! Promise: what answers is the same Graph face; every event is in exactly one body that [`Detached::take`] gives out.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::json;
use tokio::runtime::Handle;
use tower::ServiceExt;

use crate::batch;
use crate::check::{self, Violation};
use crate::config::{FaultPlan, SimConfig};
use crate::customer::Customer;
use crate::delivery::Queue;
use crate::fault::Fault;
use crate::ids;
use crate::ledger::LedgerEntry;
use crate::listener::Cut;
use crate::platform::Platform;
use crate::sim::fresh;
use crate::{graph, wire};

/// A webhook body that waits to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// As Meta writes it.
    pub bytes: Vec<u8>,
    /// The value of `X-Hub-Signature-256`.
    pub signature: String,
}

/// A platform that does nothing by itself.
#[derive(Debug)]
pub struct Detached {
    platform: Arc<Platform>,
    router: Router,
}

impl Detached {
    /// Starts one; call it within a runtime.
    ///
    /// # Errors
    /// The ledger's file.
    pub fn new(config: SimConfig) -> std::io::Result<Self> {
        let state = fresh(&config)?;
        let queue = Arc::new(Queue::new(None));
        let platform =
            Arc::new(Platform::new(Arc::new(config), "http://127.0.0.1".to_owned(), queue, Handle::current(), state));
        Ok(Self { router: graph::router(platform.clone()), platform })
    }

    /// Finds or makes a customer, as [`crate::MetaSim::customer`].
    pub fn customer(&self, name: &str, phone: Option<&str>, username: Option<&str>) -> Customer {
        Customer::known_or_new(&self.platform, None, name, phone, username)
    }

    /// Posts JSON to a Graph path; the status and the body, or `None` when the connection was cut. `fault` is that of this send.
    pub async fn post(&self, path: &str, token: &str, body: Vec<u8>, fault: Option<Fault>) -> Option<(u16, Vec<u8>)> {
        if let Some(fault) = fault {
            self.platform.lock().next_sends.push_back(fault);
        }
        let cut = Cut::default();
        let request = Request::post(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .extension(ConnectInfo(cut.clone()))
            .body(Body::from(body))
            .ok()?;
        let answer = self.router.clone().oneshot(request).await.ok()?;
        // A fault that no send met is not kept for another one.
        self.platform.lock().next_sends.clear();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.ok()?;
        (!cut.is_cut()).then(|| (status, body.to_vec()))
    }

    /// What was raised since this was asked last, one event a body.
    #[must_use]
    pub fn take(&self) -> Vec<Posted> {
        let config = &self.platform.config;
        // Without misbehaviour nothing is drawn.
        let mut rng = ids::webhook_randomness(config.seed);
        let calm = FaultPlan::default();
        let bodies = batch::plan(&mut rng, &calm, config, self.platform.queue.take());
        bodies
            .into_iter()
            .map(|planned| {
                let bytes = wire::render(&planned.body);
                Posted { signature: wire::signature(&config.app_secret, &bytes), bytes }
            })
            .collect()
    }

    /// Puts bodies together as Meta batches them.
    #[must_use]
    pub fn together(&self, bodies: &[Posted]) -> Posted {
        let entries: Vec<serde_json::Value> = bodies
            .iter()
            .filter_map(|one| serde_json::from_slice::<serde_json::Value>(&one.bytes).ok())
            .flat_map(|body| body["entry"].as_array().cloned().unwrap_or_default())
            .collect();
        let bytes = wire::render(&json!({"object": "whatsapp_business_account", "entry": entries}));
        Posted { signature: wire::signature(&self.platform.config.app_secret, &bytes), bytes }
    }

    /// Every accepted send.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.platform.lock().ledger.entries().to_vec()
    }

    /// What the ledger holds against the business.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        check::check(self.platform.lock().ledger.entries())
    }
}
