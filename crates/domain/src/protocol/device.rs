//! What a desk and its server say to each other on every contact, before anything is offered: the device policy, the lease,
//! the custody of the outbox key, erasures and receipts (SYNC.md, on contact).
//!
//! Promise: a receipt is signed with the device's key over everything that it says, and says counts, ids and times only.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::session::Secret;
use crate::policy::DevicePolicy;
use crate::{ContactId, ConversationId, DeviceId, ErasureId, MemberId, Timestamp};

/// A contact: sent after a token was got and before anything else.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ContactRequest {
    /// The lease whose secret the desk has; `None` when it has none and is locked.
    pub lease: Option<u64>,
    /// Whether the desk can take a new lease now: it is open.
    pub renew: bool,
    /// Intents that were not sent, refused ones included.
    pub unsent: u32,
    pub drafts: u32,
    /// The outbox key, hex, for custody: until it was acknowledged once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox_key: Option<Secret>,
    /// Erasures up to this place were carried out; `None`: the desk is locked and can carry none out.
    pub erased_upto: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<Receipt>,
}

/// The answer to [`ContactRequest`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactAnswer {
    pub server_time: Timestamp,
    /// Raised by every change of the policy.
    pub policy_epoch: u64,
    pub policy: DevicePolicy,
    /// The present lease, and the one before it: the desk has been wrapped under one of the two.
    pub lease: Lease,
    pub previous: Option<Lease>,
    /// The server keeps the outbox key.
    pub in_custody: bool,
    /// Erasures that this desk has not carried out, in order of place; more follow at the next contact.
    pub erasures: Vec<Erasure>,
    pub more_erasures: bool,
    /// How many of the receipts are recorded or will never be.
    pub receipts_taken: u32,
}

/// A lease: part of what the desk's keys are wrapped under.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lease {
    /// Counts from 1 for each device.
    pub serial: u64,
    /// 32 bytes, hex.
    pub secret: Secret,
}

/// A person to be erased on every desk. Names ids only (PRIVACY.md DSK-9.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Erasure {
    pub id: ErasureId,
    /// Place in the workspace's order of erasures, from 1.
    pub place: u64,
    pub contact: ContactId,
    pub conversations: Vec<ConversationId>,
}

/// Why a desk deleted everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum WipeReason {
    SignedOut,
    Revoked,
    /// The server was not heard for too long.
    Silence,
}

impl WipeReason {
    /// The text form, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Revoked => "revoked",
            Self::Silence => "silence",
        }
    }
}

/// What a receipt is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Deed {
    /// A person was erased. `rows` were deleted, and a scan of the files found nothing of them that can be read.
    Erased { erasure: ErasureId, rows: u64 },
    /// The desk deleted everything; what it held that the server never got, as last counted.
    Wiped { reason: WipeReason, unsent: u32, drafts: u32 },
}

/// A desk's word that it deleted something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub device: DeviceId,
    /// By the desk's trusted clock.
    pub at: Timestamp,
    pub deed: Deed,
    /// By the device's key over [`Receipt::signed`], hex.
    pub signature: String,
}

impl Receipt {
    /// The bytes that are signed.
    pub fn signed(device: DeviceId, at: Timestamp, deed: Deed) -> Vec<u8> {
        let mut text = format!("parley-receipt-1|{device}|{}|", at.0);
        let _ = match deed {
            Deed::Erased { erasure, rows } => write!(text, "erased|{erasure}|{rows}"),
            Deed::Wiped { reason, unsent, drafts } => write!(text, "wiped|{}|{unsent}|{drafts}", reason.as_str()),
        };
        text.into_bytes()
    }
}

/// Reports the wipes of earlier desks on the same computer; nobody's session is needed to have made them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReceiptsRequest {
    pub receipts: Vec<Receipt>,
}

/// What was in custody for a device, to its member after a full re-authentication on it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Custody {
    /// Hex; `None` when there is none.
    pub outbox_key: Option<Secret>,
}

/// A workspace's policy for desks as administrators see it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DevicePolicyView {
    /// As it holds.
    pub policy: DevicePolicy,
    /// What holds when the workspace has none of its own.
    pub default: DevicePolicy,
    /// Raised by every change; 0 while the default holds from the beginning.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub epoch: u64,
    pub own: bool,
    pub changed_at: Option<Timestamp>,
    pub changed_by: Option<MemberId>,
}

/// Sets the workspace's policy; `None` goes back to the default. *Step-up.* A policy with a fault is refused with
/// [`crate::Code::PolicyInvalid`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetDevicePolicyRequest {
    pub policy: Option<DevicePolicy>,
}
