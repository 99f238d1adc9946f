//! The workspace's rules about access: whether a second factor is required, whether agents see phone numbers.

use std::collections::BTreeSet;

use parley_domain::permission::{Permission, Role, allows};
use parley_domain::protocol::access::AccessRules;
use parley_domain::{MemberId, WorkspaceId};

use crate::app::Core;
use crate::audit::{self, Entry};
use crate::db::{self, Txn, access, transaction};
use crate::error::Result;

/// Sets the rules. Those for whom something changes start over: agents when phone numbers are hidden or shown, members
/// without a second factor when one is required.
///
/// # Errors
/// The database failed.
pub async fn set(core: &Core, workspace: WorkspaceId, actor: MemberId, rules: AccessRules) -> Result<()> {
    let changed = transaction!(core.db, |txn| write(&txn, core, workspace, actor, rules))?;
    for member in changed {
        core.pokes.permission(member);
    }
    Ok(())
}

async fn write(
    txn: &Txn,
    core: &Core,
    workspace: WorkspaceId,
    actor: MemberId,
    rules: AccessRules,
) -> Result<BTreeSet<MemberId>> {
    access::lock(txn, workspace).await?;
    let before = access::rules(txn, workspace).await?;
    access::set_rules(txn, workspace, rules).await?;
    let mut changed = BTreeSet::new();
    if before.mask_contacts != rules.mask_contacts {
        for role in [Role::Agent, Role::Manager, Role::Admin] {
            if !allows(role, Permission::SeeMaskedContacts) {
                changed.extend(access::active_members(txn, workspace, Some(role)).await?);
            }
        }
    }
    if rules.two_factor_required && !before.two_factor_required {
        for member in access::active_members(txn, workspace, None).await? {
            if access::member(txn, workspace, member).await?.is_some_and(|member| !member.two_factor) {
                changed.insert(member);
            }
        }
    }
    for member in &changed {
        db::admin::raise_epoch(txn, workspace, *member).await?;
    }
    let target = format!("workspace/{workspace}");
    let details = format!("two_factor_required: {}, mask_contacts: {}", rules.two_factor_required, rules.mask_contacts);
    let entry = Entry { actor: Some(actor), action: "access.rules_changed", target: &target, details: &details };
    audit::record(txn, core, workspace, entry).await?;
    Ok(changed)
}
