//! Two hundred desks on fifty inboxes, each in scope of one, while a thousand rows a second change in their workspace: how long
//! until a customer's message can be read on a desk, and what that costs. The desks are engines without a window in this
//! process, each with its own encrypted files; the server is another process on the same machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parley_client::keys::MemoryVault;
use parley_client::views::{ConnectionState, View};
use parley_client::{Engine, EngineConfig, os};
use parley_domain::content::Content;
use parley_domain::permission::Role;
use parley_domain::protocol::session::Secret;
use parley_domain::{ConversationId, WorkspaceId};
use parley_meta::webhook::signature::{HEADER, sign};
use parley_server::admin::{NewMember, NewWhatsapp};
use parley_server::{App, Config, Deps};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use tempfile::TempDir;
use xtask::failure::Failure;

use super::{Figure, figure, series};
use crate::Fallible;
use crate::meta::http;
use crate::stack::{ACCESS_TOKEN, APP_ID, APP_SECRET, Database, Stack};

const INBOXES: usize = 50;
const DESKS: usize = 4;
const CUSTOMERS: usize = 4;
/// Each changes two rows: the message and its conversation.
const MESSAGES_PER_SECOND: u64 = 500;
const SECONDS: u64 = 20;
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
const PASSWORD: &str = "a-fleet-of-lanterns-93";

struct Desk {
    engine: Engine,
    conversations: Vec<ConversationId>,
    _folder: TempDir,
}

/// Sets everything up, loads it, samples.
pub async fn measure(logs: &Path) -> Fallible<Vec<Figure>> {
    let mut stack = Stack::start_quiet(Database::Sqlite, logs, &[]).await?;
    stack.stop_server()?;
    populate(&stack).await?;
    stack.start_server()?;
    let poster = Arc::new(Poster {
        http: http(),
        url: format!("{}/webhooks/meta/{APP_ID}", stack.address()),
        sent: AtomicUsize::new(0),
    });
    for inbox in 0..INBOXES {
        for customer in 0..CUSTOMERS {
            poster.says(inbox, customer, "Hello").await?;
        }
    }
    let mut desks: Vec<Vec<Desk>> = Vec::new();
    for inbox in 0..INBOXES {
        let opening = (0..DESKS).map(|_| open(&stack, inbox));
        desks.push(futures_util::future::join_all(opening).await.into_iter().collect::<Fallible<_>>()?);
    }

    let (server_before, own_before, started) = (stack.server_seconds()?, own_seconds()?, Instant::now());
    let stop = Arc::new(AtomicBool::new(false));
    let (load, until) = (poster.clone(), stop.clone());
    let generator = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / MESSAGES_PER_SECOND));
        let mut flying = tokio::task::JoinSet::new();
        let mut number = 0usize;
        while !until.load(Ordering::Relaxed) {
            ticks.tick().await;
            let load = load.clone();
            number += 1;
            let (inbox, customer) = (number % INBOXES, (number / INBOXES) % CUSTOMERS);
            flying.spawn(async move { load.says(inbox, customer, "Is it there yet?").await });
            while flying.try_join_next().is_some() {}
        }
        while flying.join_next().await.is_some() {}
    });
    let mut random = ChaCha8Rng::seed_from_u64(40);
    let mut latencies = Vec::new();
    while started.elapsed() < Duration::from_secs(SECONDS) {
        let (inbox, customer) = (random.random_range(0..INBOXES), random.random_range(0..CUSTOMERS));
        let desk = desks.get(inbox).and_then(|desks| desks.get(random.random_range(0..DESKS)));
        let desk = desk.ok_or_else(|| Failure::new("no such desk"))?;
        latencies.push(sample(&poster, desk, inbox, customer).await?);
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
    let seconds = started.elapsed().as_secs_f64();
    let (server, own) = (stack.server_seconds()? - server_before, own_seconds()? - own_before);
    stop.store(true, Ordering::Relaxed);
    generator.await.map_err(|_| Failure::new("the generator failed"))?;

    let sent = poster.sent.load(Ordering::Relaxed) - INBOXES * CUSTOMERS;
    let mut figures = vec![
        figure("desks, each in scope of one of 50 inboxes", (INBOXES * DESKS) as f64, "desks"),
        figure("customers' messages, each changes two rows", sent as f64 / seconds, "messages/s"),
    ];
    figures.extend(series("customer pressed send → readable on a desk in scope", &mut latencies));
    figures.push(figure("processor of the server", server / seconds * 100.0, "% of a core"));
    figures.push(figure("processor of the 200 desks and the generator", own / seconds * 100.0, "% of a core"));
    for desk in desks.into_iter().flatten() {
        desk.engine.close().await;
    }
    Ok(figures)
}

