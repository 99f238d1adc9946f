//! Numbers for a monitor: counts and latencies, by route and result. No label ever holds an id, a name, an address or a text.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::Arc;

use crate::app::Core;
use crate::db::{outbox, raw};
use crate::error::{Error, Result};

/// Upper bounds of latencies, in seconds.
const BOUNDS: [f64; 9] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Route {
    /// The template, never the path.
    route: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Answered {
    route: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Queue {
    queue: &'static str,
}

fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

/// The server's numbers.
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    sends: Family<Outcome, Counter>,
    applied: Counter,
    apply_seconds: Histogram,
    /// Open sockets.
    pub sockets: Gauge,
    depth: Family<Queue, Gauge<i64, std::sync::atomic::AtomicI64>>,
    scrapes: Counter<u64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("parley"),
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            sends: Family::default(),
            applied: Counter::default(),
            apply_seconds: histogram(),
            sockets: Gauge::default(),
            depth: Family::default(),
            scrapes: Counter::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests by route and status", metrics.requests.clone());
        registry.register("request_seconds", "Time to answer by route", metrics.seconds.clone());
        registry.register("sends", "Messages handed to Meta by result", metrics.sends.clone());
        registry.register("applied_rounds", "Rounds of webhooks applied", metrics.applied.clone());
        registry.register("apply_seconds", "Time of a round", metrics.apply_seconds.clone());
        registry.register("sockets", "Open sockets", metrics.sockets.clone());
        registry.register("queue_depth", "Rows that wait", metrics.depth.clone());
        registry.register("scrapes", "Times that this was read", metrics.scrapes.clone());
        metrics
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// A message was handed to Meta, or was not.
    pub fn sent(&self, result: &'static str) {
        self.sends.get_or_create(&Outcome { result }).inc();
    }

    /// A round of webhooks was applied.
    pub fn applied(&self, since: Instant) {
        self.applied.inc();
        self.apply_seconds.observe(since.elapsed().as_secs_f64());
    }

    fn answered(&self, route: String, status: StatusCode, since: Instant) {
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(since.elapsed().as_secs_f64());
        self.requests.get_or_create(&Answered { route, status: status.as_u16() }).inc();
    }
}

/// Counts every request under the template of its route.
pub async fn count(State(core): State<Arc<Core>>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());
    let since = Instant::now();
    let answer = next.run(request).await;
    core.metrics.answered(route, answer.status(), since);
    answer
}

/// Everything as text in the OpenMetrics form; depths of queues are read now.
///
/// # Errors
/// The database failed.
pub async fn read(core: &Core) -> Result<String> {
    let metrics = &core.metrics;
    metrics.scrapes.inc();
    let (bodies, waiting, dead) = raw::counts(&core.db).await?;
    let outgoing = outbox::count_rows(core.db.reader()).await?;
    for (queue, depth) in [("bodies", bodies), ("items_waiting", waiting), ("items_dead", dead), ("outbox", outgoing)] {
        metrics.depth.get_or_create(&Queue { queue }).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }
    let mut text = String::new();
    encode(&mut text, &metrics.registry).map_err(|_| Error::Damaged("metrics"))?;
    Ok(text)
}
