//! The control face: other processes steer the platform over `/_sim/…`.
//!
//! | call | body | answer |
//! |---|---|---|
//! | `POST /_sim/customer` | `{name, phone?, username?, country?, online?, reads_at_once?, blocks?}` | `{user_id, name, phone?, username?}` |
//! | `POST /_sim/say` | `{customer, text, number?, quoting?}` | `{wamid}` |
//! | `POST /_sim/order` | `{customer, catalog_id, items:[{product_retailer_id, quantity, item_price, currency}], text?, number?}` | `{wamid}` |
//! | `POST /_sim/image` | `{customer, caption?, number?}` | `{wamid}` |
//! | `POST /_sim/react` | `{customer, wamid, emoji}` | `{wamid}` |
//! | `POST /_sim/message` | `{customer, type, object, quoting?, number?}`: any type | `{wamid}` |
//! | `POST /_sim/read` | `{customer, wamid?}`: all delivered ones without a wamid | `{read}` |
//! | `POST /_sim/next_send` | `{fault: {kind, …}}` or `{fault: "kind"}`, `times?` | `{}` |
//! | `POST /_sim/webhook` | `{url}` | `{}` |
//! | `POST /_sim/hold` | `{on}` | `{}` |
//! | `POST /_sim/raise` | `{field, value}`: any webhook field | `{}` |
//! | `POST /_sim/token` | `{access_token}` | `{}` |
//! | `POST /_sim/drain` | `{timeout_ms?}` (30 000) | `{drained, pending}`; 504 if not drained |
//! | `POST /_sim/load` | `{events_per_second, seconds, customers?, concurrency?}` | [`crate::load::Report`] |
//! | `GET /_sim/ledger` | | `[LedgerEntry]` |
//! | `GET /_sim/state` | | customers, counts, pending, violations, refusals, faults |
//!
//! `customer` is a user id or a name. Errors: 400 `{"error": text}`. No token: the port is loopback and the process a toy.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::check;
use crate::customer::{Customer, OrderItem};
use crate::event::What;
use crate::fault::Fault;
use crate::ledger::LedgerEntry;
use crate::load;
use crate::platform::Platform;

type Sim = Arc<Platform>;
type Answer = Result<Json<Value>, Wrong>;

/// What the caller got wrong.
struct Wrong(String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, Json(json!({"error": self.0}))).into_response()
    }
}

/// All control routes.
pub fn router(platform: Sim) -> Router {
    Router::new()
        .route("/_sim/customer", post(customer))
        .route("/_sim/say", post(say))
        .route("/_sim/order", post(order))
        .route("/_sim/image", post(image))
        .route("/_sim/react", post(react))
        .route("/_sim/message", post(message))
        .route("/_sim/read", post(read))
        .route("/_sim/next_send", post(next_send))
        .route("/_sim/webhook", post(webhook))
        .route("/_sim/hold", post(hold))
        .route("/_sim/raise", post(raise))
        .route("/_sim/token", post(token))
        .route("/_sim/drain", post(drain))
        .route("/_sim/load", post(generate_load))
        .route("/_sim/ledger", get(ledger))
        .route("/_sim/state", get(show_state))
        .with_state(platform)
}

fn wrong(text: impl Into<String>) -> Wrong {
    Wrong(text.into())
}

fn find(platform: &Sim, who: &str, number: Option<&str>) -> Result<Customer, Wrong> {
    let at = platform.lock().people.iter().position(|person| person.user_id == who || person.name == who);
    let customer = at.map(|at| Customer::at(platform, at)).ok_or_else(|| wrong("no such customer"))?;
    match number {
        None => Ok(customer),
        Some(id) if platform.number(id).is_some() => Ok(customer.writing_to(id)),
        Some(_) => Err(wrong("no such number")),
    }
}

#[derive(Deserialize)]
struct NewCustomer {
    name: String,
    phone: Option<String>,
    username: Option<String>,
    country: Option<String>,
    online: Option<bool>,
    reads_at_once: Option<bool>,
    blocks: Option<bool>,
}

async fn customer(State(platform): State<Sim>, Json(new): Json<NewCustomer>) -> Answer {
    let customer = Customer::known_or_new(
        &platform,
        new.country.as_deref(),
        &new.name,
        new.phone.as_deref(),
        new.username.as_deref(),
    );
    if let Some(on) = new.online {
        customer.online(on);
    }
    if let Some(on) = new.reads_at_once {
        customer.reads_at_once(on);
    }
    if let Some(on) = new.blocks {
        customer.blocks(on);
    }
    Ok(Json(
        json!({"user_id": customer.user_id(), "name": new.name, "phone": customer.phone(), "username": new.username}),
    ))
}

#[derive(Deserialize)]
struct Say {
    customer: String,
    text: String,
    number: Option<String>,
    quoting: Option<String>,
}

async fn say(State(platform): State<Sim>, Json(say): Json<Say>) -> Answer {
    let customer = find(&platform, &say.customer, say.number.as_deref())?;
    let wamid = customer.sends("text", json!({"body": say.text}), say.quoting.as_deref());
    Ok(Json(json!({"wamid": wamid})))
}

#[derive(Deserialize)]
struct Order {
    customer: String,
    catalog_id: String,
    items: Vec<OrderItem>,
    #[serde(default)]
    text: String,
    number: Option<String>,
}

async fn order(State(platform): State<Sim>, Json(order): Json<Order>) -> Answer {
    let customer = find(&platform, &order.customer, order.number.as_deref())?;
    Ok(Json(json!({"wamid": customer.orders(&order.catalog_id, &order.items, &order.text)})))
}

