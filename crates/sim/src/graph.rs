//! The Graph face: routes, the token, and the messages endpoint with its faults (`meta-platform.md` §5, §6).
//!
//! Promise: every refusal has Meta's body; no path but Meta's answers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;

use crate::account;
use crate::fault::Fault;
use crate::graph_error::{GraphError, html_503};
use crate::listener::Cut;
use crate::media;
use crate::platform::Platform;
use crate::send::{self, Bend};

/// The platform as handlers hold it.
pub type Graph = Arc<Platform>;

/// All Graph routes.
pub fn router(graph: Graph) -> Router {
    Router::new()
        .route("/{version}/{id}/messages", post(messages))
        .route("/{version}/{id}/media", post(media::upload))
        .route("/{version}/{id}/message_templates", get(account::templates))
        .route(
            "/{version}/{id}/subscribed_apps",
            get(account::subscriptions).post(account::subscribe).delete(account::unsubscribe),
        )
        .route("/{version}/{id}/phone_numbers", get(account::phone_numbers))
        .route("/{version}/debug_token", get(account::debug_token))
        .route("/{version}/{id}", get(account::node).delete(account::delete_node))
        .route("/whatsapp_business/attachments/", get(media::download))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(110 << 20))
        .with_state(graph)
}

impl Platform {
    /// Checks version and token.
    pub fn enter(&self, version: &str, headers: &HeaderMap) -> Result<(), GraphError> {
        let number = version.strip_prefix('v').and_then(|rest| rest.split_once('.'));
        let known = number.is_some_and(|(major, minor)| major.parse::<u32>().is_ok() && minor.parse::<u32>().is_ok());
        if !known {
            return Err(GraphError::unknown_path(&format!("/{version}")));
        }
        self.authorise(headers, None)
    }

    /// Checks the Bearer token; `also` is a token that is accepted besides.
    pub fn authorise(&self, headers: &HeaderMap, also: Option<&str>) -> Result<(), GraphError> {
        let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        match token {
            None => Err(GraphError::token(true)),
            Some(token) if token == self.lock().token || also == Some(token) => Ok(()),
            Some(_) => Err(GraphError::token(false)),
        }
    }
}

/// Renders an answer; refusals are counted.
pub fn answered(graph: &Graph, result: Result<Value, GraphError>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(error) => {
            let mut state = graph.lock();
            *state.refused.entry(error.code).or_default() += 1;
            let trace = state.mint.fbtrace();
            drop(state);
            error.response(&trace)
        }
    }
}

/// The body as JSON. Without the JSON content type the Graph sees no parameter at all.
pub fn json_body(headers: &HeaderMap, body: &[u8]) -> Result<Value, GraphError> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("application/json") {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice(body).map_err(|_| GraphError::invalid("The request body is not valid JSON."))
}

async fn unknown(State(graph): State<Graph>, uri: Uri) -> Response {
    answered(&graph, Err(GraphError::unknown_path(uri.path())))
}

async fn messages(
    State(graph): State<Graph>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Path((version, id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let entered = graph.enter(&version, &headers).and_then(|()| {
        let number = graph.number(&id).ok_or_else(|| GraphError::no_object("post", &id))?;
        Ok((number, json_body(&headers, &body)?))
    });
    let (number, body) = match entered {
        Ok(entered) => entered,
        Err(error) => return answered(&graph, Err(error)),
    };
    // Read marks may be repeated at will; faults are for what must not be.
    let fault = if body.get("status").is_some() { None } else { graph.take_fault() };
    match fault {
        None => answered(&graph, send::take(&graph, number, &body, Bend::default())),
        Some(Fault::RateLimited) => answered(&graph, Err(GraphError::code(130429).with_http(429))),
        Some(Fault::AppLimited) => answered(&graph, Err(GraphError::code(4))),
        Some(Fault::Refuse { code }) => answered(&graph, Err(GraphError::code(code))),
        Some(Fault::Broken) => answered(&graph, Err(GraphError::code(131000))),
        Some(Fault::Unexpected) => answered(&graph, Err(GraphError::code(2))),
        Some(Fault::Html503) => html_503(),
        Some(Fault::TimeoutBeforeAccept { hold_ms }) => {
            tokio::time::sleep(Duration::from_millis(hold_ms)).await;
            cut.now();
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Some(fault) => accepted_with(&graph, number, &body, fault, &cut).await,
    }
}

/// Faults of sends that are accepted. A request that is refused anyway is refused as ever.
async fn accepted_with(graph: &Graph, number: usize, body: &Value, fault: Fault, cut: &Cut) -> Response {
    let bend = match fault {
        Fault::FailLater { code } => Bend { fails_with: Some(code), held: false },
        Fault::HeldForQuality => Bend { fails_with: None, held: body["type"] == "template" },
        _ => Bend::default(),
    };
    let taken = send::take(graph, number, body, bend);
    if taken.is_ok() {
        match fault {
            Fault::ResetAfterAccept => cut.now(),
            Fault::BrokenAfterAccept => return answered(graph, Err(GraphError::code(131000))),
            Fault::Slow { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            // Bounded: a receiver that is down must not hold the sender for ever.
            Fault::StatusFirst => drop(tokio::time::timeout(Duration::from_secs(30), graph.queue.drained()).await),
            _ => {}
        }
    }
    answered(graph, taken)
}
