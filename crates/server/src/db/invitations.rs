//! Invitations: who may become a member, with what access, until when. The token is stored hashed.

use std::collections::BTreeSet;

use parley_domain::permission::Role;
use parley_domain::{Email, InboxId, InvitationId, MemberId, TeamId, Timestamp, WorkspaceId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::rows::{insert, maybe, typed};
use super::table;
use crate::error::{Error, Result};

/// An invitation that waits.
#[derive(Clone, Debug)]
pub struct InvitationRow {
    pub workspace: WorkspaceId,
    pub id: InvitationId,
    pub email: Email,
    pub role: Role,
    pub token_hash: String,
    /// `None` when the server's command line invited.
    pub invited_by: Option<MemberId>,
    pub mailed: bool,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub inboxes: BTreeSet<InboxId>,
    pub teams: BTreeSet<TeamId>,
}

async fn row<C: ConnectionTrait>(connection: &C, row: table::invitation::Model) -> Result<InvitationRow> {
    macro_rules! ids {
        ($table:ident, $column:ident) => {{
            let ids: Vec<String> = table::$table::Entity::find()
                .select_only()
                .column(table::$table::Column::$column)
                .filter(table::$table::Column::Workspace.eq(&row.workspace))
                .filter(table::$table::Column::Invitation.eq(&row.id))
                .into_tuple()
                .all(connection)
                .await?;
            ids.iter().map(|id| typed(id)).collect::<Result<_>>()?
        }};
    }
    Ok(InvitationRow {
        workspace: typed(&row.workspace)?,
        id: typed(&row.id)?,
        role: Role::parse(&row.role).ok_or(Error::Damaged("role"))?,
        invited_by: maybe(row.invited_by.as_ref())?,
        mailed: row.mailed,
        created_at: Timestamp(row.created_at),
        expires_at: Timestamp(row.expires_at),
        inboxes: ids!(invitation_inbox, Inbox),
        teams: ids!(invitation_team, Team),
        email: Email::new(row.email),
        token_hash: row.token_hash,
    })
}

/// The invitation with that token.
pub async fn by_token<C: ConnectionTrait>(connection: &C, hash: &str) -> Result<Option<InvitationRow>> {
    use table::invitation::{Column, Entity};
    match Entity::find().filter(Column::TokenHash.eq(hash)).one(connection).await? {
        Some(found) => row(connection, found).await.map(Some),
        None => Ok(None),
    }
}

/// All invitations of a workspace that have not run out, newest first.
pub async fn waiting<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    now: Timestamp,
) -> Result<Vec<InvitationRow>> {
    use table::invitation::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::ExpiresAt.gt(now.0))
        .order_by_desc(Column::CreatedAt)
        .order_by_desc(Column::Id)
        .all(connection)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    for each in rows {
        found.push(row(connection, each).await?);
    }
    Ok(found)
}

/// Writes an invitation in place of an earlier one to the same address.
pub async fn put<C: ConnectionTrait>(txn: &C, invitation: &InvitationRow) -> Result<()> {
    use table::invitation::{ActiveModel, Column, Entity, Model};
    let workspace = invitation.workspace.to_string();
    let earlier: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Workspace.eq(&workspace))
        .filter(Column::Email.eq(invitation.email.expose()))
        .into_tuple()
        .all(txn)
        .await?;
    for id in earlier {
        delete(txn, invitation.workspace, typed(&id)?).await?;
    }
    let row = Model {
        workspace: workspace.clone(),
        id: invitation.id.to_string(),
        email: invitation.email.expose().to_owned(),
        role: invitation.role.as_str().to_owned(),
        token_hash: invitation.token_hash.clone(),
        invited_by: invitation.invited_by.map(|member| member.to_string()),
        mailed: invitation.mailed,
        created_at: invitation.created_at.0,
        expires_at: invitation.expires_at.0,
    };
    insert::<ActiveModel, _, _>(txn, vec![row]).await?;
    let rows = invitation.inboxes.iter().map(|inbox| table::invitation_inbox::Model {
        workspace: workspace.clone(),
        invitation: invitation.id.to_string(),
        inbox: inbox.to_string(),
    });
    insert::<table::invitation_inbox::ActiveModel, _, _>(txn, rows.collect()).await?;
    let rows = invitation.teams.iter().map(|team| table::invitation_team::Model {
        workspace: workspace.clone(),
        invitation: invitation.id.to_string(),
        team: team.to_string(),
    });
    insert::<table::invitation_team::ActiveModel, _, _>(txn, rows.collect()).await
}

/// Notes that the mail went out.
pub async fn mailed<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, id: InvitationId) -> Result<()> {
    use table::invitation::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Mailed, Expr::value(true))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(id.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Deletes an invitation. Whether there was one.
pub async fn delete<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, id: InvitationId) -> Result<bool> {
    macro_rules! delete {
        ($table:ident) => {
            table::$table::Entity::delete_many()
                .filter(table::$table::Column::Workspace.eq(workspace.to_string()))
                .filter(table::$table::Column::Invitation.eq(id.to_string()))
                .exec(txn)
                .await?
        };
    }
    delete!(invitation_inbox);
    delete!(invitation_team);
    let key = (workspace.to_string(), id.to_string());
    Ok(table::invitation::Entity::delete_by_id(key).exec(txn).await?.rows_affected == 1)
}

/// Deletes invitations that have run out.
pub async fn expire<C: ConnectionTrait>(txn: &C, now: Timestamp) -> Result<()> {
    use table::invitation::{Column, Entity};
    let rows: Vec<(String, String)> = Entity::find()
        .select_only()
        .columns([Column::Workspace, Column::Id])
        .filter(Column::ExpiresAt.lte(now.0))
        .into_tuple()
        .all(txn)
        .await?;
    for (workspace, id) in rows {
        delete(txn, typed(&workspace)?, typed(&id)?).await?;
    }
    Ok(())
}
