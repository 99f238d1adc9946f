//! Erasing a person on the desk, by ids.
//!
//! Promise: what was said, the contact's row, whatever was kept beside them while an edit waited, and their entries in the search
//! index are gone from the tables when the transaction ends, and from the bytes of the file after the next scrub. The server's
//! blank rows come back by the next pull. Orders and the bare conversation stay: they name nobody.

use parley_domain::entity::{Key, Kind};
use parley_domain::protocol::device::Erasure;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::rows::{self, Touched};
use super::value::Id;
use crate::Result;

/// Deletes a slice of what is held of a person; returns how many rows went: 0 when nothing is left.
pub fn slice(connection: &Connection, erasure: &Erasure, touched: &mut Touched) -> Result<u64> {
    let mut keys = Vec::new();
    for conversation in &erasure.conversations {
        let mut statement = connection.prepare_cached("SELECT id FROM message WHERE conversation = ?1 LIMIT 400")?;
        let mut found = statement.query([Id(conversation.0)])?;
        while let Some(row) = found.next()? {
            keys.push(Key { kind: Kind::Message, id: row.get::<_, Id>(0)?.0 });
        }
        if keys.len() >= 400 {
            break;
        }
    }
    if keys.is_empty() {
        let contact = Key::new(Kind::Contact, erasure.contact);
        if rows::seq_of(connection, contact)?.is_some() {
            keys.push(contact);
        }
    }
    for key in &keys {
        forget_beside(connection, key.kind, key.id)?;
        rows::delete(connection, *key, touched)?;
    }
    Ok(keys.len() as u64)
}

fn forget_beside(connection: &Connection, kind: Kind, id: Uuid) -> Result<()> {
    connection
        .prepare_cached("DELETE FROM confirmed WHERE kind = ?1 AND id = ?2")?
        .execute(params![kind.as_str(), Id(id)])?;
    Ok(())
}
