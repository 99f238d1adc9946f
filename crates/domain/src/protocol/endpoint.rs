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
use super::device::{
    ContactAnswer, ContactRequest, Custody, DevicePolicyView, ReceiptsRequest, SetDevicePolicyRequest,
};
use super::intent::{OutcomesAnswer, OutcomesRequest, PushAnswer, PushRequest};
use super::remote::{ConversationsPage, ConversationsRequest};
use super::session::{RefreshRequest, Session, SignInRequest};
use crate::permission::Permission;

/// Whom a route serves. The server asks this for every request before it reads the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admits {
    /// Whoever asks: no access token is needed.
    Anyone,
    /// Members, also those who must set up a second factor first.
    Unfinished,
    /// Members.
    Members,
    /// Members whose role has the permission.
    Holders(Permission),
}

/// One route, for tests that walk over all of them.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub path: &'static str,
    pub admits: Admits,
    /// Whether the password must have been given a short time ago.
    pub step_up: bool,
}

/// A route that takes and returns JSON by POST. A refusal is a [`super::Problem`] with a status of 4xx or 5xx; a pull,
/// snapshot or backfill whose cursor cannot be served gets 409 and a [`super::change::ResyncRequired`].
pub trait Endpoint {
    /// Path below the server's address.
    const PATH: &'static str;
    /// Whom it serves.
    const ADMITS: Admits;
    /// Whether a bearer access token is needed.
    const SIGNED_IN: bool = !matches!(Self::ADMITS, Admits::Anyone);
    /// Whether the password must have been given on the device within [`crate::limits::STEP_UP_LASTS`].
    const STEP_UP: bool;
    /// Body of the request.
    type Request: Serialize + DeserializeOwned;
    /// Body of the answer.
    type Response: Serialize + DeserializeOwned;
}

/// A route as text.
#[derive(Clone, Copy, Debug)]
pub struct Described {
    pub name: &'static str,
    pub path: &'static str,
    /// Whom it serves.
    pub admits: Admits,
    /// What it does.
    pub about: &'static str,
}

