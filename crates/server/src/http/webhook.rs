//! Meta's webhooks.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use parley_domain::{AppId, Code};
use parley_meta::webhook::signature;

use super::auth::unreadable;
use super::problem::Refusal;
use crate::app::Core;
use crate::error::Error;
use crate::ingest;

/// `GET /webhooks/meta/{app_id}`: Meta's check of the address.
pub async fn challenge(
    State(core): State<Arc<Core>>,
    Path(app): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    match ingest::challenge(&core, &AppId(app), query.as_deref().unwrap_or_default()).await? {
        Some(challenge) => Ok(challenge.into_response()),
        None => Err(Error::Refused(Code::Forbidden, "mode or token is wrong").into()),
    }
}

/// `POST /webhooks/meta/{app_id}`: answered when the body is durable.
pub async fn receive(
    State(core): State<Arc<Core>>,
    Path(app): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Refusal> {
    let body = body.map_err(|error| unreadable(&error))?;
    let signature = headers.get(signature::HEADER).and_then(|value| value.to_str().ok());
    ingest::receive(&core, AppId(app), signature, &body).await?;
    Ok(StatusCode::OK)
}
