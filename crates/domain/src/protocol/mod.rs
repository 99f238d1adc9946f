//! The sync protocol between desk and server: what travels, in JSON over HTTPS. docs/SYNC.md tells the rules.
//!
//! Routes: [`endpoint`]. Rows down: [`change`]. Edits up: [`intent`]. Signing in: [`session`]. On contact: [`device`]. Members and rights: [`access`].

pub mod access;
pub mod change;
pub mod device;
pub mod endpoint;
pub mod intent;
pub mod remote;
pub mod session;

use serde::{Deserialize, Serialize};

use crate::Code;

/// Version of the protocol: 2 brought facts and kinds that are asked for whole. A request names its version in
/// [`PROTOCOL_HEADER`]; a server serves this one and the one before, so that desks and server need not be updated in the same
/// hour, and refuses others with [`Code::ProtocolMismatch`].
pub const PROTOCOL: u32 = 2;
/// The oldest version that is served.
pub const PROTOCOL_SERVED: u32 = PROTOCOL - 1;
/// Request header with the version.
pub const PROTOCOL_HEADER: &str = "parley-protocol";

/// The body of every refusal over HTTP and IPC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Problem {
    pub code: Code,
    /// For logs and developers, in English; people are shown the catalog's text for `code`.
    pub message: String,
    /// Milliseconds to wait before another try, when that helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(type = "number | null"))]
    pub retry_after: Option<i64>,
}
