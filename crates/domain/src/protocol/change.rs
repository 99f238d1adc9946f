//! Rows on their way to a desk.
//!
//! A page is one consistent reading of the server: rows, roots that came into or left the member's scope, outcomes of this
//! device's intents, and the cursor that continues. The desk stores a slice of rows with its cursor in one transaction.

use serde::{Deserialize, Serialize};

use crate::entity::{Entity, Key, Root};
use crate::protocol::intent::Outcome;

/// One row as of `seq`. `entity` is `None` when the row was deleted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    pub key: Key,
    pub root: Root,
    pub seq: u64,
    pub entity: Option<Entity>,
}

/// Asks for what changed after a cursor.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    /// As the server gave it; opaque, authenticated (SYNC.md, cursor).
    pub cursor: String,
}

/// One page of changes.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PullPage {
    /// In order of `seq`.
    pub rows: Vec<Row>,
    /// Roots that became visible: their rows follow by backfill.
    pub enter: Vec<Root>,
    /// Roots that are no longer visible: the desk hides them at once and deletes everything under them.
    pub gone: Vec<Root>,
    /// Outcomes of this device's intents, in order of `at_seq`.
    pub outcomes: Vec<Outcome>,
    /// Everything up to here is in this page or an earlier one.
    pub upto: u64,
    /// Continues behind this page.
    pub cursor: String,
    /// More is waiting.
    pub more: bool,
    /// Intermediate cursors: after `rows[..index]` the desk may store `cursor`. In order of `index`, at most 100 apart.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

/// A cursor inside a page.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mark {
    pub index: usize,
    pub cursor: String,
}

/// Why a cursor cannot be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResyncReason {
    /// The cursor is older than tombstones are kept.
    Age,
    /// The server was restored from a backup: another lineage.
    Lineage,
    /// A kind has another shape now.
    Schema,
    /// What the member may see changed.
    Permission,
    /// The cursor is not one of ours.
    Invalid,
}

/// The answer (HTTP 409) to a pull whose cursor cannot be served.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResyncRequired {
    pub reason: ResyncReason,
    pub lineage: String,
    /// For [`ResyncReason::Permission`]: the inboxes that stay allowed; everything outside is hidden before anything is painted.
    pub allowed: Vec<crate::InboxId>,
}

/// Asks for the next page of a snapshot, or starts one.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SnapshotRequest {
    /// `None` starts a snapshot.
    pub after: Option<String>,
}

/// Asks for the rows of one root, or of one kind: then `root` is that kind, which is no root, with the workspace's id
/// (SYNC.md S26).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    pub root: Root,
    pub after: Option<String>,
}

/// A page of a snapshot or of a backfill: workspace rows first, then newest conversations first, each with its contact, its
/// messages newest first, its orders.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SnapshotPage {
    pub rows: Vec<Row>,
    /// Continues; `None` when this was the last page.
    pub after: Option<String>,
    /// For snapshots: the cursor from which pulling goes on once the last page is stored; on every page the same.
    pub cursor: String,
    /// Rows still to come, roughly: for a progress bar.
    pub remaining: u64,
}

/// What the socket carries, as JSON text frames.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Poke {
    /// Something in scope changed; `seq` is now this.
    Changed { seq: u64 },
    /// The device was revoked: wipe.
    Revoked,
}
