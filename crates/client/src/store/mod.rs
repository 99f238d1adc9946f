//! The desk's three encrypted files, and the only place with SQL.
//!
//! Promise: every byte at rest is inside SQLCipher; a file opens with its key only, and a failed opening creates nothing.
//! One writer connection per file; the folder is locked against a second process before the first file is opened. No
//! transaction spans files: `outbox.db` is the truth about pending intents, and opening draws the difference, both ways,
//! before the first read.

pub mod apply;
mod cipher;
pub mod clearing;
pub mod custody;
pub mod erasing;
pub mod heal;
pub mod lists;
mod messages;
pub mod orders;
pub mod outbox;
pub mod overlay;
pub mod pool;
pub mod retention;
mod rows;
mod schema;
pub mod scratch;
pub mod search;
pub mod session;
pub mod timeline;
#[cfg(test)]
mod trials;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cipher::{Key, Purpose};
use heal::{Alarm, Mended};
use parley_domain::Code;
use pool::{Db, Disk, Urgency};
use rusqlite::Connection;
use schema::Step;
use zeroize::Zeroizing;

pub use rows::{Touched, all as all_rows};

use crate::desk::{DirLock, paths};
use crate::keyfile::StoreKeys;
use crate::{Error, Result};

const READERS: usize = 2;

/// Another disk than the operating system's, where there is one.
pub type SomeDisk = Option<Arc<dyn Disk>>;

/// The open files of a desk. Fields are dropped in order: connections close before the lock is released.
pub struct Stores {
    pub replica: Db,
    pub outbox: Db,
    /// Attachments; holds nothing yet.
    pub media: Db,
    /// Rings when a damaged page is read.
    pub alarm: Arc<Alarm>,
    _lock: DirLock,
}

const REPLICA: &str = "replica";

const FILES: [(&str, &[Step]); 3] = [(REPLICA, schema::REPLICA), ("outbox", schema::OUTBOX), ("media", schema::MEDIA)];

impl Stores {
    /// Makes the files of a new desk. `desk` is written into each, so that files cannot be swapped between desks.
    pub fn create(dir: &Path, desk: &str, keys: &StoreKeys, lock: DirLock, disk: SomeDisk) -> Result<Self> {
        let mut connections = Vec::with_capacity(3);
        for ((path, key), (name, steps)) in sealed(dir, keys).into_iter().zip(FILES) {
            let connection = cipher::open(&path, &key, Purpose::Create)?;
            schema::create(&connection, name, desk, steps)?;
            if name == REPLICA {
                session::note_shapes(&connection)?;
            }
            connections.push(connection);
        }
        Self::start(dir, keys, connections, lock, disk)
    }

    /// Opens the outbox of a desk whose other files nothing opens any more, and makes those anew.
    pub fn rebuild(dir: &Path, desk: &str, keys: &StoreKeys, lock: DirLock, disk: SomeDisk) -> Result<Self> {
        let [replica, outbox, media] = paths(dir);
        // The key is proved before anything is deleted.
        drop(cipher::open(&outbox, &keys.outbox, Purpose::Write)?);
        for (path, key, (name, steps)) in [(&replica, &keys.replica, FILES[0]), (&media, &keys.media, FILES[2])] {
            for ending in ["db", "db-wal", "db-shm"] {
                match std::fs::remove_file(path.with_extension(ending)) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                    _ => {}
                }
            }
            schema::create(&cipher::open(path, key, Purpose::Create)?, name, desk, steps)?;
        }
        Self::open(dir, desk, keys, lock, disk).map(|(stores, _)| stores)
    }

    /// Opens the files of a desk. One that is missing or damaged is set aside and made anew ([`heal`]); one from a newer build
    /// is left alone, with [`parley_domain::Code::StoreNewer`].
    pub fn open(dir: &Path, desk: &str, keys: &StoreKeys, lock: DirLock, disk: SomeDisk) -> Result<(Self, Mended)> {
        let left = heal::left(dir, &paths(dir))?;
        let mut connections = Vec::with_capacity(3);
        let mut renewed = [false; 3];
        let mut fell_back = false;
        for (place, ((path, key), (name, steps))) in sealed(dir, keys).into_iter().zip(FILES).enumerate() {
            let lost = heal::lost_log(left, &path);
            let opened = cipher::open(&path, &key, Purpose::Write).and_then(|connection| {
                schema::upgrade(&connection, name, desk, steps)?;
                if name == REPLICA {
                    session::refetch_old_shapes(&connection)?;
                }
                if lost || left.suspect {
                    heal::examine(&connection)?;
                }
                Ok(connection)
            });
            let connection = match opened {
                Err(error) if error.code() == Code::StoreDamaged => {
                    if let Some(renewed) = renewed.get_mut(place) {
                        *renewed = true;
                    }
                    heal::renew(&path, name, desk, &key, steps)?
                }
                opened => opened?,
            };
            if lost && name == REPLICA {
                // It may stand at an earlier moment. Its rows stay to be seen until they were fetched again.
                apply::restart(&connection)?;
                fell_back = true;
            }
            connections.push(connection);
        }
        let [replica, outbox, media] = renewed;
        let mended = Mended { replica: replica || fell_back, outbox, media };
        Ok((Self::start(dir, keys, connections, lock, disk)?, mended))
    }

    fn start(
        dir: &Path,
        keys: &StoreKeys,
        connections: Vec<Connection>,
        lock: DirLock,
        disk: SomeDisk,
    ) -> Result<Self> {
        let alarm = Arc::new(Alarm::set(dir)?);
        let [replica, outbox, media] = paths(dir);
        let mut connections = connections.into_iter();
        let mut start = |path, key, readers, full| {
            let writer = connections.next().ok_or(Error::Closed)?;
            match &disk {
                Some(disk) => Ok(Db::here(writer, disk.clone(), full, alarm.clone())),
                None => Db::start(path, key, writer, readers, full, alarm.clone()),
            }
        };
        Ok(Self {
            replica: start(&replica, &keys.replica, READERS, false)?,
            outbox: start(&outbox, &keys.outbox, 1, true)?,
            media: start(&media, &keys.media, 0, false)?,
            alarm,
            _lock: lock,
        })
    }

    /// Takes deleted text out of the write-ahead log and gives free pages back (quality.md §1.2).
    pub async fn scrub(&self) -> Result<()> {
        self.replica.maintain(scrub).await?;
        self.outbox.maintain(scrub).await?;
        self.media.maintain(scrub).await
    }

    /// Deletes what was set aside as damaged: the rows are here again.
    pub fn forget_damaged(&self) -> Result<()> {
        heal::forget_damaged(self.alarm.dir())
    }

    /// Runs a replica write for which a person waits.
    pub async fn edit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.replica.write(Urgency::Person, work).await
    }
}

impl Drop for Stores {
    fn drop(&mut self) {
        self.alarm.rest();
    }
}

/// Paths and keys of the three files.
fn sealed(dir: &Path, keys: &StoreKeys) -> [(PathBuf, Zeroizing<Key>); 3] {
    let [replica, outbox, media] = paths(dir);
    [
        (replica, Zeroizing::new(keys.replica)),
        (outbox, Zeroizing::new(keys.outbox)),
        (media, Zeroizing::new(keys.media)),
    ]
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
