//! Members and rights. Who may ask is decided by [`Asked`]; what is done, by [`crate::access`].

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use parley_domain::Code;
use parley_domain::protocol::access::{
    AccessOverview, AuditPage, DeviceEntry, Invited, Nothing, OwnAccess, RecoveryCodes, TwoFactorOffer,
};
use parley_domain::protocol::endpoint::{
    Audit, BeginTwoFactor, CancelInvitation, ChangePassword, ConfirmTwoFactor, DeleteTeam, Devices, Invite, Overview,
    Own, PutTeam, RemoveTwoFactor, ResetTwoFactor, RevokeDevice, SetAccessRules, UpdateMember,
};

use super::auth::Asked;
use super::problem::Refusal;
use crate::access::{devices, invitations, members, own, rules, teams};
use crate::app::Core;
use crate::audit;
use crate::db::overview as read;
use crate::error::Error;

/// Most entries of the audit log in one page.
const AUDIT_PAGE: u32 = 200;

type Answer<T> = Result<Json<T>, Refusal>;

/// `POST /v1/access/own`
pub async fn own(State(core): State<Arc<Core>>, asked: Asked<Own>) -> Answer<OwnAccess> {
    Ok(Json(own::read(&core, &asked.ctx).await?))
}

/// `POST /v1/access/own/password`
pub async fn change_password(State(core): State<Arc<Core>>, asked: Asked<ChangePassword>) -> Answer<Nothing> {
    own::change_password(&core, &asked.ctx, &asked.request.password).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/own/two-factor/begin`
pub async fn begin_two_factor(State(core): State<Arc<Core>>, asked: Asked<BeginTwoFactor>) -> Answer<TwoFactorOffer> {
    Ok(Json(own::begin_two_factor(&core, &asked.ctx).await?))
}

/// `POST /v1/access/own/two-factor/confirm`
pub async fn confirm_two_factor(
    State(core): State<Arc<Core>>,
    asked: Asked<ConfirmTwoFactor>,
) -> Answer<RecoveryCodes> {
    Ok(Json(own::confirm_two_factor(&core, &asked.ctx, &asked.request.code).await?))
}

/// `POST /v1/access/own/two-factor/remove`
pub async fn remove_two_factor(State(core): State<Arc<Core>>, asked: Asked<RemoveTwoFactor>) -> Answer<Nothing> {
    own::remove_two_factor(&core, &asked.ctx).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/devices`
pub async fn devices(State(core): State<Arc<Core>>, asked: Asked<Devices>) -> Answer<Vec<DeviceEntry>> {
    Ok(Json(devices::list(&core, &asked.ctx, asked.request.member).await?))
}

/// `POST /v1/access/devices/revoke`
pub async fn revoke_device(State(core): State<Arc<Core>>, asked: Asked<RevokeDevice>) -> Answer<Nothing> {
    devices::revoke(&core, &asked.ctx, asked.request.device).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/overview`
pub async fn overview(State(core): State<Arc<Core>>, asked: Asked<Overview>) -> Answer<AccessOverview> {
    let txn = core.db.snapshot().await?;
    let overview = read::read(&txn, asked.ctx.workspace(), core.now()).await;
    txn.rollback().await.map_err(Error::from)?;
    Ok(Json(overview?))
}

/// `POST /v1/access/invitations/create`
pub async fn invite(State(core): State<Arc<Core>>, asked: Asked<Invite>) -> Answer<Invited> {
    let (workspace, member) = (asked.ctx.workspace(), asked.ctx.member());
    Ok(Json(invitations::invite(&core, workspace, Some(member), &asked.request).await?))
}

/// `POST /v1/access/invitations/cancel`
pub async fn cancel_invitation(State(core): State<Arc<Core>>, asked: Asked<CancelInvitation>) -> Answer<Nothing> {
    let (workspace, member) = (asked.ctx.workspace(), asked.ctx.member());
    invitations::cancel(&core, workspace, member, asked.request.invitation).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/members/update`
pub async fn update_member(State(core): State<Arc<Core>>, asked: Asked<UpdateMember>) -> Answer<Nothing> {
    members::update(&core, asked.ctx.workspace(), Some(asked.ctx.member()), &asked.request).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/members/reset-two-factor`
pub async fn reset_two_factor(State(core): State<Arc<Core>>, asked: Asked<ResetTwoFactor>) -> Answer<Nothing> {
    let (workspace, actor, device) = (asked.ctx.workspace(), asked.ctx.member(), asked.ctx.device());
    let member = asked.request.member;
    // The device of whoever does it to themselves goes on.
    let but = (member == actor).then_some(device);
    members::reset_two_factor(&core, workspace, Some(actor), member, but).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/teams/put`
pub async fn put_team(State(core): State<Arc<Core>>, asked: Asked<PutTeam>) -> Answer<Nothing> {
    teams::put(&core, asked.ctx.workspace(), asked.ctx.member(), &asked.request).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/teams/delete`
pub async fn delete_team(State(core): State<Arc<Core>>, asked: Asked<DeleteTeam>) -> Answer<Nothing> {
    teams::delete(&core, asked.ctx.workspace(), asked.ctx.member(), asked.request.team).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/rules`
pub async fn set_rules(State(core): State<Arc<Core>>, asked: Asked<SetAccessRules>) -> Answer<Nothing> {
    rules::set(&core, asked.ctx.workspace(), asked.ctx.member(), asked.request).await?;
    Ok(Json(Nothing {}))
}

/// `POST /v1/access/audit`
pub async fn audit(State(core): State<Arc<Core>>, asked: Asked<Audit>) -> Answer<AuditPage> {
    let (before, limit) = (asked.request.before, asked.request.limit);
    if limit == 0 || limit > AUDIT_PAGE {
        return Err(Error::Refused(Code::BadRequest, "from 1 to 200 entries").into());
    }
    Ok(Json(audit::page(&core, asked.ctx.workspace(), before, limit).await?))
}
