//! The routes. Every refusal is a [`Problem`](parley_domain::protocol::Problem) as JSON; a body is read before it is parsed,
//! up to the limit of its route.

mod auth;
mod poke;
mod problem;
mod remote;
mod session;
mod sync;
mod webhook;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use parley_domain::limits::{REQUEST_BODY_MAX, WEBHOOK_BODY_MAX};
use parley_domain::protocol::endpoint::{
    Backfill, Conversations, Endpoint, HEALTH_PATH, Outcomes, POKE_PATH, Pull, Push, Refresh, SignIn, SignOut, Snapshot,
};
use serde_json::json;

use crate::app::Core;
use crate::error::Error;
use problem::Refusal;

/// All routes of the server.
pub fn router(core: Arc<Core>) -> Router {
    let desk = Router::new()
        .route(SignIn::PATH, post(session::sign_in))
        .route(Refresh::PATH, post(session::refresh))
        .route(SignOut::PATH, post(session::sign_out))
        .route(Pull::PATH, post(sync::pull))
        .route(Snapshot::PATH, post(sync::snapshot))
        .route(Backfill::PATH, post(sync::backfill))
        .route(Push::PATH, post(sync::push))
        .route(Outcomes::PATH, post(sync::outcomes))
        .route(Conversations::PATH, post(remote::conversations))
        .layer(DefaultBodyLimit::max(REQUEST_BODY_MAX));
    let meta = Router::new()
        .route("/webhooks/meta/{app_id}", get(webhook::challenge).post(webhook::receive))
        .layer(DefaultBodyLimit::max(WEBHOOK_BODY_MAX));
    Router::new()
        .merge(desk)
        .merge(meta)
        .route(POKE_PATH, get(poke::socket))
        .route(HEALTH_PATH, get(|| async { Json(json!({ "status": "ok" })) }))
        .fallback(|| async { Refusal::from(Error::Refused(parley_domain::Code::NotFound, "no such route")) })
        .method_not_allowed_fallback(|| async {
            Refusal::with(
                StatusCode::METHOD_NOT_ALLOWED,
                Error::Refused(parley_domain::Code::BadRequest, "not with this method"),
            )
        })
        .with_state(core)
}
