//! Everything that differs between SQLite and MySQL (MariaDB and what else speaks its protocol).
//!
//! Promise: no other file asks which database is there. SQLite has one writer connection and a pool of read-only ones that
//! never checkpoint (docs/adr/0002-databases.md); MySQL has one pool for both. A write transaction is `BEGIN IMMEDIATE` on
//! SQLite and `READ COMMITTED` with row locks on MySQL; a page is read in one snapshot on both.

use std::path::Path;
use std::time::Duration;

use sea_orm::sea_query::{ColumnDef, TableCreateStatement};
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectOptions, Database, DatabaseConnection, DbBackend, DbErr, IsolationLevel, RuntimeErr, SqlErr,
    SqliteTransactionMode, TransactionOptions, sqlx,
};

/// Readers beside the one writer of SQLite.
const SQLITE_READERS: u32 = 4;
/// Connections to MySQL.
const MYSQL_CONNECTIONS: u32 = 16;

/// A pair of handles: one that writes and one that reads.
pub(super) struct Connections {
    pub write: DatabaseConnection,
    pub read: DatabaseConnection,
}

/// Opens the SQLite file, which is created when missing.
pub(super) async fn open_sqlite(file: &Path) -> Result<Connections, DbErr> {
    let url = format!("sqlite://{}", file.display());
    let mut writer = quiet(format!("{url}?mode=rwc"));
    writer.max_connections(1).min_connections(1).map_sqlx_sqlite_opts(|options| {
        options
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256)
            .pragma("cache_size", "-65536")
    });
    let write = Database::connect(writer).await?;
    let mut readers = quiet(format!("{url}?mode=ro"));
    readers.max_connections(SQLITE_READERS).min_connections(1).map_sqlx_sqlite_opts(|options| {
        options
            .read_only(true)
            .busy_timeout(Duration::from_secs(10))
            .statement_cache_capacity(256)
            .pragma("wal_autocheckpoint", "0")
            .pragma("query_only", "1")
    });
    let read = Database::connect(readers).await?;
    Ok(Connections { write, read })
}

/// Connects to MySQL at `url`.
pub(super) async fn open_mysql(url: &str) -> Result<Connections, DbErr> {
    let mut options = quiet(url.to_owned());
    options.max_connections(MYSQL_CONNECTIONS).min_connections(1).map_sqlx_mysql_opts(|options| {
        options.charset("utf8mb4").collation("utf8mb4_bin").statement_cache_capacity(256)
    });
    let pool = Database::connect(options).await?;
    Ok(Connections { write: pool.clone(), read: pool })
}

/// No statement, with or without its values, reaches a log.
fn quiet(url: String) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(30))
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>);
    options
}

/// How a write transaction begins.
pub(super) fn write_options(backend: DbBackend) -> TransactionOptions {
    match backend {
        DbBackend::Sqlite => TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        },
        // A locking read sees the latest row and takes no gap locks.
        _ => {
            TransactionOptions { isolation_level: Some(IsolationLevel::ReadCommitted), ..TransactionOptions::default() }
        }
    }
}

/// How a transaction begins whose reads all see one moment.
pub(super) fn snapshot_options(backend: DbBackend) -> TransactionOptions {
    match backend {
        DbBackend::Sqlite => TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Deferred),
            ..TransactionOptions::default()
        },
        _ => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            ..TransactionOptions::default()
        },
    }
}

/// Whether the whole transaction may be run again: a deadlock or lock timeout, a busy file, or a row that somebody else
/// inserted first.
pub(super) fn may_rerun(error: &DbErr) -> bool {
    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
        return true;
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner))) = error else {
        return false;
    };
    let sqlx::Error::Database(inner) = inner.as_ref() else {
        return false;
    };
    match inner.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_CHECKREAD.
        Some(mysql) => matches!(mysql.number(), 1205 | 1213 | 1020),
        // SQLITE_BUSY, SQLITE_LOCKED and their extended forms.
        None => inner.code().and_then(|code| code.parse::<i64>().ok()).is_some_and(|code| matches!(code & 0xFF, 5 | 6)),
    }
}

/// Webhook bodies applied in one round. SQLite has one writer for everything, so a webhook that waits to be stored waits for
/// the round that is being written: while webhooks come in (`busy`), rounds are short there.
pub(super) fn round_bodies(backend: DbBackend, busy: bool) -> u64 {
    match backend {
        DbBackend::Sqlite if busy => 48,
        _ => 256,
    }
}

/// Long text: JSON, bodies. On MySQL plain TEXT ends at 64 KiB.
pub(super) fn long_text(column: &mut ColumnDef) -> &mut ColumnDef {
    column.custom("LONGTEXT")
}

/// Long bytes.
pub(super) fn long_bytes(column: &mut ColumnDef) -> &mut ColumnDef {
    column.custom("LONGBLOB")
}

/// Engine and collation: ids, wamids and BSUIDs are case-sensitive.
pub(super) fn table_options(backend: DbBackend, table: &mut TableCreateStatement) {
    if backend == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_bin");
    }
}
