//! Contacts of desks, and the policy for them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parley_domain::protocol::access::Nothing;
use parley_domain::protocol::device::{ContactAnswer, Custody, DevicePolicyView};
use parley_domain::protocol::endpoint::{Contact, GetDevicePolicy, Receipts, Recover, SetDevicePolicy};

use super::auth::Asked;
use super::problem::Refusal;
use crate::access::policy;
use crate::app::Core;
use crate::device;

type Answer<T> = Result<Json<T>, Refusal>;

/// `POST /v1/device/contact`
pub async fn contact(State(core): State<Arc<Core>>, asked: Asked<Contact>) -> Answer<ContactAnswer> {
    Ok(Json(device::contact(&core, &asked.ctx, asked.request).await?))
}

/// `POST /v1/device/receipts`
pub async fn receipts(State(core): State<Arc<Core>>, asked: Asked<Receipts>) -> Answer<Nothing> {
    device::receipts(&core, &asked.ctx, asked.request).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/device/recover`
pub async fn recover(State(core): State<Arc<Core>>, asked: Asked<Recover>) -> Answer<Custody> {
    Ok(Json(device::recover(&core, &asked.ctx).await?))
}

/// `POST /v1/access/device-policy`
pub async fn policy(State(core): State<Arc<Core>>, asked: Asked<GetDevicePolicy>) -> Answer<DevicePolicyView> {
    Ok(Json(policy::read(&core, asked.ctx.workspace()).await?))
}

/// `POST /v1/access/device-policy/set`
pub async fn set_policy(State(core): State<Arc<Core>>, asked: Asked<SetDevicePolicy>) -> Answer<Nothing> {
    policy::set(&core, asked.ctx.workspace(), Some(asked.ctx.member()), asked.request.policy).await?;
    Ok(Json(Nothing {}))
}
