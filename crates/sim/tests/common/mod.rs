//! A webhook receiver and a Graph caller for the tests. Nothing here sleeps.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use parley_sim::{FaultPlan, ManualClock, MetaSim, SimConfig};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub const NOON: i64 = 1_795_348_800_000;
pub const TOKEN: &str = "sim-access-token";
pub const SECRET: &str = "sim-app-secret";
pub const NUMBER: &str = "106540000000001";
pub const WABA: &str = "102290000000001";

/// One webhook as it came in.
#[derive(Debug, Clone)]
pub struct Post {
    pub signature: String,
    pub raw: Vec<u8>,
    pub status: u16,
}

impl Post {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap()
    }
}

#[derive(Default)]
struct Inbox {
    posts: Mutex<Vec<Post>>,
    answers: Mutex<VecDeque<u16>>,
}

/// An HTTP server that answers 200, or what it was told to.
pub struct Receiver {
    pub url: String,
    inbox: Arc<Inbox>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    pub async fn start() -> Self {
        Self::on(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn on(listener: tokio::net::TcpListener) -> Self {
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let inbox = Arc::new(Inbox::default());
        let app = Router::new().route("/hook", post(receive).get(challenge)).with_state(Arc::clone(&inbox));
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, inbox, task }
    }

    /// The next posts are answered with these statuses.
    pub fn answers(&self, statuses: &[u16]) {
        self.inbox.answers.lock().unwrap().extend(statuses);
    }

    pub fn posts(&self) -> Vec<Post> {
        self.inbox.posts.lock().unwrap().clone()
    }

    /// All `messages[]` or `statuses[]` that were answered 200, in order.
    pub fn items(&self, list: &str) -> Vec<Value> {
        let mut out = Vec::new();
        for post in self.posts().iter().filter(|post| post.status == 200) {
            for entry in post.json()["entry"].as_array().unwrap() {
                for change in entry["changes"].as_array().unwrap() {
                    out.extend(change["value"][list].as_array().cloned().unwrap_or_default());
                }
            }
        }
        out
    }

    /// The `status` words for one wamid, in order.
    pub fn statuses_of(&self, wamid: &str) -> Vec<String> {
        let of = |status: &Value| (status["id"] == wamid).then(|| status["status"].as_str().unwrap().to_owned());
        self.items("statuses").iter().filter_map(of).collect()
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let status = inbox.answers.lock().unwrap().pop_front().unwrap_or(200);
    let signature = headers.get("x-hub-signature-256").unwrap().to_str().unwrap().to_owned();
    inbox.posts.lock().unwrap().push(Post { signature, raw: body.to_vec(), status });
    StatusCode::from_u16(status).unwrap()
}

async fn challenge(Query(query): Query<std::collections::HashMap<String, String>>) -> (StatusCode, String) {
    if query["hub.mode"] == "subscribe" && query["hub.verify_token"] == "sim-verify-token" {
        (StatusCode::OK, query["hub.challenge"].clone())
    } else {
        (StatusCode::FORBIDDEN, String::new())
    }
}

/// HMAC-SHA256 written out from its definition, so that it shares nothing with the simulator's.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> String {
    let mut block = [0u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    let outer = Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize();
    hex::encode(outer)
}

/// A config with a manual clock at noon and quick retries.
pub fn quick(seed: u64) -> (SimConfig, ManualClock) {
    let clock = ManualClock::new(NOON);
    let faults = FaultPlan {
        retry_first: std::time::Duration::from_millis(1),
        retry_max: std::time::Duration::from_millis(4),
        ..FaultPlan::default()
    };
    (SimConfig { clock: clock.as_clock(), faults, ..SimConfig::new(seed) }, clock)
}

/// A simulator with a receiver.
pub async fn connected() -> (MetaSim, Receiver, ManualClock) {
    let (config, clock) = quick(7);
    let sim = MetaSim::start(config).await.unwrap();
    let receiver = Receiver::start().await;
    sim.set_webhook(&receiver.url);
    (sim, receiver, clock)
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap()
}

/// A Graph call with the right token; HTTP status and JSON.
pub async fn post_json(sim: &MetaSim, path: &str, body: &Value) -> (u16, Value) {
    let answer = client()
        .post(format!("{}{path}", sim.base_url()))
        .bearer_auth(TOKEN)
        .json(body)
        .send()
        .await
        .expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

pub async fn get_json(sim: &MetaSim, path: &str) -> (u16, Value) {
    let answer = client().get(format!("{}{path}", sim.base_url())).bearer_auth(TOKEN).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

pub async fn send(sim: &MetaSim, body: &Value) -> (u16, Value) {
    post_json(sim, &format!("/v26.0/{NUMBER}/messages"), body).await
}

pub fn text_to(to: &str, body: &str, opaque: &str) -> Value {
    json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": to, "type": "text",
           "text": {"body": body}, "biz_opaque_callback_data": opaque})
}

pub fn wamid(answer: &Value) -> String {
    answer["messages"][0]["id"].as_str().expect("a wamid").to_owned()
}
