//! The routes. Every refusal is a [`Problem`](parley_domain::protocol::Problem) as JSON; a body is read before it is parsed,
//! up to the limit of its route; how much may be asked is counted in [`quota`].

mod access;
mod auth;
pub mod connections;
mod device;
mod operate;
mod poke;
mod problem;
pub mod quota;
mod remote;
mod session;
mod sync;
mod webhook;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use parley_domain::limits::{REQUEST_BODY_MAX, WEBHOOK_BODY_MAX};
use parley_domain::protocol::endpoint::{
    Accept, Audit, Backfill, BeginTwoFactor, CancelInvitation, ChangePassword, ConfirmTwoFactor, Contact,
    Conversations, DeleteTeam, Devices, Endpoint, GetDevicePolicy, HEALTH_PATH, Invite, Offer, Outcomes, Overview, Own,
    POKE_PATH, Pull, Push, PutTeam, Receipts, Recover, Refresh, RemoveTwoFactor, ResetTwoFactor, RevokeDevice,
    SetAccessRules, SetDevicePolicy, SignIn, SignOut, Snapshot, StepUp, UpdateMember,
};
use serde_json::json;

use crate::app::Core;
use crate::error::Error;
pub use operate::openapi;
pub use poke::{Heard, heard};
use problem::Refusal;

/// All routes of the server.
pub fn router(core: Arc<Core>) -> Router {
    let desk = Router::new()
        .route(SignIn::PATH, post(session::sign_in))
        .route(Refresh::PATH, post(session::refresh))
        .route(SignOut::PATH, post(session::sign_out))
        .route(StepUp::PATH, post(session::step_up))
        .route(Offer::PATH, post(session::offer))
        .route(Accept::PATH, post(session::accept))
        .route(Contact::PATH, post(device::contact))
        .route(Receipts::PATH, post(device::receipts))
        .route(Recover::PATH, post(device::recover))
        .route(GetDevicePolicy::PATH, post(device::policy))
        .route(SetDevicePolicy::PATH, post(device::set_policy))
        .route(Pull::PATH, post(sync::pull))
        .route(Snapshot::PATH, post(sync::snapshot))
        .route(Backfill::PATH, post(sync::backfill))
        .route(Push::PATH, post(sync::push))
        .route(Outcomes::PATH, post(sync::outcomes))
        .route(Conversations::PATH, post(remote::conversations))
        .route(Own::PATH, post(access::own))
        .route(ChangePassword::PATH, post(access::change_password))
        .route(BeginTwoFactor::PATH, post(access::begin_two_factor))
        .route(ConfirmTwoFactor::PATH, post(access::confirm_two_factor))
        .route(RemoveTwoFactor::PATH, post(access::remove_two_factor))
        .route(Devices::PATH, post(access::devices))
        .route(RevokeDevice::PATH, post(access::revoke_device))
        .route(Overview::PATH, post(access::overview))
        .route(Invite::PATH, post(access::invite))
        .route(CancelInvitation::PATH, post(access::cancel_invitation))
        .route(UpdateMember::PATH, post(access::update_member))
        .route(ResetTwoFactor::PATH, post(access::reset_two_factor))
        .route(PutTeam::PATH, post(access::put_team))
        .route(DeleteTeam::PATH, post(access::delete_team))
        .route(SetAccessRules::PATH, post(access::set_rules))
        .route(Audit::PATH, post(access::audit))
        .layer(DefaultBodyLimit::max(REQUEST_BODY_MAX));
    let meta = Router::new()
        .route("/webhooks/meta/{app_id}", get(webhook::challenge).post(webhook::receive))
        .layer(DefaultBodyLimit::max(WEBHOOK_BODY_MAX));
    Router::new()
        .merge(desk)
        .merge(meta)
        .route(POKE_PATH, get(poke::socket))
        .route(operate::READY_PATH, get(operate::ready))
        .route(operate::METRICS_PATH, get(operate::numbers))
        .route(operate::OPENAPI_PATH, get(operate::description))
        .route(HEALTH_PATH, get(|| async { Json(json!({ "status": "ok" })) }))
        .fallback(|| async { Refusal::from(Error::Refused(parley_domain::Code::NotFound, "no such route")) })
        .method_not_allowed_fallback(|| async {
            Refusal::with(
                StatusCode::METHOD_NOT_ALLOWED,
                Error::Refused(parley_domain::Code::BadRequest, "not with this method"),
            )
        })
        .layer(axum::middleware::from_fn_with_state(core.clone(), quota::by_address))
        .layer(axum::middleware::map_response(guard))
        .layer(axum::middleware::from_fn_with_state(core.clone(), crate::metrics::count))
        .with_state(core)
}

/// Headers of every answer: nothing is sniffed, nothing is kept by anybody in between.
async fn guard(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
