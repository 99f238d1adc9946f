//! Identifiers. Each kind of row has its own type over a UUIDv7, so that ids cannot be mixed up; a desk mints ids for what
//! it creates and they stay for good. Meta's ids are strings of their own types: opaque and case-sensitive.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub struct $name(#[cfg_attr(feature = "ts", ts(type = "string"))] pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

uuid_ids! {
    /// A business that uses Parley; every row belongs to exactly one.
    WorkspaceId;
    /// A person who works in a workspace.
    MemberId;
    /// One installation of the desk, signed in as one member.
    DeviceId;
    /// One connected endpoint of a channel, for WhatsApp one business phone number.
    InboxId;
    /// A person who writes to the business.
    ContactId;
    /// One address under which a contact is known on a channel.
    IdentityId;
    /// The talk with one contact in one inbox.
    ConversationId;
    /// One entry of a timeline: incoming, outgoing, note or activity.
    MessageId;
    /// A label that members put on conversations.
    LabelId;
    /// A board of stages.
    PipelineId;
    /// One column of a pipeline.
    StageId;
    /// What a customer ordered.
    OrderId;
    /// One line of an order.
    OrderItemId;
    /// One thing that happened, for reports.
    FactId;
    /// A group of members that shares inboxes.
    TeamId;
    /// An invitation to work in a workspace.
    InvitationId;
    /// One entry of the audit log.
    AuditId;
    /// The erasure of one person; says nothing of them.
    ErasureId;
    /// One edit made on a desk; its idempotency key, minted once when the edit is made.
    IntentId;
}

macro_rules! meta_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS))]
        pub struct $name(pub String);

        impl $name {
            /// The id as Meta wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }
        // Redacted: a wamid holds the customer's phone number in base64.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

meta_ids! {
    /// Meta's id of a WhatsApp message: opaque, at most about 200 characters, case-sensitive (meta-platform.md §3).
    Wamid;
    /// Meta's id of a business phone number.
    PhoneNumberId;
    /// Meta's id of a WhatsApp business account.
    WabaId;
    /// Meta's id of an app; a webhook address names one.
    AppId;
}
