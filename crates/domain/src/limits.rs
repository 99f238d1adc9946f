//! Every limit in one place. Sizes in bytes, counts in rows, times in milliseconds unless the name says otherwise.

use std::num::NonZeroU32;

use serde::Deserialize;

use crate::time::{DAY, HOUR, MINUTE, SECOND};

/// How often something may happen: so many times at once, and then so many times a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub per_second: NonZeroU32,
    pub burst: NonZeroU32,
}

impl Rate {
    /// A rate; zero is taken for one.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Largest webhook body taken; Meta sends up to 3 MB (meta-platform.md §1.3).
pub const WEBHOOK_BODY_MAX: usize = 4 * 1024 * 1024;
/// Largest body of any other request.
pub const REQUEST_BODY_MAX: usize = 1024 * 1024;
/// A pull page ends after this many rows sent.
pub const PAGE_ROWS: usize = 1_000;
/// A pull page ends after this many change rows looked at.
pub const PAGE_SCANNED: u64 = 10_000;
/// How far back facts go to desks; the server keeps them as long as the workspace (privacy/retention.default.toml, `facts_days`).
pub const FACTS_ON_DESKS: i64 = 400 * DAY;
/// Rows the desk stores in one transaction with their cursor.
pub const SLICE_ROWS: usize = 100;
/// Rows on one page of a remote list.
pub const LIST_ROWS: u32 = 100;
/// Intents in one push.
pub const PUSH_INTENTS: usize = 100;
/// Items of a workspace applied in one transaction.
pub const APPLY_ITEMS: usize = 256;
/// Raw events committed together at most.
pub const GROUP_COMMIT_EVENTS: usize = 256;
/// Longest text of a WhatsApp message in characters (meta-platform.md §6.2).
pub const WHATSAPP_TEXT_MAX: usize = 4_096;
/// Longest private note in characters.
pub const NOTE_MAX: usize = 20_000;
/// Longest `biz_opaque_callback_data` (meta-platform.md §6.1).
pub const OPAQUE_MAX: usize = 512;
/// The customer service window after the customer's last message (meta-platform.md §10).
pub const SERVICE_WINDOW: i64 = 24 * HOUR;
/// Safety margin before the window's end: a send that would arrive later is refused (meta-platform.md §10).
pub const SERVICE_WINDOW_MARGIN: i64 = 5 * MINUTE;
/// An unknown send holds its lane this long, then is shown as unconfirmed (SYNC.md).
pub const UNKNOWN_HOLDS_LANE: i64 = 120 * SECOND;
/// How long a sender may hold a message before another may call it unknown.
pub const SEND_LEASE: i64 = 60 * SECOND;
/// Deletions stay visible to pulls this long.
pub const TOMBSTONE_KEPT: i64 = 45 * DAY;
/// Outcomes of intents are kept this long; older ids are refused.
pub const OUTCOME_KEPT: i64 = 400 * DAY;
/// Dedupe keys outlive body and message by this long.
pub const DEDUPE_KEPT: i64 = 30 * DAY;
/// A raw webhook body is kept at most this long.
pub const RAW_KEPT: i64 = 7 * DAY;
/// An item of an unknown number waits this long for it.
pub const UNKNOWN_NUMBER_WAITS: i64 = 7 * DAY;
/// A status whose message is not known yet waits this long for it (meta-platform.md §4.2).
pub const ORPHAN_STATUS_WAITS: i64 = 7 * DAY;
/// Pokes to one socket: at most one in this time, the first at once.
pub const POKE_EVERY: i64 = 250;
/// Access tokens live this long.
pub const ACCESS_TOKEN_LIVES: i64 = 10 * MINUTE;
/// A refresh token that was not used for this long is dead.
pub const REFRESH_TOKEN_IDLE: i64 = 14 * DAY;
/// A repeated refresh with the previous token returns the same successor within this time.
pub const REFRESH_GRACE: i64 = 60 * SECOND;
/// A session ends this long after it was signed in, however often it was refreshed.
pub const SESSION_LIVES: i64 = 90 * DAY;
/// A password given on a device allows dangerous acts this long.
pub const STEP_UP_LASTS: i64 = 10 * MINUTE;
/// An invitation can be taken this long.
pub const INVITATION_LIVES: i64 = 7 * DAY;
/// Wrong passwords or codes of one member before sign-in is held back.
pub const SIGN_IN_TRIES: u32 = 10;
/// How long sign-in is held back then.
pub const SIGN_IN_HELD_BACK: i64 = 15 * MINUTE;
/// Recovery codes of a second factor.
pub const RECOVERY_CODES: usize = 10;
/// Shortest password, in characters.
pub const PASSWORD_MIN: usize = 10;
/// The audit log is sealed by a signed checkpoint after this many entries.
pub const AUDIT_CHECKPOINT_ENTRIES: u64 = 1_000;
/// The audit log is sealed by a signed checkpoint at least this often while entries come.
pub const AUDIT_CHECKPOINT_EVERY: i64 = 10 * MINUTE;
/// Attachments go up in parts of this size, and media stands in rows of it.
pub const CHUNK: usize = 256 * 1024;
/// Requests from one network address: an office of some hundred desks behind one address is one.
pub const RATE_ADDRESS: Rate = Rate::new(2_000, 4_000);
/// Requests from one network address that need no token: signing in, refreshing tokens, taking an invitation.
pub const RATE_STRANGER: Rate = Rate::new(50, 600);
/// Requests of one workspace, all its devices together.
pub const RATE_WORKSPACE: Rate = Rate::new(2_000, 8_000);
/// Pulls, pages of snapshots and backfills of one device.
pub const RATE_SYNC: Rate = Rate::new(200, 1_000);
/// Pushes of one device, each of up to [`PUSH_INTENTS`] edits.
pub const RATE_PUSH: Rate = Rate::new(200, 600);
/// All other requests of one device.
pub const RATE_OTHER: Rate = Rate::new(30, 200);
/// Open sockets of one device; a newer one closes the oldest.
pub const SOCKETS_DEVICE: usize = 4;
/// Open sockets of one member, on all devices.
pub const SOCKETS_MEMBER: usize = 64;
/// Open connections from one network address.
pub const CONNECTIONS_ADDRESS: usize = 4_096;
/// Open connections of one server.
pub const CONNECTIONS: usize = 32_768;
/// A connection on which nothing is heard for this long is closed; a socket is heard at every ping.
pub const CONNECTION_IDLE: i64 = 2 * MINUTE;
