//! What erasing a person reads and deletes beside the synced rows.

use std::collections::{BTreeMap, BTreeSet};

use parley_domain::contact::phone_aliases;
use parley_domain::{ContactId, ConversationId, Phone, Timestamp, WorkspaceId};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, Insert, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::raw::{self, RawEvent};
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

/// Under what a person is known, as Meta writes it: digits of phone numbers, and ids.
pub async fn addresses<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<BTreeSet<String>> {
    use table::contact_identity::{Column, Entity};
    let rows = Entity::find()
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Contact.eq(contact.to_string()))
        .all(connection)
        .await?;
    let mut found = BTreeSet::new();
    for row in rows {
        found.extend(row.phone.iter().flat_map(|phone| phone_aliases(&Phone::new(phone.clone()))));
        found.extend([row.bsuid, row.active_bsuid, row.parent_bsuid].into_iter().flatten());
    }
    found.remove("");
    Ok(found)
}

/// Bodies that are kept because an item failed for good, with the places of those items.
pub async fn dead_items<C: ConnectionTrait>(connection: &C) -> Result<Vec<(RawEvent, BTreeSet<u32>)>> {
    use table::item::{Column, Entity};
    let rows = Entity::find().filter(Column::State.eq(raw::DEAD)).all(connection).await?;
    let mut by_body: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for row in rows {
        by_body.entry(row.body).or_default().insert(u32::try_from(row.place).unwrap_or(u32::MAX));
    }
    let ids: Vec<String> = by_body.keys().cloned().collect();
    let mut found = Vec::new();
    for ids in ids.chunks(500) {
        let bodies = table::raw_event::Entity::find().filter(raw_id().is_in(ids)).all(connection).await?;
        for body in bodies {
            let places = by_body.remove(&body.id).unwrap_or_default();
            found.push((raw::of_row(body)?, places));
        }
    }
    Ok(found)
}

fn raw_id() -> table::raw_event::Column {
    table::raw_event::Column::Id
}

/// Puts other bytes in the place of a body.
pub async fn replace_body<C: ConnectionTrait>(txn: &C, body: Uuid, sealed: Vec<u8>) -> Result<()> {
    table::raw_event::Entity::update_many()
        .col_expr(table::raw_event::Column::Body, Expr::value(sealed))
        .filter(raw_id().eq(body.to_string()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets Meta's ids of everything said in these conversations (each holds the person's phone number), and the statuses that
/// wait for one of them.
pub async fn forget_wamids<C: ConnectionTrait>(
    txn: &C,
    workspace: WorkspaceId,
    conversations: &[ConversationId],
    said: &[Said],
) -> Result<()> {
    use table::message::{Column, Entity};
    let ids: Vec<String> = conversations.iter().map(ConversationId::to_string).collect();
    Entity::update_many()
        .col_expr(Column::Wamid, Expr::value(None::<String>))
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Conversation.is_in(ids))
        .exec(txn)
        .await?;
    let wamids: Vec<&String> = said.iter().filter_map(|said| said.wamid.as_ref()).collect();
    for part in wamids.chunks(500) {
        table::orphan_status::Entity::delete_many()
            .filter(table::orphan_status::Column::Workspace.eq(workspace.to_string()))
            .filter(table::orphan_status::Column::Wamid.is_in(part.iter().copied()))
            .exec(txn)
            .await?;
    }
    Ok(())
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
