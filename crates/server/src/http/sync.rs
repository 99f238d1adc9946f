//! Sync with desks.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use parley_domain::protocol::change::{BackfillRequest, PullRequest, SnapshotRequest};
use parley_domain::protocol::intent::{OutcomesAnswer, OutcomesRequest, PushAnswer, PushRequest};
use serde::Serialize;

use super::auth::Body;
use super::problem::Refusal;
use crate::app::Core;
use crate::session::WorkspaceCtx;
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
pub async fn pull(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    Body(request): Body<PullRequest>,
) -> Result<Response, Refusal> {
    Ok(sync::pull::pull(&core, &ctx, &request).await?.into_response())
}

/// `POST /v1/sync/snapshot`
pub async fn snapshot(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    Body(request): Body<SnapshotRequest>,
) -> Result<Response, Refusal> {
    Ok(sync::snapshot::snapshot(&core, &ctx, &request).await?.into_response())
}

/// `POST /v1/sync/backfill`
pub async fn backfill(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    Body(request): Body<BackfillRequest>,
) -> Result<Response, Refusal> {
    Ok(sync::snapshot::backfill(&core, &ctx, &request).await?.into_response())
}

/// `POST /v1/sync/push`
pub async fn push(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    Body(request): Body<PushRequest>,
) -> Result<Json<PushAnswer>, Refusal> {
    Ok(Json(sync::push::push(&core, &ctx, request).await?))
}

/// `POST /v1/sync/outcomes`
pub async fn outcomes(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    Body(request): Body<OutcomesRequest>,
) -> Result<Json<OutcomesAnswer>, Refusal> {
    Ok(Json(sync::push::outcomes(&core, &ctx, &request).await?))
}
