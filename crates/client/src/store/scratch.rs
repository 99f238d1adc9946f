//! Rows that are shown and not kept: a replica in memory, so that the same queries make the same views of them.

use parley_domain::entity::Entity;
use parley_domain::protocol::change::Row;
use rusqlite::Connection;

use super::rows::{self, Touched};
use super::{apply, create_tables};
use crate::Result;

/// A replica that holds these rows and goes with its connection.
pub fn of(found: Vec<Row>) -> Result<Connection> {
    let memory = Connection::open_in_memory()?;
    memory.execute_batch("PRAGMA temp_store = MEMORY;")?;
    create_tables(&memory, "replica")?;
    let mut touched = Touched::default();
    for row in found {
        if let Some(entity) = row.entity {
            rows::write(&memory, &entity, row.seq, 1, &mut touched)?;
        }
    }
    apply::refresh(&memory, &touched)?;
    Ok(memory)
}

/// Place of a row in its timeline.
pub fn position(row: &Row) -> Option<u64> {
    match &row.entity {
        Some(Entity::Message(message)) => Some(message.position),
        _ => None,
    }
}
