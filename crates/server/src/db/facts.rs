//! Facts beside their reading and writing as synced rows: what erasing needs.

use parley_domain::entity::{Key, Kind};
use parley_domain::{ContactId, WorkspaceId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect};

use super::rows::typed;
use super::table;
use crate::error::Result;

/// The facts that name a contact.
pub async fn of_contact<C: ConnectionTrait>(
    connection: &C,
    workspace: WorkspaceId,
    contact: ContactId,
) -> Result<Vec<Key>> {
    use table::fact::{Column, Entity};
    let ids: Vec<String> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Workspace.eq(workspace.to_string()))
        .filter(Column::Contact.eq(contact.to_string()))
        .into_tuple()
        .all(connection)
        .await?;
    ids.iter().map(|id| Ok(Key { kind: Kind::Fact, id: typed(id)? })).collect()
}