/// Connects the inboxes and adds one member for each.
async fn populate(stack: &Stack) -> Fallible {
    let mut config = Config::new(stack.folder().join("server"));
    config.database = stack.database();
    let app = App::open(config, Deps::system()).await?;
    let workspace: WorkspaceId = super::server::one(app.db(), "SELECT id FROM workspace").await?.into();
    for number in 0..INBOXES {
        let new = NewWhatsapp {
            name: format!("Inbox {number}"),
            app: APP_ID.into(),
            app_secret: Secret::new(APP_SECRET),
            verify_token: Secret::new("sim-verify-token"),
            waba: "102290000000001".into(),
            phone_number_id: phone_number_id(number).as_str().into(),
            display_phone: format!("+1 555-020-{number:04}").as_str().into(),
            token: Secret::new(ACCESS_TOKEN),
            graph_url: None,
        };
        let inbox = app.admin().connect_whatsapp(workspace, new).await?;
        let new = NewMember {
            name: format!("Agent {number}").as_str().into(),
            email: email(number).as_str().into(),
            password: Secret::new(PASSWORD),
            role: Role::Agent,
        };
        let member = app.admin().add_member(workspace, new).await?;
        app.admin().grant_inbox(workspace, member, inbox).await?;
    }
    app.close().await;
    Ok(())
}

fn phone_number_id(inbox: usize) -> String {
    format!("2065400000{inbox:05}")
}

fn email(inbox: usize) -> String {
    format!("agent{inbox}@casalumen.example")
}

async fn open(stack: &Stack, inbox: usize) -> Fallible<Desk> {
    let folder = tempfile::tempdir()?;
    let engine = Engine::start(EngineConfig {
        base_dir: folder.path().to_owned(),
        vault: Arc::new(MemoryVault::default()),
        clock: Arc::new(os::SystemClock),
        randomness: Arc::new(os::OsRandomness),
    })
    .await;
    engine.sign_in(&stack.address(), &email(inbox), PASSWORD, "fleet", None).await?;
    let started = Instant::now();
    loop {
        let connection = engine.connection();
        let rows = engine.conversations(View::AllOpen, None, 50).await?.rows;
        if connection.state == ConnectionState::Online && connection.syncing.is_none() && rows.len() == CUSTOMERS {
            let mut conversations = vec![ConversationId(uuid::Uuid::nil()); CUSTOMERS];
            for row in rows {
                let name = row.name.map(|name| name.expose().to_owned()).unwrap_or_default();
                let customer = name.rsplit(' ').next().and_then(|number| number.parse::<usize>().ok());
                if let Some(place) = customer.and_then(|customer| conversations.get_mut(customer)) {
                    *place = row.id;
                }
            }
            return Ok(Desk { engine, conversations, _folder: folder });
        }
        if started.elapsed() > Duration::from_secs(60) {
            return Err(Failure::new("a desk did not get its inbox"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Milliseconds from the customer's pressing send until the desk can show it.
async fn sample(poster: &Poster, desk: &Desk, inbox: usize, customer: usize) -> Fallible<f64> {
    let text = format!("sample {}", poster.sent.load(Ordering::Relaxed));
    let conversation = *desk.conversations.get(customer).ok_or_else(|| Failure::new("no such customer"))?;
    let pressed = Instant::now();
    poster.says(inbox, customer, &text).await?;
    loop {
        let page = desk.engine.timeline(conversation, None, 20).await?;
        let there = page
            .entries
            .iter()
            .any(|entry| matches!(&entry.content, Content::Text { body, .. } if body.expose() == text));
        if there {
            return Ok(pressed.elapsed().as_secs_f64() * 1_000.0);
        }
        if pressed.elapsed() > Duration::from_secs(30) {
            return Err(Failure::new("a message never came to a desk"));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Customers of all inboxes.
struct Poster {
    http: reqwest::Client,
    url: String,
    sent: AtomicUsize,
}

impl Poster {
    async fn says(&self, inbox: usize, customer: usize, text: &str) -> Fallible {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let phone = format!("4915{inbox:03}{customer:04}");
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "102290000000001", "changes": [{
            "field": "messages",
            "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "15550200000", "phone_number_id": phone_number_id(inbox)},
                "contacts": [{"wa_id": phone, "profile": {"name": format!("Customer {customer}")}}],
                "messages": [{
                    "from": phone, "id": format!("wamid.fleet{number:08}"),
                    "timestamp": (1_795_000_000 + number / 1_000).to_string(), "type": "text", "text": {"body": text},
                }],
            },
        }]}]})
        .to_string();
        let signed = sign(APP_SECRET.as_bytes(), body.as_bytes());
        let request = self.http.post(&self.url).header("content-type", "application/json").header(HEADER, signed);
        request.body(body).send().await?.error_for_status()?;
        Ok(())
    }
}

/// Processor time of this process, in seconds.
fn own_seconds() -> Fallible<f64> {
    crate::stack::seconds_of("self")
}
