//! Remote queries.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parley_domain::protocol::remote::{ConversationsPage, ConversationsRequest};

use super::auth::Body;
use super::problem::Refusal;
use crate::app::Core;
use crate::remote;
use crate::session::WorkspaceCtx;

/// `POST /v1/remote/conversations`
pub async fn conversations(
    State(core): State<Arc<Core>>,
    ctx: WorkspaceCtx,
    Body(request): Body<ConversationsRequest>,
) -> Result<Json<ConversationsPage>, Refusal> {
    Ok(Json(remote::conversations(&core, &ctx, &request).await?))
}
