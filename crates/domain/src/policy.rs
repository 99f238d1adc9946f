//! What a desk may hold, and for how long: the workspace's device policy, with what differs for a role.
//!
//! Promise: one set of rules for both sides. The default is `privacy/retention.default.toml`; a workspace's own policy is taken
//! only when [`DevicePolicy::check`] finds nothing wrong with it. [`DeviceRules`] are the policy as it holds for one role; its
//! functions say which rows a desk of that role keeps (PRIVACY.md DSK-7.1). How long a desk may be out of touch is
//! [`crate::lease`].

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::permission::Role;
use crate::time::DAY;

/// The file of defaults, as it stands in `privacy/`.
const DEFAULTS: &str = include_str!("../../../privacy/retention.default.toml");
/// A closed order stays this long, so that whoever closed it sees it closed.
pub const CLOSED_ORDER_STAYS: i64 = DAY;
/// Longest that any promise of deletion may be, in days.
const PROMISE_MAX: u32 = 90;

/// Contacts that a desk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum ContactScope {
    /// Those of conversations and orders that the desk holds.
    AssignedOrRecent,
    /// Every contact in the member's scope.
    All,
}

/// Orders that a desk holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum OrderScope {
    /// Those that are not closed, and those closed within `pipeline_days` where a role has them.
    OpenOnly,
    /// Every order in the member's scope.
    All,
}

/// What differs for a role; `null` is as for everybody.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RolePolicy {
    #[serde(default)]
    pub message_window_days: Option<u32>,
    /// Days that a closed order stays on the desk.
    #[serde(default)]
    pub pipeline_days: Option<u32>,
    #[serde(default)]
    pub lock_after_days: Option<u32>,
}

/// A workspace's policy for desks. Days of 24 hours.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DevicePolicy {
    /// Messages and notes older than this are not on a desk; 0: none ever is.
    pub message_window_days: u32,
    /// Conversations on a desk, newest activity first.
    pub conversations_max: u32,
    pub contacts: ContactScope,
    pub orders: OrderScope,
    pub facts_days: u32,
    /// Media goes this long after it was last opened.
    pub media_days: u32,
    pub media_max_mb: u32,
    /// A draft goes this long after it was last typed in.
    pub drafts_days: u32,
    pub search_index: bool,
    /// The lease secret is replaced this often.
    pub lease_hours: u32,
    /// Without contact for this long the desk locks until there is one.
    pub lock_after_days: u32,
    /// Without contact for this long the desk deletes what it holds.
    pub wipe_after_days: u32,
    /// Days within which whoever asks for deletion is promised it everywhere.
    pub deletion_promise_days: u32,
    /// Minutes without a key or a click after which a desk with an app lock locks; 0: never.
    pub idle_lock_min: u32,
    pub log_days: u32,
    pub log_max_mb: u32,
    pub clipboard_clear_s: u32,
    pub notification_preview: bool,
    pub backup_excluded: bool,
    pub wipe_on_sign_out: bool,
    /// The workspace's own age of messages (class `message`), the same on every desk; 0: as long as the account.
    #[serde(default)]
    pub message_keep_days: u32,
    #[serde(default)]
    pub role: BTreeMap<Role, RolePolicy>,
}

/// Why a policy is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyFault {
    #[error("a desk would be wiped before it locks")]
    WipeBeforeLock,
    #[error("a copy could outlive the promise of deletion")]
    PromiseBroken,
    #[error("the promise of deletion is longer than any may be")]
    PromiseTooLong,
    #[error("the memory of an erasure could end before the last copy")]
    TombstoneTooShort,
    #[error("the lease is longer than a desk may be without one")]
    LeaseTooLong,
    #[error("a number is out of bounds")]
    OutOfBounds,
}

#[derive(Deserialize)]
struct Defaults {
    workspace: WorkspaceDefaults,
    class: BTreeMap<String, ClassDefaults>,
    device: DevicePolicy,
}

#[derive(Deserialize)]
struct WorkspaceDefaults {
    backup_days: u32,
    erasure_tombstone_days: u32,
}

#[derive(Deserialize)]
struct ClassDefaults {
    #[serde(default)]
    keep_days: u32,
}

