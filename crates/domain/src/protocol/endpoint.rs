//! Every route once, with its method, path and types: the server's handlers and the desk's client are both made from this.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::access::{
    AcceptRequest, AccessOverview, AccessRules, AuditPage, AuditRequest, CancelInvitationRequest,
    ChangePasswordRequest, ConfirmTwoFactorRequest, DeleteTeamRequest, DeviceEntry, DevicesRequest, InvitationOffer,
    InvitationRequest, InviteRequest, Invited, MemberRequest, Nothing, OwnAccess, PutTeamRequest, RecoveryCodes,
    RevokeDeviceRequest, StepUpRequest, SteppedUp, TwoFactorOffer, UpdateMemberRequest,
};
use super::change::{BackfillRequest, PullPage, PullRequest, SnapshotPage, SnapshotRequest};
use super::intent::{OutcomesAnswer, OutcomesRequest, PushAnswer, PushRequest};
use super::remote::{ConversationsPage, ConversationsRequest};
use super::session::{RefreshRequest, Session, SignInRequest};

/// A route that takes and returns JSON by POST. A refusal is a [`super::Problem`] with a status of 4xx or 5xx; a pull,
/// snapshot or backfill whose cursor cannot be served gets 409 and a [`super::change::ResyncRequired`].
pub trait Endpoint {
    /// Path below the server's address.
    const PATH: &'static str;
    /// Whether a bearer access token is needed.
    const SIGNED_IN: bool;
    /// Body of the request.
    type Request: Serialize + DeserializeOwned;
    /// Body of the answer.
    type Response: Serialize + DeserializeOwned;
}

macro_rules! endpoints {
    ($($(#[$doc:meta])* $name:ident: $path:literal, signed_in $signed:literal, $request:ty => $response:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;
            impl Endpoint for $name {
                const PATH: &'static str = $path;
                const SIGNED_IN: bool = $signed;
                type Request = $request;
                type Response = $response;
            }
        )*
        /// Every path, for tests that walk over all routes.
        pub const PATHS: &[&str] = &[$($path),*];
    };
}

endpoints! {
    /// Signs a device in.
    SignIn: "/v1/session/sign-in", signed_in false, SignInRequest => Session;
    /// Replaces tokens.
    Refresh: "/v1/session/refresh", signed_in false, RefreshRequest => Session;
    /// Signs the device out and forgets its tokens.
    SignOut: "/v1/session/sign-out", signed_in true, serde_json::Value => serde_json::Value;
    /// What changed.
    Pull: "/v1/sync/pull", signed_in true, PullRequest => PullPage;
    /// Everything, newest conversations first.
    Snapshot: "/v1/sync/snapshot", signed_in true, SnapshotRequest => SnapshotPage;
    /// One root.
    Backfill: "/v1/sync/backfill", signed_in true, BackfillRequest => SnapshotPage;
    /// Edits.
    Push: "/v1/sync/push", signed_in true, PushRequest => PushAnswer;
    /// Outcomes by id.
    Outcomes: "/v1/sync/outcomes", signed_in true, OutcomesRequest => OutcomesAnswer;
    /// Conversations that a desk does not hold.
    Conversations: "/v1/remote/conversations", signed_in true, ConversationsRequest => ConversationsPage;
    /// What an invitation is for.
    Offer: "/v1/session/invitation", signed_in false, InvitationRequest => InvitationOffer;
    /// Takes an invitation and signs in.
    Accept: "/v1/session/accept-invitation", signed_in false, AcceptRequest => Session;
    /// Gives the password again, for what is dangerous.
    StepUp: "/v1/session/step-up", signed_in true, StepUpRequest => SteppedUp;
    /// One's own access.
    Own: "/v1/access/own", signed_in true, Nothing => OwnAccess;
    /// Changes one's own password.
    ChangePassword: "/v1/access/own/password", signed_in true, ChangePasswordRequest => Nothing;
    /// Begins to set up a second factor.
    BeginTwoFactor: "/v1/access/own/two-factor/begin", signed_in true, Nothing => TwoFactorOffer;
    /// Ends setting it up.
    ConfirmTwoFactor: "/v1/access/own/two-factor/confirm", signed_in true, ConfirmTwoFactorRequest => RecoveryCodes;
    /// Takes the second factor off. *Step-up*; refused where the workspace requires one.
    RemoveTwoFactor: "/v1/access/own/two-factor/remove", signed_in true, Nothing => Nothing;
    /// Devices of a member.
    Devices: "/v1/access/devices", signed_in true, DevicesRequest => Vec<DeviceEntry>;
    /// Revokes a device.
    RevokeDevice: "/v1/access/devices/revoke", signed_in true, RevokeDeviceRequest => Nothing;
    /// Members, invitations, teams, inboxes, rules.
    Overview: "/v1/access/overview", signed_in true, Nothing => AccessOverview;
    /// Invites a person.
    Invite: "/v1/access/invitations/create", signed_in true, InviteRequest => Invited;
    /// Takes an invitation back.
    CancelInvitation: "/v1/access/invitations/cancel", signed_in true, CancelInvitationRequest => Nothing;
    /// Changes a member.
    UpdateMember: "/v1/access/members/update", signed_in true, UpdateMemberRequest => Nothing;
    /// Takes a member's second factor off, because it was lost. *Step-up.*
    ResetTwoFactor: "/v1/access/members/reset-two-factor", signed_in true, MemberRequest => Nothing;
    /// Makes or changes a team.
    PutTeam: "/v1/access/teams/put", signed_in true, PutTeamRequest => Nothing;
    /// Deletes a team.
    DeleteTeam: "/v1/access/teams/delete", signed_in true, DeleteTeamRequest => Nothing;
    /// Sets the workspace's rules about access. *Step-up.*
    SetAccessRules: "/v1/access/rules", signed_in true, AccessRules => Nothing;
    /// A page of the audit log.
    Audit: "/v1/access/audit", signed_in true, AuditRequest => AuditPage;
}

/// The socket: `GET` with a bearer access token, upgraded; carries [`super::change::Poke`] as JSON text.
pub const POKE_PATH: &str = "/v1/sync/poke";
/// Liveness: 200 with `{"status":"ok"}` without a token.
pub const HEALTH_PATH: &str = "/health";
