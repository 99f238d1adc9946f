//! What went wrong, as one text for the person at the terminal. Tasks are not switched on, so they need no kinds of error.

use std::fmt;

/// A failure to be read by people.
#[derive(Debug)]
pub struct Failure(String);

/// The result of a task.
pub type Fallible<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure with that text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Says what was being done when an error came up.
pub trait Context<T> {
    /// Puts `doing` before the error's own text.
    fn context(self, doing: impl fmt::Display) -> Fallible<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl fmt::Display) -> Fallible<T> {
        self.map_err(|error| Failure::new(format!("{doing}: {error}")))
    }
}
