//! Remote queries.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parley_domain::protocol::endpoint::Conversations;
use parley_domain::protocol::remote::ConversationsPage;

use super::auth::Asked;
use super::problem::Refusal;
use crate::app::Core;
use crate::remote;

/// `POST /v1/remote/conversations`
pub async fn conversations(
    State(core): State<Arc<Core>>,
    Asked { ctx, request, .. }: Asked<Conversations>,
) -> Result<Json<ConversationsPage>, Refusal> {
    Ok(Json(remote::conversations(&core, &ctx, &request).await?))
}
