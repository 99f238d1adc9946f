//! Opens one encrypted file: key first, then the settings that every connection needs (quality.md §1.2, build.md §5).

use std::path::Path;

use parley_domain::Code;
use rusqlite::{Connection, OpenFlags};
use zeroize::Zeroizing;

use crate::Result;

/// The key of a file.
pub type Key = [u8; 32];

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Makes the file; it must not be there yet.
    Create,
    /// The one writer of an existing file.
    Write,
    /// A reader of an existing file; never checkpoints.
    Read,
}

/// Whether files are written without encryption, for the forensic scan's positive control. A release build has no such switch.
fn cipher_off() -> bool {
    #[cfg(debug_assertions)]
    {
        std::env::var_os("PARLEY_CIPHER_OFF").is_some_and(|value| value == "1")
    }
    #[cfg(not(debug_assertions))]
    {
        false
    }
}

/// Opens a file. A file that the key does not open is [`Code::StoreDamaged`]: the key itself was verified when it was
/// unwrapped. Nothing is created except with [`Purpose::Create`].
pub fn open(path: &Path, key: &Key, purpose: Purpose) -> Result<Connection> {
    let exists = path.exists();
    let flags = match purpose {
        Purpose::Create if exists => return Err(Code::StoreDamaged.into()),
        Purpose::Write | Purpose::Read if !exists => return Err(Code::StoreDamaged.into()),
        Purpose::Create => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        Purpose::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Purpose::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    if !cipher_off() {
        let hex = Zeroizing::new(hex::encode(key));
        let statement = Zeroizing::new(format!("PRAGMA cipher_log_level = NONE; PRAGMA key = \"x'{}'\";", *hex));
        connection.execute_batch(&statement)?;
    }
    // The first read tells whether the key fits.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(160);
    let common =
        "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA secure_delete = ON; PRAGMA cache_size = -8000;";
    match purpose {
        Purpose::Create => {
            // FULL until the file is there: the tables of a new file survive a power cut whatever its later durability is.
            connection.execute_batch(
                "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;",
            )?;
            connection.execute_batch(common)?;
        }
        Purpose::Write => {
            connection.execute_batch("PRAGMA journal_mode = WAL;")?;
            connection.execute_batch(common)?;
        }
        Purpose::Read => {
            connection.execute_batch(
                "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0; PRAGMA query_only = ON; PRAGMA cache_size = -8000;",
            )?;
        }
    }
    Ok(connection)
}
