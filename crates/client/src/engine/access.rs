//! Remote queries and acts: members, rights, devices, audit log. They are answered by the server alone, are kept nowhere on
//! this computer, and are refused with [`Code::Offline`] while the server cannot be reached.

use std::sync::Arc;

use parley_domain::permission::Role;
use parley_domain::protocol::access::*;
use parley_domain::protocol::endpoint::*;
use parley_domain::protocol::session::Secret;
use parley_domain::{Code, DeviceId, Email, InboxId, InvitationId, MemberId, PersonName, TeamId};

use super::Engine;
use crate::egress::{Egress, Failure, ServerUrl};
use crate::live::Live;
use crate::{Error, Result};

/// Splits what was pasted as an invitation: `https://server#token`, or the token alone.
fn invitation(server: &str, pasted: &str) -> Result<(ServerUrl, Secret)> {
    let (server, token) = pasted.trim().rsplit_once('#').unwrap_or((server, pasted.trim()));
    if token.is_empty() {
        return Err(Code::InvitationInvalid.into());
    }
    Ok((ServerUrl::parse(server)?, Secret::new(token)))
}

impl Engine {
    /// What an invitation is for. Nobody needs to be signed in.
    pub async fn invitation_offer(&self, server: &str, token: &str) -> Result<InvitationOffer> {
        let (server, token) = invitation(server, token)?;
        Egress::new(server, self.inner.outside.wire.clone())
            .call::<Offer>(None, &InvitationRequest { token })
            .await
            .map_err(refused)
    }

    /// Takes an invitation: makes the member, signs in on this computer and starts the first sync.
    pub async fn accept_invitation(
        &self,
        server: &str,
        token: &str,
        name: PersonName,
        password: Secret,
        device_name: &str,
    ) -> Result<crate::views::Phase> {
        let (server, token) = invitation(server, token)?;
        let device_name = device_name.to_owned();
        self.enter(server, async move |egress, device_key| {
            let request = AcceptRequest { token, name, password, device_name, device_key };
            egress.call::<Accept>(None, &request).await
        })
        .await
    }

    /// One's own access.
    pub async fn own_access(&self) -> Result<OwnAccess> {
        self.remote::<Own>(Nothing {}).await
    }

    /// Gives the password again.
    pub async fn step_up(&self, password: Secret, code: Option<Secret>) -> Result<SteppedUp> {
        self.remote::<StepUp>(StepUpRequest { password, code }).await
    }

    /// Changes one's own password.
    pub async fn change_password(&self, password: Secret) -> Result<()> {
        self.remote::<ChangePassword>(ChangePasswordRequest { password }).await.map(drop)
    }

    /// Begins to set up a second factor.
    pub async fn begin_two_factor(&self) -> Result<TwoFactorOffer> {
        self.remote::<BeginTwoFactor>(Nothing {}).await
    }

    /// Ends setting it up.
    pub async fn confirm_two_factor(&self, code: Secret) -> Result<RecoveryCodes> {
        self.remote::<ConfirmTwoFactor>(ConfirmTwoFactorRequest { code }).await
    }

    /// Takes one's own second factor off.
    pub async fn remove_two_factor(&self) -> Result<()> {
        self.remote::<RemoveTwoFactor>(Nothing {}).await.map(drop)
    }

    /// Devices: one's own, or for admins a member's.
    pub async fn devices(&self, member: Option<MemberId>) -> Result<Vec<DeviceEntry>> {
        self.remote::<Devices>(DevicesRequest { member }).await
    }

    /// Revokes a device.
    pub async fn revoke_device(&self, device: DeviceId) -> Result<()> {
        self.remote::<RevokeDevice>(RevokeDeviceRequest { device }).await.map(drop)
    }

    /// Members, invitations, teams, inboxes, rules.
    pub async fn access_overview(&self) -> Result<AccessOverview> {
        self.remote::<Overview>(Nothing {}).await
    }

    /// Invites a person.
    pub async fn invite(&self, email: Email, role: Role, inboxes: Vec<InboxId>, teams: Vec<TeamId>) -> Result<Invited> {
        self.remote::<Invite>(InviteRequest { email, role, inboxes, teams }).await
    }

    /// Takes an invitation back.
    pub async fn cancel_invitation(&self, invitation: InvitationId) -> Result<()> {
        self.remote::<CancelInvitation>(CancelInvitationRequest { invitation }).await.map(drop)
    }

    /// Sets a member's role, activity and access.
    pub async fn update_member(
        &self,
        member: MemberId,
        role: Role,
        active: bool,
        inboxes: Vec<InboxId>,
        teams: Vec<TeamId>,
    ) -> Result<()> {
        let request = UpdateMemberRequest { member, role, active, inboxes, teams };
        self.remote::<UpdateMember>(request).await.map(drop)
    }

    /// Takes a member's second factor off.
    pub async fn reset_two_factor(&self, member: MemberId) -> Result<()> {
        self.remote::<ResetTwoFactor>(MemberRequest { member }).await.map(drop)
    }

    /// Makes a team, or changes the one with that id; returns its id.
    pub async fn put_team(
        &self,
        team: Option<TeamId>,
        name: String,
        members: Vec<MemberId>,
        inboxes: Vec<InboxId>,
    ) -> Result<TeamId> {
        let config = &self.inner.config;
        let team = team.unwrap_or_else(|| {
            TeamId(parley_domain::time::new_uuid(config.clock.as_ref(), config.randomness.as_ref()))
        });
        self.remote::<PutTeam>(PutTeamRequest { team, name, members, inboxes }).await?;
        Ok(team)
    }

    /// Deletes a team.
    pub async fn delete_team(&self, team: TeamId) -> Result<()> {
        self.remote::<DeleteTeam>(DeleteTeamRequest { team }).await.map(drop)
    }

    /// Sets the workspace's rules about access.
    pub async fn set_access_rules(&self, rules: AccessRules) -> Result<()> {
        self.remote::<SetAccessRules>(rules).await.map(drop)
    }

    /// A page of the audit log, newest first.
    pub async fn audit(&self, before: Option<u64>, limit: u32) -> Result<AuditPage> {
        self.remote::<Audit>(AuditRequest { before, limit }).await
    }

    pub(super) async fn remote<E: Endpoint>(&self, request: E::Request) -> Result<E::Response> {
        let live = self.live()?;
        let answer = match ask::<E>(&live, &request).await {
            // The token ran out on the way, or the rights changed: once more with a fresh one.
            Err(Failure { code: Code::Unauthorized, .. }) => {
                live.auth.forget().await;
                ask::<E>(&live, &request).await
            }
            answer => answer,
        };
        answer.map_err(refused)
    }
}

async fn ask<E: Endpoint>(live: &Arc<Live>, request: &E::Request) -> std::result::Result<E::Response, Failure> {
    let (token, _) = live.auth.token(&live.egress).await?;
    live.egress.call::<E>(Some(&token), request).await
}

fn refused(failure: Failure) -> Error {
    Error::Refused(failure.code)
}
