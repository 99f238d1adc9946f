//! What the screens of members, teams and inboxes show, read in a few statements whatever the number of members.

use std::collections::HashMap;

use parley_domain::permission::Role;
use parley_domain::protocol::access::{AccessOverview, InboxEntry, InvitationEntry, MemberEntry, TeamEntry};
use parley_domain::{Email, MemberId, PersonName, Phone, Timestamp, WorkspaceId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::invitations::InvitationRow;
use super::rows::{typed, word};
use super::{access, invitations, table};
use crate::error::{Error, Result};

/// Everything about access in a workspace, as of one snapshot.
pub async fn read<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<AccessOverview> {
    let own = workspace.to_string();
    macro_rules! all {
        ($table:ident) => {
            table::$table::Entity::find().filter(table::$table::Column::Workspace.eq(&own)).all(connection).await?
        };
    }
    let mut seen: HashMap<String, i64> = HashMap::new();
    let devices: Vec<(String, Option<i64>)> = {
        use table::device::{Column, Entity};
        Entity::find()
            .select_only()
            .column(Column::Member)
            .column_as(Column::LastSeenAt.max(), "seen")
            .filter(Column::Workspace.eq(&own))
            .group_by(Column::Member)
            .into_tuple()
            .all(connection)
            .await?
    };
    seen.extend(devices.into_iter().filter_map(|(member, at)| Some((member, at?))));
    let mut members = Vec::new();
    let mut places = HashMap::new();
    for row in table::member::Entity::find()
        .filter(table::member::Column::Workspace.eq(&own))
        .order_by_asc(table::member::Column::Id)
        .all(connection)
        .await?
    {
        places.insert(row.id.clone(), members.len());
        members.push(MemberEntry {
            id: typed(&row.id)?,
            name: PersonName::new(row.name),
            email: Email::new(row.email),
            role: Role::parse(&row.role).ok_or(Error::Damaged("role"))?,
            active: row.active,
            inboxes: Vec::new(),
            teams: Vec::new(),
            two_factor: row.two_factor,
            last_seen_at: seen.get(&row.id).copied().map(Timestamp),
        });
    }
    let member = |members: &mut Vec<MemberEntry>, id: &str, put: &mut dyn FnMut(&mut MemberEntry)| {
        if let Some(entry) = places.get(id).and_then(|place| members.get_mut(*place)) {
            put(entry);
        }
    };
    for row in all!(member_inbox) {
        let inbox = typed(&row.inbox)?;
        member(&mut members, &row.member, &mut |entry| entry.inboxes.push(inbox));
    }
    let mut teams = Vec::new();
    let mut team_places = HashMap::new();
    for row in table::team::Entity::find()
        .filter(table::team::Column::Workspace.eq(&own))
        .order_by_asc(table::team::Column::Id)
        .all(connection)
        .await?
    {
        team_places.insert(row.id.clone(), teams.len());
        teams.push(TeamEntry { id: typed(&row.id)?, name: row.name, members: Vec::new(), inboxes: Vec::new() });
    }
    for row in all!(team_member) {
        let id = typed(&row.team)?;
        member(&mut members, &row.member, &mut |entry| entry.teams.push(id));
        if let Some(team) = team_places.get(&row.team).and_then(|place| teams.get_mut(*place)) {
            team.members.push(typed(&row.member)?);
        }
    }
    for row in all!(team_inbox) {
        if let Some(team) = team_places.get(&row.team).and_then(|place| teams.get_mut(*place)) {
            team.inboxes.push(typed(&row.inbox)?);
        }
    }
    let mut inboxes = Vec::new();
    for row in all!(inbox) {
        inboxes.push(InboxEntry {
            id: typed(&row.id)?,
            name: row.name,
            channel: word(&row.channel)?,
            address: row.address.map(Phone::new),
            connected: row.connected,
        });
    }
    let mut waiting = Vec::new();
    for row in invitations::waiting(connection, workspace, now).await? {
        waiting.push(invitation(connection, row).await?);
    }
    let rules = access::rules(connection, workspace).await?;
    Ok(AccessOverview { members, invitations: waiting, teams, inboxes, rules })
}

/// An invitation as administrators see it.
pub async fn invitation<C: ConnectionTrait>(connection: &C, row: InvitationRow) -> Result<InvitationEntry> {
    Ok(InvitationEntry {
        id: row.id,
        role: row.role,
        inboxes: row.inboxes.iter().copied().collect(),
        teams: row.teams.iter().copied().collect(),
        invited_by: inviter(connection, row.workspace, row.invited_by).await?,
        email: row.email,
        created_at: row.created_at,
        expires_at: row.expires_at,
        mailed: row.mailed,
    })
}

/// Who invited: a member, or the workspace itself when the command line did.
pub async fn inviter<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    member: Option<MemberId>,
) -> Result<PersonName> {
    let own = workspace.to_string();
    let name = match member {
        Some(member) => {
            table::member::Entity::find_by_id((own, member.to_string())).one(connection).await?.map(|row| row.name)
        }
        None => table::workspace::Entity::find_by_id(own).one(connection).await?.map(|row| row.name),
    };
    Ok(PersonName::new(name.unwrap_or_default()))
}
