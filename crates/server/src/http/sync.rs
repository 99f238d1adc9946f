//! Sync with desks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parley_domain::protocol::endpoint::{Backfill, Outcomes, Pull, Push, Snapshot};
use parley_domain::protocol::intent::OutcomesAnswer;
use serde::Serialize;

use super::auth::Asked;
use super::problem::Refusal;
use crate::app::Core;
use crate::sync::pull::Answer;
use crate::sync::{self};

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => Json(page).into_response(),
            Self::Resync(required) => (StatusCode::CONFLICT, Json(required)).into_response(),
        }
    }
}

/// `POST /v1/sync/pull`
pub async fn pull(State(core): State<Arc<Core>>, Asked { ctx, request, .. }: Asked<Pull>) -> Result<Response, Refusal> {
    Ok(sync::pull::pull(&core, &ctx, &request).await?.into_response())
}

/// `POST /v1/sync/snapshot`
pub async fn snapshot(
    State(core): State<Arc<Core>>,
    Asked { ctx, request, .. }: Asked<Snapshot>,
) -> Result<Response, Refusal> {
    Ok(sync::snapshot::snapshot(&core, &ctx, &request).await?.into_response())
}

/// `POST /v1/sync/backfill`
pub async fn backfill(
    State(core): State<Arc<Core>>,
    Asked { ctx, request, .. }: Asked<Backfill>,
) -> Result<Response, Refusal> {
    Ok(sync::snapshot::backfill(&core, &ctx, &request).await?.into_response())
}

/// `POST /v1/sync/push`
pub async fn push(State(core): State<Arc<Core>>, Asked { ctx, request, .. }: Asked<Push>) -> Result<Response, Refusal> {
    Ok(sync::push::push(&core, &ctx, request).await?.into_response())
}

/// `POST /v1/sync/outcomes`
pub async fn outcomes(
    State(core): State<Arc<Core>>,
    Asked { ctx, request, .. }: Asked<Outcomes>,
) -> Result<Json<OutcomesAnswer>, Refusal> {
    Ok(Json(sync::push::outcomes(&core, &ctx, &request).await?))
}
