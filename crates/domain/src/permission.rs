//! Who may see and do what: one table, asked by the server for every request and by the desk for every button.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{InboxId, MemberId};

/// A member's role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Role {
    Agent,
    Manager,
    Admin,
}

impl Role {
    /// The text form, as stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// The role with that text form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Agent, Self::Manager, Self::Admin].into_iter().find(|role| role.as_str() == text)
    }
}

/// What a member may be allowed to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Read conversations in scope.
    ReadConversations,
    /// Write to customers.
    Reply,
    /// Write private notes.
    WriteNotes,
    /// Assign conversations to members.
    Assign,
    /// Change status and labels.
    Triage,
    /// Move orders through stages.
    MoveOrders,
    /// See conversations that are assigned to others.
    SeeAssignedToOthers,
    /// See customers' phone numbers where the workspace hides them from agents.
    SeeMaskedContacts,
    /// Invite members, change their role and access, switch them off, reset their second factor.
    ManageMembers,
    /// Make, change and delete teams.
    ManageTeams,
    /// See and revoke devices of other members.
    ManageDevicesOfOthers,
    /// Set the workspace's rules about access.
    SetAccessRules,
    /// Set what desks may hold, and for how long.
    SetDevicePolicy,
    /// Read the audit log.
    SeeAudit,
    /// See reports, and hold the facts that they are counted from.
    SeeReports,
}

impl Permission {
    /// Every permission, for tests that walk over the table.
    pub const ALL: &'static [Permission] = &[
        Self::ReadConversations,
        Self::Reply,
        Self::WriteNotes,
        Self::Assign,
        Self::Triage,
        Self::MoveOrders,
        Self::SeeAssignedToOthers,
        Self::SeeMaskedContacts,
        Self::ManageMembers,
        Self::ManageTeams,
        Self::ManageDevicesOfOthers,
        Self::SetAccessRules,
        Self::SetDevicePolicy,
        Self::SeeAudit,
        Self::SeeReports,
    ];
}

/// The table.
pub fn allows(role: Role, permission: Permission) -> bool {
    use Permission::*;
    match permission {
        ReadConversations | Reply | WriteNotes | Assign | Triage | MoveOrders => true,
        SeeAssignedToOthers | SeeMaskedContacts | SeeReports => role >= Role::Manager,
        ManageMembers | ManageTeams | ManageDevicesOfOthers | SetAccessRules | SetDevicePolicy | SeeAudit => {
            role == Role::Admin
        }
    }
}

/// Who asks: made by authentication only, on the server; from the signed-in session on the desk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    pub member: MemberId,
    pub role: Role,
    /// Inboxes the member may see. Admins see all, whatever stands here.
    pub inboxes: BTreeSet<InboxId>,
}

impl Actor {
    /// Whether the member may see what belongs to the inbox as a whole.
    pub fn sees_inbox(&self, inbox: InboxId) -> bool {
        self.role == Role::Admin || self.inboxes.contains(&inbox)
    }

    /// Whether the member may see a conversation: its inbox, and for agents only what is theirs or nobody's.
    pub fn sees_conversation(&self, inbox: InboxId, assignee: Option<MemberId>) -> bool {
        self.sees_inbox(inbox)
            && (allows(self.role, Permission::SeeAssignedToOthers) || assignee.is_none_or(|who| who == self.member))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_higher_role_may_whatever_a_lower_one_may() {
        for permission in Permission::ALL {
            assert!(!allows(Role::Agent, *permission) || allows(Role::Manager, *permission), "{permission:?}");
            assert!(!allows(Role::Manager, *permission) || allows(Role::Admin, *permission), "{permission:?}");
            assert!(allows(Role::Admin, *permission), "{permission:?}");
        }
    }
}
