//! The desk's three encrypted files, and the only place with SQL.
//!
//! Promise: every byte at rest is inside SQLCipher; a file opens with its key only, and a failed opening creates nothing.
//! One writer connection per file; the folder is locked against a second process before the first file is opened. No
//! transaction spans files: `outbox.db` is the truth about pending intents, and opening draws the difference, both ways,
//! before the first read.

pub mod apply;
mod cipher;
pub mod lists;
mod messages;
pub mod orders;
pub mod outbox;
pub mod overlay;
pub mod pool;
mod rows;
mod schema;
pub mod search;
pub mod session;
pub mod timeline;
#[cfg(test)]
mod trials;
mod value;

use std::path::Path;

use cipher::Purpose;
use pool::{Db, Urgency};
use rusqlite::Connection;

pub use rows::{Touched, all as all_rows};

use crate::desk::{DirLock, paths};
use crate::keyfile::StoreKeys;
use crate::{Error, Result};

const READERS: usize = 2;

/// The open files of a desk. Fields are dropped in order: connections close before the lock is released.
pub struct Stores {
    pub replica: Db,
    pub outbox: Db,
    /// Attachments; holds nothing yet.
    pub media: Db,
    _lock: DirLock,
}

const FILES: [(&str, &[&str]); 3] =
    [("replica", schema::REPLICA), ("outbox", schema::OUTBOX), ("media", schema::MEDIA)];

impl Stores {
    /// Makes the files of a new desk. `desk` is written into each, so that files cannot be swapped between desks.
    pub fn create(dir: &Path, desk: &str, keys: &StoreKeys, lock: DirLock) -> Result<Self> {
        Self::each(dir, desk, keys, lock, Purpose::Create)
    }

    /// Opens the files of a desk; creates nothing.
    pub fn open(dir: &Path, desk: &str, keys: &StoreKeys, lock: DirLock) -> Result<Self> {
        Self::each(dir, desk, keys, lock, Purpose::Write)
    }

    fn each(dir: &Path, desk: &str, keys: &StoreKeys, lock: DirLock, purpose: Purpose) -> Result<Self> {
        let [replica, outbox, media] = paths(dir);
        let opened = [(&replica, &keys.replica), (&outbox, &keys.outbox), (&media, &keys.media)];
        let mut connections = Vec::with_capacity(3);
        for ((path, key), (name, steps)) in opened.into_iter().zip(FILES) {
            let connection = cipher::open(path, key, purpose)?;
            match purpose {
                Purpose::Create => schema::create(&connection, name, desk, steps)?,
                _ => schema::upgrade(&connection, name, desk, steps)?,
            }
            connections.push(connection);
        }
        let mut connections = connections.into_iter();
        let mut next = || connections.next().ok_or(Error::Closed);
        Ok(Self {
            replica: Db::start(&replica, &keys.replica, next()?, READERS, false)?,
            outbox: Db::start(&outbox, &keys.outbox, next()?, 1, true)?,
            media: Db::start(&media, &keys.media, next()?, 0, false)?,
            _lock: lock,
        })
    }

    /// Takes deleted text out of the write-ahead log and gives free pages back (quality.md §1.2).
    pub async fn scrub(&self) -> Result<()> {
        self.replica.maintain(scrub).await?;
        self.outbox.maintain(scrub).await
    }

    /// Runs a replica write for which a person waits.
    pub async fn edit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.replica.write(Urgency::Person, work).await
    }
}

/// Makes the tables of a new `replica`, `outbox` or `media` file in an empty connection, so that the data map can be held
/// against them (privacy/inventory.toml). Another name makes nothing.
pub fn create_tables(connection: &Connection, file: &str) -> Result<()> {
    match FILES.into_iter().find(|(name, _)| *name == file) {
        Some((name, steps)) => schema::create(connection, name, "", steps),
        None => Ok(()),
    }
}

fn scrub(connection: &Connection) -> Result<()> {
    connection.execute_batch("PRAGMA incremental_vacuum(200);")?;
    // A reader may hold the log's end; the next scrub gets it then.
    let _: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(())
}
