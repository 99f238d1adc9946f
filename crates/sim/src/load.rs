//! Open-loop load: signed text webhooks at a fixed rate, whatever the receiver does.
//!
//! Promise: the rate does not bend to slow answers, so waiting shows up in the latencies instead of hiding them. Latency is
//! counted from the moment an event was due.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::{self, Stopwatch};
use crate::config::SimConfig;
use crate::ids::{self, Mint};
use crate::sim::{SimError, loopback_client};
use crate::wire;

/// What to generate.
#[derive(Debug, Clone, Deserialize)]
pub struct Plan {
    /// Bodies a second, one message each.
    pub events_per_second: u32,
    /// For how long.
    pub seconds: u32,
    /// Different senders (100).
    pub customers: Option<usize>,
    /// Most requests in flight (256); those beyond wait, and their wait is counted.
    pub concurrency: Option<usize>,
}

/// What came of it. Latencies in milliseconds from due to answered.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Bodies posted.
    pub posted: usize,
    /// Answered 200.
    pub answered: usize,
    /// Answered per second over the whole run.
    pub per_second: f64,
    /// Median.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// Worst.
    pub max_ms: f64,
}

/// Runs a plan against a webhook url with the config's secret and first number.
pub async fn run(config: &SimConfig, url: &str, plan: &Plan) -> Result<Report, SimError> {
    let client = loopback_client()?;
    let bodies = bodies(config, plan);
    let posted = bodies.len();
    let gap = Duration::from_secs_f64(1.0 / f64::from(plan.events_per_second.max(1)));
    let room = Arc::new(Semaphore::new(plan.concurrency.unwrap_or(256).max(1)));
    let watch = Stopwatch::start();
    let start = clock::tick();
    let mut flying = JoinSet::new();
    for (at, (body, signature)) in bodies.into_iter().enumerate() {
        let due = gap * u32::try_from(at).unwrap_or(u32::MAX);
        tokio::time::sleep_until(start + due).await;
        let (client, url, room) = (client.clone(), url.to_owned(), Arc::clone(&room));
        flying.spawn(async move {
            let _place = room.acquire_owned().await.ok();
            let request = client
                .post(url)
                .header("content-type", "application/json")
                .header("x-hub-signature-256", signature)
                .body(body);
            let answered = request.send().await.is_ok_and(|answer| answer.status().as_u16() == 200);
            (answered, watch.elapsed().saturating_sub(due))
        });
    }
    let mut latencies = Vec::with_capacity(posted);
    let mut answered = 0;
    while let Some(done) = flying.join_next().await {
        if let Ok((ok, latency)) = done {
            answered += usize::from(ok);
            latencies.push(latency.as_secs_f64() * 1000.0);
        }
    }
    latencies.sort_by(f64::total_cmp);
    let rank = |share: f64| {
        latencies
            .get(((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    };
    let per_second = answered as f64 / watch.elapsed().as_secs_f64().max(f64::EPSILON);
    Ok(Report { posted, answered, per_second, p50_ms: rank(0.5), p99_ms: rank(0.99), max_ms: rank(1.0) })
}

/// Bodies are made and signed beforehand, so that the generator's own work does not count.
fn bodies(config: &SimConfig, plan: &Plan) -> Vec<(Vec<u8>, String)> {
    let now = (config.clock)();
    // Apart from the stories' people and wamids.
    let seed = config.seed ^ 0x10ad;
    let mut mint = Mint::new(seed, now);
    let people = plan.customers.unwrap_or(100).max(1);
    let users: Vec<String> = (0..people).map(|at| ids::bsuid(seed, "IN", at)).collect();
    let Some(number) = config.numbers.first() else { return Vec::new() };
    let total = plan.events_per_second as usize * plan.seconds as usize;
    (0..total)
        .map(|at| {
            let user = &users[at % people];
            let phone = format!("9199{:08}", at % people);
            let body = json!({"object": "whatsapp_business_account", "entry": [{"id": config.waba_id, "changes": [{"field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": number.digits(), "phone_number_id": number.phone_number_id},
                "contacts": [{"profile": {"name": format!("Visitor {}", at % people)}, "wa_id": phone, "user_id": user}],
                "messages": [{"from": phone, "from_user_id": user, "id": mint.wamid(), "timestamp": (now / 1000).to_string(), "type": "text",
                    "text": {"body": format!("Is lamp number {at} still available?")}}],
            }}]}]});
            let bytes = wire::render(&body);
            let signature = wire::signature(&config.app_secret, &bytes);
            (bytes, signature)
        })
        .collect()
}
