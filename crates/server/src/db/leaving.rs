//! Records of what left for sub-processors.

use parley_domain::{Timestamp, WorkspaceId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use uuid::Uuid;

use super::rows::{count, insert, whole};
use super::table;
use crate::error::Result;

/// What left for one sub-processor and purpose since the record before.
#[derive(Clone, Debug)]
pub struct RecordRow {
    pub id: Uuid,
    pub workspace: Option<WorkspaceId>,
    pub sub_processor: String,
    pub purpose: String,
    /// Names of fields, with commas.
    pub fields: String,
    pub calls: u64,
    pub bytes: u64,
    pub at: Timestamp,
}

/// Writes records.
pub async fn insert_rows<C: ConnectionTrait>(connection: &C, rows: Vec<RecordRow>) -> Result<()> {
    let rows: Vec<table::egress_record::Model> = rows
        .into_iter()
        .map(|row| table::egress_record::Model {
            id: row.id.to_string(),
            workspace: row.workspace.map(|workspace| workspace.to_string()),
            sub_processor: row.sub_processor,
            purpose: row.purpose,
            fields: row.fields,
            calls: whole(row.calls),
            bytes: whole(row.bytes),
            at: row.at.0,
        })
        .collect();
    insert::<table::egress_record::ActiveModel, _, _>(connection, rows).await
}

/// Calls per sub-processor since a moment.
pub async fn calls_since<C: ConnectionTrait>(connection: &C, since: Timestamp) -> Result<Vec<(String, u64)>> {
    use table::egress_record::{Column, Entity};
    let rows = Entity::find().filter(Column::At.gte(since.0)).all(connection).await?;
    let mut sums = std::collections::BTreeMap::<String, u64>::new();
    for row in rows {
        *sums.entry(row.sub_processor).or_default() += count(row.calls);
    }
    Ok(sums.into_iter().collect())
}
