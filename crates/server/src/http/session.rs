//! Signing in and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parley_domain::protocol::session::{RefreshRequest, Session, SignInRequest};
use serde_json::{Value, json};

use super::auth::Body;
use super::problem::Refusal;
use crate::app::Core;
use crate::session::{self, WorkspaceCtx};

/// `POST /v1/session/sign-in`
pub async fn sign_in(
    State(core): State<Arc<Core>>,
    Body(request): Body<SignInRequest>,
) -> Result<Json<Session>, Refusal> {
    Ok(Json(session::sign_in(&core, request).await?))
}

/// `POST /v1/session/refresh`
pub async fn refresh(
    State(core): State<Arc<Core>>,
    Body(request): Body<RefreshRequest>,
) -> Result<Json<Session>, Refusal> {
    Ok(Json(session::refresh(&core, request).await?))
}

/// `POST /v1/session/sign-out`
pub async fn sign_out(State(core): State<Arc<Core>>, ctx: WorkspaceCtx) -> Result<Json<Value>, Refusal> {
    session::sign_out(&core, &ctx).await?;
    Ok(Json(json!({})))
}