macro_rules! endpoints {
    ($($(#[doc = $doc:literal])* $name:ident: $path:literal, $admits:ident $(($permission:ident))? $(+ $step:ident)?, $request:ty => $response:ty;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Clone, Copy, Debug)]
            pub struct $name;
            impl Endpoint for $name {
                const PATH: &'static str = $path;
                const ADMITS: Admits = Admits::$admits$((Permission::$permission))?;
                const STEP_UP: bool = [$(stringify!($step), )? ""].len() > 1;
                type Request = $request;
                type Response = $response;
            }
        )*
        /// Every route as text, for descriptions of the whole.
        pub const DESCRIBED: &[Described] = &[$(Described {
            name: stringify!($name),
            path: $path,
            admits: $name::ADMITS,
            about: concat!($($doc),*),
        }),*];
        /// Every path.
        pub const PATHS: &[&str] = &[$($path),*];
        /// Every route with its decision.
        pub const ROUTES: &[Route] =
            &[$(Route { path: $name::PATH, admits: $name::ADMITS, step_up: $name::STEP_UP }),*];
        /// Schemas of the bodies of every route, in the order of [`DESCRIBED`]: of the request, then of the answer.
        #[cfg(feature = "schema")]
        pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<[schemars::Schema; 2]> {
            vec![$([generator.subschema_for::<$request>(), generator.subschema_for::<$response>()]),*]
        }
    };
}

endpoints! {
    /// Signs a device in.
    SignIn: "/v1/session/sign-in", Anyone, SignInRequest => Session;
    /// Replaces tokens.
    Refresh: "/v1/session/refresh", Anyone, RefreshRequest => Session;
    /// Signs the device out and forgets its tokens.
    SignOut: "/v1/session/sign-out", Unfinished, Nothing => Nothing;
    /// A contact: policy, lease, custody, erasures, receipts.
    Contact: "/v1/device/contact", Members, ContactRequest => ContactAnswer;
    /// Receipts of earlier desks on this computer.
    Receipts: "/v1/device/receipts", Members, ReceiptsRequest => Nothing;
    /// What is in custody for this device. *Step-up.*
    Recover: "/v1/device/recover", Members + step_up, Nothing => Custody;
    /// What changed.
    Pull: "/v1/sync/pull", Members, PullRequest => PullPage;
    /// Everything, newest conversations first.
    Snapshot: "/v1/sync/snapshot", Members, SnapshotRequest => SnapshotPage;
    /// One root.
    Backfill: "/v1/sync/backfill", Members, BackfillRequest => SnapshotPage;
    /// Edits.
    Push: "/v1/sync/push", Members, PushRequest => PushAnswer;
    /// Outcomes by id.
    Outcomes: "/v1/sync/outcomes", Members, OutcomesRequest => OutcomesAnswer;
    /// Conversations that a desk does not hold.
    Conversations: "/v1/remote/conversations", Members, ConversationsRequest => ConversationsPage;
    /// What an invitation is for.
    Offer: "/v1/session/invitation", Anyone, InvitationRequest => InvitationOffer;
    /// Takes an invitation and signs in.
    Accept: "/v1/session/accept-invitation", Anyone, AcceptRequest => Session;
    /// Gives the password again, for what is dangerous.
    StepUp: "/v1/session/step-up", Unfinished, StepUpRequest => SteppedUp;
    /// One's own access.
    Own: "/v1/access/own", Unfinished, Nothing => OwnAccess;
    /// Changes one's own password.
    ChangePassword: "/v1/access/own/password", Members + step_up, ChangePasswordRequest => Nothing;
    /// Begins to set up a second factor.
    BeginTwoFactor: "/v1/access/own/two-factor/begin", Unfinished + step_up, Nothing => TwoFactorOffer;
    /// Ends setting it up.
    ConfirmTwoFactor: "/v1/access/own/two-factor/confirm", Unfinished, ConfirmTwoFactorRequest => RecoveryCodes;
    /// Takes the second factor off. *Step-up*; refused where the workspace requires one.
    RemoveTwoFactor: "/v1/access/own/two-factor/remove", Members + step_up, Nothing => Nothing;
    /// Devices of a member.
    Devices: "/v1/access/devices", Members, DevicesRequest => Vec<DeviceEntry>;
    /// Revokes a device.
    RevokeDevice: "/v1/access/devices/revoke", Members, RevokeDeviceRequest => Nothing;
    /// Members, invitations, teams, inboxes, rules.
    Overview: "/v1/access/overview", Holders(ManageMembers), Nothing => AccessOverview;
    /// Invites a person.
    Invite: "/v1/access/invitations/create", Holders(ManageMembers) + step_up, InviteRequest => Invited;
    /// Takes an invitation back.
    CancelInvitation: "/v1/access/invitations/cancel", Holders(ManageMembers), CancelInvitationRequest => Nothing;
    /// Changes a member.
    UpdateMember: "/v1/access/members/update", Holders(ManageMembers) + step_up, UpdateMemberRequest => Nothing;
    /// Takes a member's second factor off, because it was lost. *Step-up.*
    ResetTwoFactor: "/v1/access/members/reset-two-factor", Holders(ManageMembers) + step_up, MemberRequest => Nothing;
    /// Makes or changes a team.
    PutTeam: "/v1/access/teams/put", Holders(ManageTeams) + step_up, PutTeamRequest => Nothing;
    /// Deletes a team.
    DeleteTeam: "/v1/access/teams/delete", Holders(ManageTeams) + step_up, DeleteTeamRequest => Nothing;
    /// Sets the workspace's rules about access. *Step-up.*
    SetAccessRules: "/v1/access/rules", Holders(SetAccessRules) + step_up, AccessRules => Nothing;
    /// The workspace's policy for desks.
    GetDevicePolicy: "/v1/access/device-policy", Holders(SetDevicePolicy), Nothing => DevicePolicyView;
    /// Sets the workspace's policy for desks. *Step-up.*
    SetDevicePolicy: "/v1/access/device-policy/set", Holders(SetDevicePolicy) + step_up, SetDevicePolicyRequest => Nothing;
    /// A page of the audit log.
    Audit: "/v1/access/audit", Holders(SeeAudit), AuditRequest => AuditPage;
}

/// The socket: `GET` with a bearer access token, upgraded; carries [`super::change::Poke`] as JSON text.
pub const POKE_PATH: &str = "/v1/sync/poke";
/// Liveness: 200 with `{"status":"ok"}` without a token.
pub const HEALTH_PATH: &str = "/health";
