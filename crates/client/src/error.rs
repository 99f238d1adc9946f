//! What can go wrong in the engine. Every error has a [`Code`] from the domain's closed set; the text is for logs and holds
//! no content of anybody's message, no number, no token.

use parley_domain::Code;
use parley_domain::protocol::Problem;

/// A failure of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule, the server or the state of the desk says no.
    #[error("refused: {}", .0.as_str())]
    Refused(Code),
    /// SQLite failed.
    #[error("store: {0}")]
    Sql(#[from] rusqlite::Error),
    /// The file system failed.
    #[error("files: {0}")]
    Io(#[from] std::io::Error),
    /// Stored or received JSON has another shape. Only the place is kept: the parser's own text quotes the value.
    #[error("unreadable JSON at {line}:{column}")]
    Json { line: usize, column: usize },
    /// A stored value has a form that this build does not know.
    #[error("unreadable value in {0}")]
    Value(&'static str),
    /// A thread of the engine is gone.
    #[error("the engine is shutting down")]
    Closed,
}

impl Error {
    /// What the window is told.
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(code) => *code,
            Self::Sql(error) => sql_code(error),
            Self::Io(error) => match error.kind() {
                std::io::ErrorKind::StorageFull
                | std::io::ErrorKind::QuotaExceeded
                | std::io::ErrorKind::ReadOnlyFilesystem
                | std::io::ErrorKind::PermissionDenied => Code::DiskFull,
                _ => Code::Internal,
            },
            Self::Json { .. } | Self::Value(_) => Code::StoreDamaged,
            Self::Closed => Code::SignedOut,
        }
    }

    /// Whether SQLite met a page that is not what was written.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Sql(error) if sql_code(error) == Code::StoreDamaged)
    }

    /// The form in which a refusal leaves the engine.
    pub fn problem(&self) -> Problem {
        Problem { code: self.code(), message: self.to_string(), retry_after: None }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        error.problem()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self::Refused(code)
    }
}

fn sql_code(error: &rusqlite::Error) -> Code {
    use rusqlite::ErrorCode;
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Code::StoreDamaged,
        Some(ErrorCode::DiskFull | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure) => Code::DiskFull,
        _ => Code::Internal,
    }
}

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;