static PARSED: LazyLock<Defaults> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is part of the program; a test reads it")]
    let mut parsed: Defaults = toml::from_str(DEFAULTS).expect("privacy/retention.default.toml is not readable");
    parsed.device.message_keep_days = parsed.class.get("message").map_or(0, |class| class.keep_days);
    parsed
});

/// Days that an erasure is remembered and offered to desks.
pub fn erasure_tombstone_days() -> u32 {
    PARSED.workspace.erasure_tombstone_days
}

impl Default for DevicePolicy {
    /// The policy of `privacy/retention.default.toml`.
    fn default() -> Self {
        PARSED.device.clone()
    }
}

impl DevicePolicy {
    /// What is wrong with the policy.
    ///
    /// # Errors
    /// The first fault that is found, for the base or for a role.
    pub fn check(&self) -> Result<(), PolicyFault> {
        let bounds = [
            (self.message_window_days, 0, 3_650),
            (self.conversations_max, 1, 10_000_000),
            (self.facts_days, 0, 3_650),
            (self.media_days, 0, 3_650),
            (self.media_max_mb, 0, 1_048_576),
            (self.drafts_days, 1, 3_650),
            (self.lease_hours, 1, 720),
            (self.lock_after_days, 1, 365),
            (self.wipe_after_days, 1, 365),
            (self.deletion_promise_days, 1, 365),
            (self.idle_lock_min, 0, 1_440),
            (self.log_days, 0, 365),
            (self.log_max_mb, 0, 1_024),
            (self.clipboard_clear_s, 0, 3_600),
            (self.message_keep_days, 0, 3_650),
        ];
        if bounds.iter().any(|(value, least, most)| value < least || value > most) {
            return Err(PolicyFault::OutOfBounds);
        }
        if self.deletion_promise_days > PROMISE_MAX {
            return Err(PolicyFault::PromiseTooLong);
        }
        if self.wipe_after_days >= self.deletion_promise_days {
            return Err(PolicyFault::PromiseBroken);
        }
        if PARSED.workspace.erasure_tombstone_days <= self.wipe_after_days + PARSED.workspace.backup_days {
            return Err(PolicyFault::TombstoneTooShort);
        }
        for role in [Role::Agent, Role::Manager, Role::Admin] {
            let rules = self.of(role);
            if rules.message_window_days > 3_650 || rules.pipeline_days > 3_650 || rules.lock_after_days == 0 {
                return Err(PolicyFault::OutOfBounds);
            }
            if rules.lock_after_days >= rules.wipe_after_days {
                return Err(PolicyFault::WipeBeforeLock);
            }
            if rules.lease_hours > rules.lock_after_days.saturating_mul(24) {
                return Err(PolicyFault::LeaseTooLong);
            }
        }
        Ok(())
    }

    /// The policy as it holds for a role.
    pub fn of(&self, role: Role) -> DeviceRules {
        let own = self.role.get(&role).copied().unwrap_or_default();
        DeviceRules {
            message_window_days: own.message_window_days.unwrap_or(self.message_window_days),
            message_keep_days: self.message_keep_days,
            conversations_max: self.conversations_max,
            contacts: self.contacts,
            orders: self.orders,
            pipeline_days: own.pipeline_days.unwrap_or(0),
            facts_days: self.facts_days,
            media_days: self.media_days,
            media_max_mb: self.media_max_mb,
            drafts_days: self.drafts_days,
            lease_hours: self.lease_hours,
            lock_after_days: own.lock_after_days.unwrap_or(self.lock_after_days),
            wipe_after_days: self.wipe_after_days,
            idle_lock_min: self.idle_lock_min,
            clipboard_clear_s: self.clipboard_clear_s,
            notification_preview: self.notification_preview,
            wipe_on_sign_out: self.wipe_on_sign_out,
        }
    }
}

/// The policy as it holds for the role of this desk's member.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct DeviceRules {
    pub message_window_days: u32,
    pub message_keep_days: u32,
    pub conversations_max: u32,
    pub contacts: ContactScope,
    pub orders: OrderScope,
    pub pipeline_days: u32,
    pub facts_days: u32,
    pub media_days: u32,
    pub media_max_mb: u32,
    pub drafts_days: u32,
    pub lease_hours: u32,
    pub lock_after_days: u32,
    pub wipe_after_days: u32,
    pub idle_lock_min: u32,
    pub clipboard_clear_s: u32,
    pub notification_preview: bool,
    pub wipe_on_sign_out: bool,
}

