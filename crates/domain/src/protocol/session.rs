//! Signing in: a member on a device. Tokens are opaque, 256 bits, stored hashed by the server; an access token lives minutes,
//! a refresh token is replaced at every use.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::permission::Role;
use crate::{DeviceId, Email, InboxId, MemberId, PersonName, Timestamp, WorkspaceId};

/// A bearer token or password on its way; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The secret text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Signs in with e-mail and password.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    pub email: Email,
    pub password: Secret,
    /// The device's id when it was signed in before, so that a re-authentication keeps it.
    pub device: Option<DeviceId>,
    /// How the member calls this computer.
    pub device_name: String,
    /// The code of the second factor, or a recovery code. Without it a member who has a second factor is refused with
    /// [`crate::Code::SecondFactorNeeded`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Secret>,
    /// The device's Ed25519 public key, hex. Refreshing then needs a signature by it ([`RefreshRequest::proof`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_key: Option<String>,
}

/// A session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    pub workspace: WorkspaceId,
    pub workspace_name: String,
    pub member: MemberId,
    pub member_name: PersonName,
    pub role: Role,
    pub inboxes: Vec<InboxId>,
    pub device: DeviceId,
    pub access_token: Secret,
    pub access_expires_at: Timestamp,
    pub refresh_token: Secret,
    /// The server's time, for the desk's trusted clock.
    pub server_time: Timestamp,
}

/// Replaces a session's tokens. The same refresh token with the same device returns the same successor for 60 s, so that a
/// lost response does not sign anybody out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    pub device: DeviceId,
    pub refresh_token: Secret,
    /// Signature by the device's key over [`refresh_proof`] of this request, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
}

/// What a device signs to refresh its tokens: a stolen token alone is then of no use.
pub fn refresh_proof(device: DeviceId, refresh_token: &Secret) -> Vec<u8> {
    format!("parley-refresh-1|{device}|{}", refresh_token.expose()).into_bytes()
}
