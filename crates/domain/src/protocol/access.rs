//! Who works in a workspace, with what rights, on which devices: invitations, members, teams, second factor, devices, audit
//! log. Everything here is asked of the server while online and kept nowhere on the desk.
//!
//! Promise: a secret (invitation token, seed of the second factor, recovery codes) is in an answer once, when it is made, and
//! never again. Acts marked *step-up* need a password given on this device within [`crate::limits::STEP_UP_LASTS`]; without it
//! the answer is [`crate::Code::StepUpNeeded`].

use serde::{Deserialize, Serialize};

use super::session::Secret;
use crate::channel::Channel;
use crate::permission::Role;
use crate::{AuditId, DeviceId, Email, InboxId, InvitationId, MemberId, PersonName, Phone, TeamId, Timestamp};

/// No arguments.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Asks what an invitation is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    pub token: Secret,
}

/// What an invitation is for, to who holds its token.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct InvitationOffer {
    pub workspace: String,
    pub email: Email,
    pub role: Role,
    pub invited_by: PersonName,
    pub expires_at: Timestamp,
}

/// Takes an invitation: makes the member and signs this device in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    pub token: Secret,
    pub name: PersonName,
    pub password: Secret,
    pub device_name: String,
    /// As in [`super::session::SignInRequest::device_key`].
    #[serde(default)]
    pub device_key: Option<String>,
}

/// A member as administrators see them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MemberEntry {
    pub id: MemberId,
    pub name: PersonName,
    pub email: Email,
    pub role: Role,
    pub active: bool,
    /// Granted by name; teams may grant more. Admins see all inboxes, whatever stands here.
    pub inboxes: Vec<InboxId>,
    pub teams: Vec<TeamId>,
    pub two_factor: bool,
    pub last_seen_at: Option<Timestamp>,
}

/// An invitation that waits.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct InvitationEntry {
    pub id: InvitationId,
    pub email: Email,
    pub role: Role,
    pub inboxes: Vec<InboxId>,
    pub teams: Vec<TeamId>,
    pub invited_by: PersonName,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether the mail went out; false when the server has no mail transport, or it failed.
    pub mailed: bool,
}

/// A team: its members see its inboxes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TeamEntry {
    pub id: TeamId,
    pub name: String,
    pub members: Vec<MemberId>,
    pub inboxes: Vec<InboxId>,
}

/// An inbox as administrators see it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct InboxEntry {
    pub id: InboxId,
    pub name: String,
    pub channel: Channel,
    pub address: Option<Phone>,
    pub connected: bool,
}

/// Rules of the whole workspace about access.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AccessRules {
    /// Members without a second factor can do nothing but set one up.
    pub two_factor_required: bool,
    /// Agents get contacts without phone number; it never reaches their desks.
    pub mask_contacts: bool,
}

/// Everything that the screens of members, teams and inboxes show. Admins only.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AccessOverview {
    pub members: Vec<MemberEntry>,
    pub invitations: Vec<InvitationEntry>,
    pub teams: Vec<TeamEntry>,
    pub inboxes: Vec<InboxEntry>,
    pub rules: AccessRules,
}

/// Invites a person. *Step-up.*
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InviteRequest {
    pub email: Email,
    pub role: Role,
    pub inboxes: Vec<InboxId>,
    pub teams: Vec<TeamId>,
}

/// A new invitation, with the link that was mailed, so that it can also be handed over in person.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Invited {
    pub invitation: InvitationEntry,
    /// What the invited person pastes into the sign-in screen.
    pub token: Secret,
}

/// Takes an invitation back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelInvitationRequest {
    pub invitation: InvitationId,
}

/// Sets a member's role, activity and access as a whole. *Step-up.* The last active admin stays one
/// ([`crate::Code::LastAdmin`]).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateMemberRequest {
    pub member: MemberId,
    pub role: Role,
    pub active: bool,
    pub inboxes: Vec<InboxId>,
    pub teams: Vec<TeamId>,
}

/// Names a member.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MemberRequest {
    pub member: MemberId,
}

