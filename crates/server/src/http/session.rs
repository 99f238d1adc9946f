//! Signing in and out.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parley_domain::protocol::access::{AcceptRequest, InvitationOffer, InvitationRequest, Nothing, SteppedUp};
use parley_domain::protocol::endpoint::{SignOut, StepUp};
use parley_domain::protocol::session::{RefreshRequest, Session, SignInRequest};

use super::auth::{Asked, Body, From};
use super::problem::Refusal;
use crate::access::invitations;
use crate::app::Core;
use crate::session;

/// `POST /v1/session/sign-in`
pub async fn sign_in(
    State(core): State<Arc<Core>>,
    From(from): From,
    Body(request): Body<SignInRequest>,
) -> Result<Json<Session>, Refusal> {
    Ok(Json(session::sign_in(&core, from, request).await?))
}

/// `POST /v1/session/refresh`
pub async fn refresh(
    State(core): State<Arc<Core>>,
    Body(request): Body<RefreshRequest>,
) -> Result<Json<Session>, Refusal> {
    Ok(Json(session::refresh(&core, request).await?))
}

/// `POST /v1/session/sign-out`
pub async fn sign_out(State(core): State<Arc<Core>>, asked: Asked<SignOut>) -> Result<Json<Nothing>, Refusal> {
    session::sign_out(&core, &asked.ctx).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/session/step-up`
pub async fn step_up(State(core): State<Arc<Core>>, asked: Asked<StepUp>) -> Result<Json<SteppedUp>, Refusal> {
    Ok(Json(session::step_up(&core, &asked.ctx, asked.from, asked.request).await?))
}

/// `POST /v1/session/invitation`
pub async fn offer(
    State(core): State<Arc<Core>>,
    Body(request): Body<InvitationRequest>,
) -> Result<Json<InvitationOffer>, Refusal> {
    Ok(Json(invitations::offer(&core, &request.token).await?))
}

/// `POST /v1/session/accept-invitation`
pub async fn accept(
    State(core): State<Arc<Core>>,
    Body(request): Body<AcceptRequest>,
) -> Result<Json<Session>, Refusal> {
    Ok(Json(invitations::accept(&core, request).await?))
}
