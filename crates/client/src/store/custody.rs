//! What the server knows of `outbox.db`: whether it keeps the file's key, up to which erasure this desk has come, and receipts
//! that it has not taken yet.

use parley_domain::protocol::device::Receipt;
use rusqlite::{Connection, params};

use crate::Result;

/// What is noted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Noted {
    /// The server has acknowledged the file's key.
    pub acknowledged: bool,
    pub erased_upto: u64,
    /// In the order in which they were signed.
    pub receipts: Vec<Receipt>,
}

/// Reads what is noted.
pub fn read(connection: &Connection) -> Result<Noted> {
    let (acknowledged, erased_upto) = connection
        .prepare_cached("SELECT acknowledged, erased_upto FROM custody WHERE id = 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement = connection.prepare_cached("SELECT receipt FROM receipt ORDER BY place")?;
    let mut rows = statement.query([])?;
    let mut receipts = Vec::new();
    while let Some(row) = rows.next()? {
        receipts.push(serde_json::from_str(row.get_ref(0)?.as_str().unwrap_or_default())?);
    }
    Ok(Noted { acknowledged, erased_upto, receipts })
}

/// The server keeps the key.
pub fn acknowledge(connection: &Connection) -> Result<()> {
    connection.execute("UPDATE custody SET acknowledged = 1", [])?;
    Ok(())
}

/// Erasures up to this place were carried out; `receipt` says so.
pub fn erased(connection: &Connection, upto: u64, receipt: &Receipt) -> Result<()> {
    connection.execute("UPDATE custody SET erased_upto = max(erased_upto, ?1)", [upto])?;
    connection.execute("INSERT INTO receipt (receipt) VALUES (?1)", [serde_json::to_string(receipt)?])?;
    Ok(())
}

/// Forgets the first receipts: they were taken.
pub fn taken(connection: &Connection, count: u32) -> Result<()> {
    connection.execute(
        "DELETE FROM receipt WHERE place IN (SELECT place FROM receipt ORDER BY place LIMIT ?1)",
        params![count],
    )?;
    Ok(())
}
