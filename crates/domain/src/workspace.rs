//! The workspace's own rows: the workspace, its members, inboxes, labels.

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::permission::Role;
use crate::{InboxId, LabelId, MemberId, PersonName, Phone, WorkspaceId};

/// A business that uses Parley.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
}

/// A person who works in the workspace, as colleagues see them (no e-mail address).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Member {
    pub id: MemberId,
    pub name: PersonName,
    pub role: Role,
    pub active: bool,
}

/// One connected endpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Inbox {
    pub id: InboxId,
    pub name: String,
    pub channel: Channel,
    /// The business's own number or handle, as customers see it.
    pub address: Option<Phone>,
    /// False when Meta disconnected or restricted it: nothing can be sent.
    pub connected: bool,
}

/// A label; `colour` is one of the palette names `amber`, `violet`, `blue`, `green`, `rose`, `slate`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Label {
    pub id: LabelId,
    pub name: String,
    pub colour: String,
}