impl DeviceRules {
    /// Messages sent before this are not held. Legal holds do not move it: they are the server's alone.
    pub fn messages_since(&self, now: Timestamp) -> Timestamp {
        let window = now - days(self.message_window_days);
        match self.message_window_days {
            0 => Timestamp(i64::MAX),
            _ if self.message_keep_days == 0 => window,
            _ => window.max(now - days(self.message_keep_days)),
        }
    }

    /// Whether no message is ever held.
    pub fn without_messages(&self) -> bool {
        self.message_window_days == 0
    }

    /// Closed orders that came to their stage before this are not held.
    pub fn closed_orders_since(&self, now: Timestamp) -> Timestamp {
        match self.orders {
            OrderScope::All => Timestamp(i64::MIN),
            OrderScope::OpenOnly => now - days(self.pipeline_days).max(CLOSED_ORDER_STAYS),
        }
    }

    /// Drafts last typed in before this are not held.
    pub fn drafts_since(&self, now: Timestamp) -> Timestamp {
        now - days(self.drafts_days)
    }

    /// Media last opened before this is not held.
    pub fn media_since(&self, now: Timestamp) -> Timestamp {
        now - days(self.media_days)
    }
}

/// When a row of this age goes everywhere; `None`: with the account.
pub fn expires_at(sent_at: Timestamp, keep_days: u32) -> Option<Timestamp> {
    (keep_days > 0).then(|| sent_at + days(keep_days))
}

fn days(count: u32) -> i64 {
    i64::from(count) * DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_file_and_keeps_its_own_rules() {
        let policy = DevicePolicy::default();
        assert_eq!(policy.check(), Ok(()));
        assert_eq!((policy.message_window_days, policy.conversations_max, policy.facts_days), (30, 500, 400));
        assert_eq!((policy.lock_after_days, policy.wipe_after_days, policy.deletion_promise_days), (7, 21, 30));
        let manager = policy.of(Role::Manager);
        assert!(manager.without_messages());
        assert_eq!((manager.pipeline_days, manager.lock_after_days, manager.wipe_after_days), (90, 14, 21));
        assert_eq!(policy.of(Role::Admin).message_window_days, 7);
        assert_eq!(policy.of(Role::Agent).lock_after_days, 7);
    }

    #[test]
    fn a_policy_that_breaks_a_promise_is_not_taken() {
        let with = |change: fn(&mut DevicePolicy)| {
            let mut policy = DevicePolicy::default();
            change(&mut policy);
            policy.check()
        };
        assert_eq!(with(|policy| policy.wipe_after_days = 30), Err(PolicyFault::PromiseBroken));
        assert_eq!(with(|policy| policy.wipe_after_days = 7), Err(PolicyFault::WipeBeforeLock));
        assert_eq!(with(|policy| policy.wipe_after_days = 14), Err(PolicyFault::WipeBeforeLock), "a manager's lock");
        assert_eq!(with(|policy| policy.lease_hours = 200), Err(PolicyFault::LeaseTooLong));
        assert_eq!(with(|policy| policy.lease_hours = 0), Err(PolicyFault::OutOfBounds));
        assert_eq!(with(|policy| policy.deletion_promise_days = 91), Err(PolicyFault::PromiseTooLong));
        // A workspace that promises deletion within 60 days may let desks be away longer.
        let longer = |policy: &mut DevicePolicy| {
            (policy.lock_after_days, policy.wipe_after_days, policy.deletion_promise_days) = (40, 45, 60);
        };
        assert_eq!(with(longer), Ok(()));
    }

    #[test]
    fn the_window_and_the_workspaces_age_cut_whichever_is_shorter() {
        let now = Timestamp(1_000 * DAY);
        let mut rules = DevicePolicy::default().of(Role::Agent);
        assert_eq!(rules.messages_since(now), now - 30 * DAY);
        rules.message_keep_days = 10;
        assert_eq!(rules.messages_since(now), now - 10 * DAY);
        rules.message_keep_days = 100;
        assert_eq!(rules.messages_since(now), now - 30 * DAY);
        rules.message_window_days = 0;
        assert!(rules.messages_since(now) > now);
        assert_eq!(expires_at(now, 0), None);
        assert_eq!(expires_at(now, 10), Some(now + 10 * DAY));
    }
}
