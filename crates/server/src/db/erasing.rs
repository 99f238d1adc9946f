//! What erasing a person reads and deletes beside the synced rows.

use parley_domain::{ContactId, ConversationId, Timestamp, WorkspaceId};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, Insert, QueryFilter, QuerySelect};

use super::rows::typed;
use super::table;
use crate::error::Result;

/// Conversations of the contact.
pub async fn conversations<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Vec<ConversationId>> {
    use table::conversation::{Column, Entity};
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Contact.eq(contact.to_string()))
        .into_tuple()
        .all(connection)
        .await?;
    ids.iter().map(|id| typed(id)).collect()
}

/// A message of the person: its id, its inbox's number and Meta's id of it.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: parley_domain::MessageId,
    pub phone_number_id: String,
    pub wamid: Option<String>,
}

/// Every message of these conversations.
pub async fn messages<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    conversations: &[ConversationId],
) -> Result<Vec<Said>> {
    use table::message::{Column, Entity};
    let inboxes = table::inbox::Entity::find()
        .filter(table::inbox::Column::Workspace.eq(workspace.to_string()))
        .all(connection)
        .await?;
    let mut found = Vec::new();
    for conversation in conversations {
        let rows: Vec<(String, String, Option<String>)> = Entity::find()
            .select_only()
            .column(Column::Id)
            .column(Column::Inbox)
            .column(Column::Wamid)
            .filter(Column::Workspace.eq(workspace.to_string()))
            .filter(Column::Conversation.eq(conversation.to_string()))
            .into_tuple()
            .all(connection)
            .await?;
        for (id, inbox, wamid) in rows {
            let number = inboxes.iter().find(|row| row.id == inbox).map(|row| row.phone_number_id.clone());
            found.push(Said { id: typed(&id)?, phone_number_id: number.unwrap_or_default(), wamid });
        }
    }
    Ok(found)
}

/// Deletes the addresses of the contact.
pub async fn forget_identities<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, contact: ContactId) -> Result<()> {
    use table::contact_identity::{Column, Entity};
    Entity::delete_many()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Contact.eq(contact.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Takes what still waits to be sent to the contact out of the outbox.
pub async fn forget_outbox<C: ConnectionTrait>(txn: &C, workspace: WorkspaceId, contact: ContactId) -> Result<()> {
    use table::outbox::{Column, Entity};
    Entity::delete_many()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Contact.eq(contact.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Remembers keyed hashes of what must not be applied again; those that are known stay.
pub async fn remember<C: ConnectionTrait>(txn: &C, hashes: &[String], expires_at: Timestamp) -> Result<()> {
    use table::dedupe::{ActiveModel, Column, Model};
    for part in hashes.chunks(500) {
        let rows: Vec<ActiveModel> =
            part.iter().map(|hash| Model { hash: hash.clone(), expires_at: expires_at.0 }.into()).collect();
        let keep = OnConflict::column(Column::Hash).update_column(Column::Hash).to_owned();
        Insert::many(rows).on_conflict(keep).exec_without_returning(txn).await?;
    }
    Ok(())
}
