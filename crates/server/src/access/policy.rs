//! The workspace's policy for desks: read and set by administrators.

use parley_domain::policy::DevicePolicy;
use parley_domain::protocol::device::DevicePolicyView;
use parley_domain::{Code, MemberId, WorkspaceId};

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::desks::{self, PolicyRow};
use crate::db::{Txn, access, transaction};
use crate::error::{Error, Result};

/// The policy as it holds.
///
/// # Errors
/// The database failed.
pub async fn read(core: &Core, workspace: WorkspaceId) -> Result<DevicePolicyView> {
    let row = desks::policy(core.db.reader(), workspace).await?;
    let own = row.as_ref().and_then(|row| row.policy.clone());
    Ok(DevicePolicyView {
        own: own.is_some(),
        policy: own.unwrap_or_default(),
        default: DevicePolicy::default(),
        epoch: row.as_ref().map_or(0, |row| row.epoch),
        changed_at: row.as_ref().map(|row| row.at),
        changed_by: row.and_then(|row| row.set_by),
    })
}

/// Sets the policy, or goes back to the default. Every desk that is connected hears of it at once: its socket closes, and it
/// makes a contact.
///
/// # Errors
/// [`Code::PolicyInvalid`] when it would break one of its own rules.
pub async fn set(
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    policy: Option<DevicePolicy>,
) -> Result<()> {
    if let Some(policy) = &policy {
        policy
            .check()
            .map_err(|_| Error::Refused(Code::PolicyInvalid, "the policy would break one of its own rules"))?;
    }
    let members = transaction!(core.db, |txn| write(&txn, core, workspace, actor, policy.as_ref()))?;
    for member in members {
        core.pokes.permission(member);
    }
    Ok(())
}

async fn write(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    actor: Option<MemberId>,
    policy: Option<&DevicePolicy>,
) -> Result<Vec<MemberId>> {
    access::lock(txn, workspace).await?;
    let before = desks::policy(txn, workspace).await?;
    let epoch = before.as_ref().map_or(0, |row| row.epoch) + 1;
    let was = before.and_then(|row| row.policy).unwrap_or_default();
    let is = policy.cloned().unwrap_or_default();
    let row = PolicyRow { epoch, policy: policy.cloned(), set_by: actor, at: core.now() };
    desks::put_policy(txn, workspace, row).await?;
    let target = format!("workspace/{workspace}");
    let details = changes(&was, &is);
    let entry = Entry { actor, action: "device_policy.changed", target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await?;
    access::active_members(txn, workspace, None).await
}

/// Names of what changed, with the new values: numbers and words of the policy only.
fn changes(was: &DevicePolicy, is: &DevicePolicy) -> String {
    let (Ok(serde_json::Value::Object(was)), Ok(serde_json::Value::Object(is))) =
        (serde_json::to_value(was), serde_json::to_value(is))
    else {
        return String::new();
    };
    let changed = is.iter().filter(|(name, value)| was.get(*name) != Some(*value));
    changed.map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join(", ")
}