/// Makes or changes a team; the id is minted by whoever asks. *Step-up.*
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutTeamRequest {
    pub team: TeamId,
    pub name: String,
    pub members: Vec<MemberId>,
    pub inboxes: Vec<InboxId>,
}

/// Deletes a team; its members lose what only it granted. *Step-up.*
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeleteTeamRequest {
    pub team: TeamId,
}

/// A device of a member.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DeviceEntry {
    pub id: DeviceId,
    pub name: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// The one that asks.
    pub current: bool,
    /// What it last said of itself; `None` when it never did.
    #[serde(default)]
    pub copy: Option<CopyReport>,
}

/// The copy of a workspace on a device, as far as the server knows.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CopyReport {
    /// When it was last in contact.
    pub heard_at: Timestamp,
    /// Edits and messages that were not sent then, and drafts.
    pub unsent: u32,
    pub drafts: u32,
    pub state: CopyState,
    /// When it locks and when it deletes itself, if nothing is heard of it.
    pub locks_at: Timestamp,
    pub wipes_at: Timestamp,
    /// Erasures that it has not confirmed.
    pub erasures_waiting: u32,
}

/// Where the copy on a device stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum CopyState {
    /// In use.
    Usable,
    /// It has locked itself by now.
    Locked,
    /// It deletes itself when it is next started; nobody has seen it do so.
    ExpiredUnconfirmed,
    /// It was told to delete itself, or will be; nobody has seen it do so.
    RevokedUnconfirmed,
    /// A signed receipt says that it is gone.
    Wiped,
}

/// Lists devices: one's own without `member`; anybody's for admins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DevicesRequest {
    pub member: Option<MemberId>,
}

/// Revokes a device, one's own or, for admins, anybody's: its tokens die at once and it wipes itself when it hears so.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeDeviceRequest {
    pub device: DeviceId,
}

/// Proves presence on this device. `code` where the member has a second factor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepUpRequest {
    pub password: Secret,
    #[serde(default)]
    pub code: Option<Secret>,
}

/// Until when this device may do what needs a step-up.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SteppedUp {
    pub until: Timestamp,
}

/// Changes one's own password; all other devices of the member are signed out. *Step-up.*
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangePasswordRequest {
    pub password: Secret,
}

/// One's own access.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct OwnAccess {
    pub email: Email,
    pub two_factor: bool,
    pub two_factor_required: bool,
    pub recovery_codes_left: u32,
    pub stepped_up_until: Option<Timestamp>,
}

/// A second factor that is being set up; it counts only once a code from it was given. *Step-up.*
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct TwoFactorOffer {
    /// Base32, for typing.
    pub secret: Secret,
    /// `otpauth://totp/…`, for a QR code.
    pub uri: Secret,
}

/// Gives a code of the second factor that is being set up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfirmTwoFactorRequest {
    pub code: Secret,
}

/// Ten codes, each good once in place of the second factor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RecoveryCodes {
    pub codes: Vec<Secret>,
}

/// One entry of the audit log. It names rows by id and says which fields changed; it holds no message text and no phone number.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AuditEntry {
    pub id: AuditId,
    /// Place in the workspace's chain, from 1.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub place: u64,
    pub at: Timestamp,
    /// Who acted; `None` for the server itself or its command line.
    pub actor: Option<MemberId>,
    pub actor_name: Option<PersonName>,
    /// `member.invited`, `device.revoked`, …: catalogs translate it.
    pub action: String,
    /// What was acted on, as `kind/id`.
    pub target: String,
    /// Name of the target when it still has one.
    pub target_name: Option<String>,
    /// What changed: names of fields, roles, counts. No personal data.
    pub details: String,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditRequest {
    /// Entries with a smaller place.
    pub before: Option<u64>,
    /// At most 200.
    pub limit: u32,
}

/// The answer to [`AuditRequest`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AuditPage {
    pub entries: Vec<AuditEntry>,
    /// The last signed checkpoint's place, 0 when there is none yet.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub sealed_upto: u64,
}
