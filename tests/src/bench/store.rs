//! The desk's replica with 100,000 messages in 500 conversations: first sync, opening, switching, searching, and how long Send
//! takes to be durable while the first sync runs. Engine and server run in this process, over real HTTP on loopback.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parley_client::keys::MemoryVault;
use parley_client::views::{ConnectionState, Phase, View};
use parley_client::{Engine, EngineConfig, os};
use parley_domain::ConversationId;
use parley_meta::webhook::signature::sign;
use parley_server::Database;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use xtask::failure::Failure;

use super::{Figure, figure, series};
use crate::Fallible;
use crate::inside::Inside;
use crate::stack::{APP_SECRET, RHEA};

const MESSAGES: usize = 100_000;
const CONVERSATIONS: usize = 500;
const PER_BODY: usize = 100;
/// What messages are made of.
pub const WORDS: [&str; 24] = [
    "lamp",
    "brass",
    "order",
    "delivery",
    "please",
    "thank",
    "walnut",
    "linen",
    "shade",
    "when",
    "price",
    "colour",
    "available",
    "address",
    "payment",
    "invoice",
    "tomorrow",
    "today",
    "size",
    "return",
    "exchange",
    "discount",
    "catalogue",
    "photo",
];

/// Fills a server, signs a desk in, measures.
pub async fn measure() -> Fallible<Vec<Figure>> {
    let server = Inside::start(Database::Sqlite).await?;
    // Nobody listens there: sends stay in the server's outbox.
    server.connect("100", "500", Some("http://127.0.0.1:9".into())).await?;
    fill(&server).await?;

    let folder = tempfile::tempdir()?;
    let config = EngineConfig {
        base_dir: folder.path().to_owned(),
        vault: Arc::new(MemoryVault::default()),
        clock: Arc::new(os::SystemClock),
        randomness: Arc::new(os::OsRandomness),
    };
    let mut figures = Vec::new();
    let engine = Engine::start(config.clone()).await;
    let started = Instant::now();
    engine.sign_in(&server.address(), RHEA.email, RHEA.password, "bench", None).await?;
    let mut first = None;
    let mut sends = Vec::new();
    loop {
        let page = engine.conversations(View::AllOpen, None, 50).await?;
        if first.is_none() && page.rows.len() >= 50 {
            first = Some(started.elapsed());
        }
        let connection = engine.connection();
        if connection.state == ConnectionState::Online && connection.syncing.is_none() && connection.heard_at.is_some()
        {
            break;
        }
        if let Some(row) = page.rows.first() {
            let pressed = Instant::now();
            engine.send_reply(row.id, "On its way", None, None).await?;
            sends.push(pressed.elapsed().as_secs_f64() * 1_000.0);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let synced = started.elapsed();
    let rows = engine.held().await?.len();
    figures.push(figure("first sync: rows stored", rows as f64, "rows"));
    figures.push(figure("first sync: rate", rows as f64 / synced.as_secs_f64(), "rows/s"));
    figures.push(figure(
        "first sync: 50 conversations to be seen after",
        first.unwrap_or(synced).as_secs_f64() * 1_000.0,
        "ms",
    ));
    figures.push(figure("Send during the first sync, sends", sends.len() as f64, "sends"));
    figures.extend(series("Send durable and shown, during the first sync", &mut sends));
    engine.close().await;

    let mut opens = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let engine = Engine::start(config.clone()).await;
        while !matches!(engine.phase(), Phase::Ready { .. }) {
            tokio::task::yield_now().await;
        }
        let page = engine.conversations(View::AllOpen, None, 50).await?;
        opens.push(started.elapsed().as_secs_f64() * 1_000.0);
        if page.rows.iter().any(|row| row.preview.is_none()) || page.rows.len() < 50 {
            return Err(Failure::new("the inbox came without previews"));
        }
        engine.close().await;
    }
    figures.extend(series("inbox ready: open and first 50 conversations with previews", &mut opens));

    let engine = Engine::start(config).await;
    while !matches!(engine.phase(), Phase::Ready { .. }) {
        tokio::task::yield_now().await;
    }
    let ids: Vec<ConversationId> =
        engine.conversations(View::AllOpen, None, 500).await?.rows.into_iter().map(|row| row.id).collect();
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut switches = Vec::new();
    for _ in 0..1_000 {
        let id = *ids.get(random.random_range(0..ids.len())).ok_or_else(|| Failure::new("no conversation"))?;
        let started = Instant::now();
        engine.timeline(id, None, 50).await?;
        switches.push(started.elapsed().as_secs_f64() * 1_000.0);
    }
    figures.extend(series("switch: newest 50 entries of a conversation", &mut switches));
    for (what, word) in [("common word", "brass"), ("rare word", "needle77"), ("prefix", "cata")] {
        let mut searches = Vec::new();
        for _ in 0..200 {
            let started = Instant::now();
            let found = engine.search(word, 20).await?;
            searches.push(started.elapsed().as_secs_f64() * 1_000.0);
            if found.messages.is_empty() {
                return Err(Failure::new(format!("nothing found for {word}")));
            }
        }
        figures.extend(series(&format!("search, {what}"), &mut searches));
    }
    engine.close().await;
    server.stop().await;
    Ok(figures)
}

#[expect(clippy::disallowed_methods, reason = "the messages have to be of today, or the service window is closed")]
fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

async fn fill(server: &Inside) -> Fallible {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let now = now_seconds();
    for body in 0..MESSAGES / PER_BODY {
        let messages: Vec<Value> = (0..PER_BODY)
            .map(|place| {
                let number = body * PER_BODY + place;
                let mut words: Vec<&str> = (0..18).filter_map(|_| WORDS.get(random.random_range(0..WORDS.len())).copied()).collect();
                let rare = format!("needle{}", number % 1_000);
                words.push(&rare);
                json!({
                    "from": format!("4915100{:05}", random.random_range(0..CONVERSATIONS)), "id": format!("wamid.{number}"),
                    "timestamp": (now - 3_600 + (number / 40) as u64).to_string(), "type": "text", "text": {"body": words.join(" ")},
                })
            })
            .collect();
        let value = json!({"metadata": {"phone_number_id": "500", "display_phone_number": "15550100001"}, "messages": messages});
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "100", "changes": [{"field": "messages", "value": value}]}]});
        let bytes = body.to_string().into_bytes();
        if server.post(&bytes, Some(&sign(APP_SECRET.as_bytes(), &bytes))).await? != 200 {
            return Err(Failure::new("a body was refused"));
        }
    }
    while (server.count("SELECT COUNT(*) FROM message").await?.unsigned_abs() as usize) < MESSAGES {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
