//! What can go wrong on the server. No text here holds a value from a row: a database's own message may quote one, so it is
//! reduced to its kind.

use parley_domain::Code;
use sea_orm::DbErr;

/// A failure or refusal.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is refused; the text is for developers.
    #[error("{1}")]
    Refused(Code, &'static str),
    /// Refused for so many milliseconds.
    #[error("too many tries; wait")]
    Wait(Code, i64),
    /// The database failed. Its message is withheld, as it may quote rows.
    #[error("the database failed: {}", kind(.0))]
    Database(WithheldDbErr),
    /// A stored row is not what this build writes.
    #[error("a stored row of {0} cannot be read")]
    Damaged(&'static str),
    /// Something that was sealed does not open: wrong key, wrong place, or changed bytes.
    #[error("sealed bytes do not open")]
    Sealed,
    /// The configuration is not usable.
    #[error("configuration: {0}")]
    Config(String),
    /// A server that runs was asked, and refused or failed.
    #[error("{1}")]
    Told(Code, String),
    /// Another process has the data directory open.
    #[error("another parley-server has this data directory open")]
    AlreadyOpen,
    /// A file cannot be read or written.
    #[error("file: {0}")]
    File(#[from] std::io::Error),
    /// A part of the server has stopped.
    #[error("the server is stopping")]
    Stopping,
}

/// A database error whose `Debug` is as silent as its `Display`.
pub struct WithheldDbErr(pub DbErr);

impl std::fmt::Debug for WithheldDbErr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(kind(self))
    }
}

fn kind(error: &WithheldDbErr) -> &'static str {
    match &error.0 {
        DbErr::Conn(_) | DbErr::ConnectionAcquire(_) => "no connection",
        DbErr::Query(_) => "a query",
        DbErr::Exec(_) => "a statement",
        DbErr::Migration(_) => "a migration",
        DbErr::Type(_) | DbErr::Json(_) => "a type",
        _ => "other",
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(WithheldDbErr(error))
    }
}

impl Error {
    /// The domain's code for it.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(code, _) | Self::Wait(code, _) | Self::Told(code, _) => *code,
            Self::AlreadyOpen => Code::AlreadyOpen,
            Self::Stopping => Code::ServerFailed,
            _ => Code::Internal,
        }
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
