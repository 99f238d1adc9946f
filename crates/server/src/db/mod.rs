//! The server's store: the only place with SQL. Everything else asks the functions of these files.
//!
//! Promise: a write is a transaction begun by [`Db::begin`] and re-run by [`transaction!`] on a deadlock; a page is read in
//! one moment by [`Db::snapshot`]. What differs between SQLite and MySQL stands in `dialect.rs` alone.

use std::path::Path;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, TransactionTrait};
use sea_orm_migration::MigratorTrait;

use crate::error::{Error, Result};

pub mod access;
pub mod admin;
pub mod applying;
pub mod audit;
#[cfg(test)]
mod audit_tests;
pub mod desks;
mod dialect;
pub mod dump;
pub mod erasing;
pub mod factors;
pub mod facts;
pub mod intents;
pub mod invitations;
pub mod jobs;
#[cfg(test)]
mod key_tests;
pub mod keys;
pub mod leaving;
pub mod lists;
pub mod outbox;
pub mod overview;
pub mod pages;
pub mod raw;
pub mod rows;
mod schema;
pub mod sequence;
mod table;
pub mod teams;
pub mod tries;

/// An open transaction.
pub type Txn = DatabaseTransaction;

/// The open database.
#[derive(Clone, Debug)]
pub struct Db {
    backend: DbBackend,
    write: DatabaseConnection,
    read: DatabaseConnection,
}

impl Db {
    /// Opens the SQLite file. The caller holds the data directory's lock.
    pub async fn open_sqlite(file: &Path) -> Result<Self> {
        let dialect::Connections { write, read } = dialect::open_sqlite(file).await?;
        Ok(Self { backend: DbBackend::Sqlite, write, read })
    }

    /// Connects to MySQL.
    pub async fn open_mysql(url: &str) -> Result<Self> {
        let dialect::Connections { write, read } = dialect::open_mysql(url).await?;
        Ok(Self { backend: DbBackend::MySql, write, read })
    }

    /// Brings the schema up to date; does nothing when it is.
    pub async fn migrate(&self) -> Result<()> {
        Ok(schema::Migrator::up(&self.write, None).await?)
    }

    /// How many webhook bodies are applied in one round; `busy` while others wait to be stored.
    pub fn round_bodies(&self, busy: bool) -> u64 {
        dialect::round_bodies(self.backend, busy)
    }

    /// Begins a write transaction.
    pub async fn begin(&self) -> Result<Txn> {
        Ok(self.write.begin_with_options(dialect::write_options(self.backend)).await?)
    }

    /// Begins a transaction whose reads all see the same moment.
    pub async fn snapshot(&self) -> Result<Txn> {
        Ok(self.read.begin_with_options(dialect::snapshot_options(self.backend)).await?)
    }

    /// For a single read.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.read
    }

    /// For a single statement that writes.
    pub fn writer(&self) -> &DatabaseConnection {
        &self.write
    }

    /// Fails when the database cannot be reached.
    pub async fn alive(&self) -> Result<()> {
        Ok(self.read.ping().await?)
    }

    /// Closes every connection; the file is complete afterwards.
    pub async fn close(&self) {
        let _ = self.read.close_by_ref().await;
        let _ = self.write.close_by_ref().await;
    }
}

/// How often a transaction is run before its failure is passed on.
pub(crate) const RUNS: u32 = 8;

/// Whether running the whole transaction again may help.
pub(crate) fn may_rerun(error: &Error) -> bool {
    matches!(error, Error::Database(inner) if dialect::may_rerun(&inner.0))
}

/// Runs `$body` in a write transaction named `$txn` and commits; on a deadlock, or when somebody else inserted the same row
/// first, it is rolled back and run again.
macro_rules! transaction {
    ($db:expr, |$txn:ident| $body:expr) => {{
        let mut run = 1;
        loop {
            let $txn = $db.begin().await?;
            let outcome = $body.await;
            let outcome = match outcome {
                Ok(value) => $txn.commit().await.map(|()| value).map_err($crate::error::Error::from),
                Err(error) => {
                    let _ = $txn.rollback().await;
                    Err(error)
                }
            };
            match outcome {
                Err(error) if run < $crate::db::RUNS && $crate::db::may_rerun(&error) => run += 1,
                other => break other,
            }
        }
    }};
}
pub(crate) use transaction;
