//! Rows that administration writes: workspaces, members, Meta apps, inboxes, pipelines, labels. Their `seq` and `change` rows
//! are written by [`super::sequence`].

use parley_domain::entity::{Entity, Key, Kind};
use parley_domain::order::{Pipeline, Stage};
use parley_domain::permission::Role;
use parley_domain::planted::{Bug, planted};
use parley_domain::workspace::{Inbox, Label};
use parley_domain::{AppId, InboxId, MemberId, PersonName, PhoneNumberId, Timestamp, WabaId, WorkspaceId};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter};

use super::rows::{insert, upsert, whole};
use super::table;
use crate::error::Result;

/// A Meta app with its sealed secrets.
#[derive(Clone, Debug)]
pub struct AppRow {
    pub app: AppId,
    pub secret: Vec<u8>,
    /// The secret before the present one, during a rotation.
    pub secret_before: Option<Vec<u8>>,
    pub verify_token: Vec<u8>,
}

/// An inbox's way to Meta, the token sealed.
#[derive(Clone, Debug)]
pub struct Connection {
    pub app: AppId,
    pub waba: WabaId,
    pub phone_number_id: PhoneNumberId,
    pub token: Vec<u8>,
    pub graph_url: Option<String>,
}

/// A new workspace.
pub async fn insert_workspace<C: ConnectionTrait>(
    txn: &C,
    id: WorkspaceId,
    name: &str,
    lineage: &str,
    now: Timestamp,
) -> Result<()> {
    let row = table::workspace::Model {
        id: id.to_string(),
        name: name.to_owned(),
        seq: 0,
        orders: 0,
        lineage: lineage.to_owned(),
        created_at: now.0,
        row_seq: 0,
        two_factor_required: false,
        mask_contacts: false,
    };
    insert::<table::workspace::ActiveModel, _, _>(txn, vec![row]).await
}

/// A new member.
pub async fn insert_member<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    id: MemberId,
    name: &PersonName,
    email: &str,
    role: Role,
    password: String,
) -> Result<()> {
    let row = table::member::Model {
        workspace: workspace.to_string(),
        id: id.to_string(),
        name: name.expose().to_owned(),
        email: email.to_owned(),
        role: role.as_str().to_owned(),
        active: true,
        password,
        epoch: 1,
        row_seq: 0,
        two_factor: false,
    };
    insert::<table::member::ActiveModel, _, _>(txn, vec![row]).await
}

/// Sets role and activity.
pub async fn update_member<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    id: MemberId,
    role: Role,
    active: bool,
) -> Result<()> {
    use table::member::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Role, Expr::value(role.as_str()))
        .col_expr(Column::Active, Expr::value(active))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(id.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// What the member may see has changed.
pub async fn raise_epoch<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, id: MemberId) -> Result<()> {
    if planted(Bug::EpochNotRaised) {
        return Ok(());
    }
    use table::member::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Epoch, Expr::col(Column::Epoch).add(1i64))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(id.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Lets the member see the inbox; again changes nothing.
pub async fn grant_inbox<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    inbox: InboxId,
) -> Result<()> {
    use table::member_inbox::{ActiveModel, Column, Model};
    let row = Model { workspace: workspace.to_string(), member: member.to_string(), inbox: inbox.to_string() };
    upsert::<ActiveModel, _, _, _, _>(
        txn,
        vec![row],
        &[Column::Workspace, Column::Member, Column::Inbox],
        &[Column::Inbox],
    )
    .await
}

