//! Teams: groups of members that share inboxes. Also the sets of ids that access consists of.

use std::collections::BTreeSet;

use parley_domain::{InboxId, MemberId, TeamId, Timestamp, WorkspaceId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};

use super::rows::{among, insert, typed, upsert};
use super::table;
use crate::error::Result;

/// The members of a team.
pub async fn members<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    team: TeamId,
) -> Result<BTreeSet<MemberId>> {
    use table::team_member::{Column, Entity};
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Member)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Team.eq(team.to_string()))
        .into_tuple()
        .all(connection)
        .await?;
    ids.iter().map(|id| typed(id)).collect()
}

/// The teams of a member.
pub async fn of_member<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    member: MemberId,
) -> Result<BTreeSet<TeamId>> {
    use table::team_member::{Column, Entity};
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Team)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .into_tuple()
        .all(connection)
        .await?;
    ids.iter().map(|id| typed(id)).collect()
}

/// Inboxes that are granted to a member by name.
pub async fn inboxes_by_name<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    member: MemberId,
) -> Result<BTreeSet<InboxId>> {
    use table::member_inbox::{Column, Entity};
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Inbox)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .into_tuple()
        .all(connection)
        .await?;
    ids.iter().map(|id| typed(id)).collect()
}

/// Writes a team with its members and inboxes as a whole.
pub async fn put<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    team: TeamId,
    name: &str,
    members: &BTreeSet<MemberId>,
    inboxes: &BTreeSet<InboxId>,
    now: Timestamp,
) -> Result<()> {
    {
        use table::team::{ActiveModel, Column, Model};
        let row =
            Model { workspace: workspace.to_string(), id: team.to_string(), name: name.to_owned(), created_at: now.0 };
        upsert::<ActiveModel, _, _, _, _>(txn, vec![row], &[Column::Workspace, Column::Id], &[Column::Name]).await?;
    }
    empty(txn, workspace, team).await?;
    let rows = members.iter().map(|member| table::team_member::Model {
        workspace: workspace.to_string(),
        team: team.to_string(),
        member: member.to_string(),
    });
    insert::<table::team_member::ActiveModel, _, _>(txn, rows.collect()).await?;
    let rows = inboxes.iter().map(|inbox| table::team_inbox::Model {
        workspace: workspace.to_string(),
        team: team.to_string(),
        inbox: inbox.to_string(),
    });
    insert::<table::team_inbox::ActiveModel, _, _>(txn, rows.collect()).await
}

async fn empty<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, team: TeamId) -> Result<()> {
    macro_rules! delete {
        ($table:ident) => {
            table::$table::Entity::delete_many()
                .filter(table::$table::Column::Workspace.eq(workspace.to_string()))
                .filter(table::$table::Column::Team.eq(team.to_string()))
                .exec(txn)
                .await?
        };
    }
    delete!(team_member);
    delete!(team_inbox);
    Ok(())
}

/// Deletes a team, also from invitations. Whether there was one.
pub async fn delete<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, team: TeamId) -> Result<bool> {
    empty(txn, workspace, team).await?;
    table::invitation_team::Entity::delete_many()
        .filter(table::invitation_team::Column::Workspace.eq(workspace.to_string()))
        .filter(table::invitation_team::Column::Team.eq(team.to_string()))
        .exec(txn)
        .await?;
    let key = (workspace.to_string(), team.to_string());
    Ok(table::team::Entity::delete_by_id(key).exec(txn).await?.rows_affected == 1)
}

/// Sets the inboxes that are granted to a member by name, and the member's teams, as a whole.
pub async fn set_access<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    inboxes: &BTreeSet<InboxId>,
    teams: &BTreeSet<TeamId>,
) -> Result<()> {
    macro_rules! delete {
        ($table:ident) => {
            table::$table::Entity::delete_many()
                .filter(table::$table::Column::Workspace.eq(workspace.to_string()))
                .filter(table::$table::Column::Member.eq(member.to_string()))
                .exec(txn)
                .await?
        };
    }
    delete!(member_inbox);
    delete!(team_member);
    let rows = inboxes.iter().map(|inbox| table::member_inbox::Model {
        workspace: workspace.to_string(),
        member: member.to_string(),
        inbox: inbox.to_string(),
    });
    insert::<table::member_inbox::ActiveModel, _, _>(txn, rows.collect()).await?;
    let rows = teams.iter().map(|team| table::team_member::Model {
        workspace: workspace.to_string(),
        team: team.to_string(),
        member: member.to_string(),
    });
    insert::<table::team_member::ActiveModel, _, _>(txn, rows.collect()).await
}

/// Whether all of these rows are in the workspace.
pub async fn all_known<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    members: &BTreeSet<MemberId>,
    inboxes: &BTreeSet<InboxId>,
    teams: &BTreeSet<TeamId>,
) -> Result<bool> {
    macro_rules! known {
        ($table:ident, $ids:expr) => {{
            let ids: Vec<String> = $ids.iter().map(ToString::to_string).collect();
            ids.is_empty()
                || table::$table::Entity::find()
                    .filter(table::$table::Column::Workspace.eq(workspace.to_string()))
                    .filter(among(table::$table::Column::Id, &ids))
                    .count(connection)
                    .await?
                    == ids.len() as u64
        }};
    }
    Ok(known!(member, members) && known!(inbox, inboxes) && known!(team, teams))
}
