//! The loopback bridge, a development feature that release builds lack: the same command list over HTTP, so that a browser can
//! show the real UI on the real engine.
//!
//! Promise: it listens on a loopback address only, every call needs the token printed at start, and a foreign `Host` (a page
//! that rebinds its name to loopback) is refused.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use parley_client::Engine;
use parley_client::views::Event;
use parley_domain::Randomness;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use crate::ipc;

struct Bridge {
    engine: Engine,
    token: String,
    ui: PathBuf,
}

/// Serves until the process ends. Prints `bridge <address with token>` on standard output when it is ready.
pub async fn serve(engine: Engine, address: Option<SocketAddr>, ui: Option<PathBuf>) -> std::io::Result<()> {
    let address = address.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    if !address.ip().is_loopback() {
        return Err(std::io::Error::other("the bridge listens on loopback only"));
    }
    let mut bytes = [0u8; 16];
    parley_client::os::OsRandomness.fill(&mut bytes);
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("bridge http://{}/?bridge={token}", listener.local_addr()?);
    let bridge = Arc::new(Bridge { engine, token, ui: ui.unwrap_or_else(|| PathBuf::from("ui/dist")) });
    let app = Router::new()
        .route("/ipc/{name}", post(command))
        .route("/events", get(events))
        .fallback(get(page))
        .layer(middleware::from_fn(own_host_only))
        .with_state(bridge);
    axum::serve(listener, app).await
}

async fn own_host_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if matches!(name, "127.0.0.1" | "localhost" | "[::1]") {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

async fn command(
    State(bridge): State<Arc<Bridge>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    Json(args): Json<Value>,
) -> Response {
    if headers.get("x-parley-bridge").is_none_or(|token| token.as_bytes() != bridge.token.as_bytes()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match ipc::dispatch(&bridge.engine, &name, args).await {
        Ok(result) => Json(result).into_response(),
        Err(problem) => (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response(),
    }
}

#[derive(Deserialize)]
struct EventsQuery {
    token: String,
}

async fn events(State(bridge): State<Arc<Bridge>>, Query(query): Query<EventsQuery>) -> Response {
    if query.token != bridge.token {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let events = futures_util::stream::unfold(bridge.engine.subscribe(), |mut events| async move {
        match events.recv().await {
            Ok(event) => Some((sse(&event), events)),
            Err(RecvError::Lagged(_)) => Some((sse(&Event::Lists), events)),
            Err(RecvError::Closed) => None,
        }
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

fn sse(event: &Event) -> Result<axum::response::sse::Event, Infallible> {
    Ok(axum::response::sse::Event::default().json_data(event).unwrap_or_default())
}

/// A file of the built UI, or its start page.
async fn page(State(bridge): State<Arc<Bridge>>, request: Request<Body>) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    let relative = if path.is_empty() { FilePath::new("index.html") } else { FilePath::new(path) };
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Ok(bytes) = tokio::fs::read(bridge.ui.join(relative)).await else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match relative.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")], bytes).into_response()
}