#[derive(Deserialize)]
struct Image {
    customer: String,
    caption: Option<String>,
    number: Option<String>,
}

async fn image(State(platform): State<Sim>, Json(image): Json<Image>) -> Answer {
    let customer = find(&platform, &image.customer, image.number.as_deref())?;
    Ok(Json(json!({"wamid": customer.sends_image(image.caption.as_deref())})))
}

#[derive(Deserialize)]
struct React {
    customer: String,
    wamid: String,
    emoji: String,
}

async fn react(State(platform): State<Sim>, Json(react): Json<React>) -> Answer {
    Ok(Json(json!({"wamid": find(&platform, &react.customer, None)?.reacts(&react.wamid, &react.emoji)})))
}

#[derive(Deserialize)]
struct AnyMessage {
    customer: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    object: Value,
    quoting: Option<String>,
    number: Option<String>,
}

async fn message(State(platform): State<Sim>, Json(any): Json<AnyMessage>) -> Answer {
    let customer = find(&platform, &any.customer, any.number.as_deref())?;
    Ok(Json(json!({"wamid": customer.sends(&any.kind, any.object, any.quoting.as_deref())})))
}

#[derive(Deserialize)]
struct Read {
    customer: String,
    wamid: Option<String>,
}

async fn read(State(platform): State<Sim>, Json(read): Json<Read>) -> Answer {
    let customer = find(&platform, &read.customer, None)?;
    let wamids: Vec<String> = match read.wamid {
        Some(wamid) => vec![wamid],
        None => customer.received().into_iter().map(|entry| entry.wamid).collect(),
    };
    let count = wamids.iter().filter(|wamid| customer.reads(wamid)).count();
    Ok(Json(json!({"read": count})))
}

#[derive(Deserialize)]
struct NextSend {
    fault: Value,
    times: Option<usize>,
}

async fn next_send(State(platform): State<Sim>, Json(next): Json<NextSend>) -> Answer {
    let fault = if next.fault.is_string() { json!({"kind": next.fault}) } else { next.fault };
    let fault: Fault = serde_json::from_value(fault).map_err(|error| wrong(error.to_string()))?;
    platform.lock().next_sends.extend(std::iter::repeat_n(fault, next.times.unwrap_or(1)));
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Webhook {
    url: String,
}

async fn webhook(State(platform): State<Sim>, Json(webhook): Json<Webhook>) -> Answer {
    platform.queue.set_url(Some(webhook.url));
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Hold {
    on: bool,
}

async fn hold(State(platform): State<Sim>, Json(hold): Json<Hold>) -> Answer {
    platform.queue.hold(hold.on);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Raise {
    field: String,
    value: Value,
}

async fn raise(State(platform): State<Sim>, Json(raise): Json<Raise>) -> Answer {
    platform.raise(&platform.lock(), 0, What::Raw { field: raise.field, value: raise.value });
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

async fn token(State(platform): State<Sim>, Json(token): Json<Token>) -> Answer {
    platform.lock().token = token.access_token;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
struct Drain {
    timeout_ms: Option<u64>,
}

async fn drain(State(platform): State<Sim>, Json(drain): Json<Drain>) -> (StatusCode, Json<Value>) {
    let limit = Duration::from_millis(drain.timeout_ms.unwrap_or(30_000));
    let drained = tokio::time::timeout(limit, platform.queue.drained()).await.is_ok();
    // A caller who looks at the status only must not take a full queue for an empty one.
    let status = if drained { StatusCode::OK } else { StatusCode::GATEWAY_TIMEOUT };
    (status, Json(json!({"drained": drained, "pending": platform.queue.pending()})))
}

async fn generate_load(State(platform): State<Sim>, Json(plan): Json<load::Plan>) -> Answer {
    let Some(url) = platform.queue.url() else { return Err(wrong("no webhook is set")) };
    let report = load::run(&platform.config, &url, &plan).await.map_err(|error| wrong(error.to_string()))?;
    Ok(Json(json!(report)))
}

async fn ledger(State(platform): State<Sim>) -> Json<Vec<LedgerEntry>> {
    Json(platform.lock().ledger.entries().to_vec())
}

async fn show_state(State(platform): State<Sim>) -> Json<Value> {
    Json(state(&platform))
}

/// Everything worth seeing from outside.
pub fn state(platform: &Platform) -> Value {
    let counts = platform.queue.counts();
    let state = platform.lock();
    let customers: Vec<Value> = state
        .people
        .iter()
        .enumerate()
        .map(|(at, person)| {
            let own = state.outbound.values().filter(|outbound| outbound.person == Some(at));
            let (mut accepted, mut delivered, mut read) = (0, 0, 0);
            for outbound in own {
                accepted += 1;
                delivered += u32::from(outbound.delivered);
                read += u32::from(outbound.read);
            }
            json!({
                "user_id": person.user_id, "name": person.name, "phone": person.phone, "username": person.username, "online": person.online,
                "wrote": state.inbound.values().filter(|inbound| inbound.person == at).count(),
                "accepted": accepted, "delivered": delivered, "read": read,
            })
        })
        .collect();
    json!({
        "customers": customers, "webhooks": counts, "pending": platform.queue.pending(), "held": platform.queue.held(),
        "webhook_url": platform.queue.url(), "accepted": state.ledger.entries().len(), "violations": check::check(state.ledger.entries()),
        "refused": state.refused.iter().map(|(code, n)| (code.to_string(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "faults": state.faults, "faults_waiting": state.next_sends, "read_marks": state.read_marks.len(),
    })
}