/// Takes the inbox away from the member.
pub async fn withdraw_inbox<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    member: MemberId,
    inbox: InboxId,
) -> Result<()> {
    use table::member_inbox::{Column, Entity};
    Entity::delete_many()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Member.eq(member.to_string()))
        .filter(Column::Inbox.eq(inbox.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// The app's secrets.
pub async fn app<C: ConnectionTrait>(connection: &C, app: &AppId) -> Result<Option<AppRow>> {
    Ok(table::meta_app::Entity::find_by_id(app.0.clone()).one(connection).await?.map(|row| AppRow {
        app: AppId(row.app_id),
        secret: row.secret,
        secret_before: row.secret_before,
        verify_token: row.verify_token,
    }))
}

/// Writes an app.
pub async fn put_app<C: ConnectionTrait>(txn: &C, app: AppRow, now: Timestamp) -> Result<()> {
    use table::meta_app::{ActiveModel, Column, Model};
    let row = Model {
        app_id: app.app.0,
        secret: app.secret,
        secret_before: app.secret_before,
        verify_token: app.verify_token,
        created_at: now.0,
    };
    let update = [Column::Secret, Column::SecretBefore, Column::VerifyToken];
    upsert::<ActiveModel, _, _, _, _>(txn, vec![row], &[Column::AppId], &update).await
}

/// A new inbox.
pub async fn insert_inbox<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    inbox: &Inbox,
    connection: Connection,
) -> Result<()> {
    let row = table::inbox::Model {
        workspace: workspace.to_string(),
        id: inbox.id.to_string(),
        name: inbox.name.clone(),
        channel: inbox.channel.as_str().to_owned(),
        address: inbox.address.as_ref().map(|address| address.expose().to_owned()),
        connected: inbox.connected,
        app_id: connection.app.0,
        waba: connection.waba.0,
        phone_number_id: connection.phone_number_id.0,
        token: connection.token,
        graph_url: connection.graph_url,
        row_seq: 0,
    };
    insert::<table::inbox::ActiveModel, _, _>(txn, vec![row]).await
}

/// An inbox's way to Meta.
pub async fn connection<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    inbox: InboxId,
) -> Result<Option<Connection>> {
    let key = (workspace.to_string(), inbox.to_string());
    Ok(table::inbox::Entity::find_by_id(key).one(connection).await?.map(|row| Connection {
        app: AppId(row.app_id),
        waba: WabaId(row.waba),
        phone_number_id: PhoneNumberId(row.phone_number_id),
        token: row.token,
        graph_url: row.graph_url,
    }))
}

/// Meta took the connection away, or gave it back.
pub async fn set_connected<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    inbox: InboxId,
    connected: bool,
) -> Result<()> {
    use table::inbox::{Column, Entity};
    Entity::update_many()
        .col_expr(Column::Connected, Expr::value(connected))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Id.eq(inbox.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Graph addresses that inboxes name.
pub async fn graph_urls<C: ConnectionTrait>(connection: &C) -> Result<Vec<String>> {
    use table::inbox::{Column, Entity};
    let rows = Entity::find().filter(Column::GraphUrl.is_not_null()).all(connection).await?;
    Ok(rows.into_iter().filter_map(|row| row.graph_url).collect())
}

/// New labels.
pub async fn insert_labels<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, labels: &[Label]) -> Result<()> {
    let rows = labels
        .iter()
        .map(|label| table::label::Model {
            workspace: workspace.to_string(),
            id: label.id.to_string(),
            name: label.name.clone(),
            colour: label.colour.clone(),
            row_seq: 0,
        })
        .collect();
    insert::<table::label::ActiveModel, table::label::Model, _>(txn, rows).await
}

/// A new pipeline with its stages.
pub async fn insert_pipeline<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    pipeline: &Pipeline,
    stages: &[Stage],
) -> Result<()> {
    let row = table::pipeline::Model {
        workspace: workspace.to_string(),
        id: pipeline.id.to_string(),
        name: pipeline.name.clone(),
        row_seq: whole(0),
    };
    insert::<table::pipeline::ActiveModel, _, _>(txn, vec![row]).await?;
    let rows = stages
        .iter()
        .map(|stage| table::stage::Model {
            workspace: workspace.to_string(),
            id: stage.id.to_string(),
            pipeline: stage.pipeline.to_string(),
            name: stage.name.clone(),
            place: i64::from(stage.place),
            closed: stage.closed,
            row_seq: 0,
        })
        .collect();
    insert::<table::stage::ActiveModel, table::stage::Model, _>(txn, rows).await
}

/// The inbox on whose behalf a row of the workspace is poked: inboxes are seen by their members only.
pub fn scope_of(entity: &Entity) -> Option<InboxId> {
    let Key { kind, id } = entity.key();
    (kind == Kind::Inbox).then_some(InboxId(id))
}
