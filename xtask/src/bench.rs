//! `cargo xtask bench`: figures as JSON and as a table.

use crate::failure::{Failure, Fallible};

#[derive(clap::Args)]
pub struct Args {
    /// What to measure; everything when left out
    what: Option<String>,
}

/// Measures.
pub fn run(_args: &Args) -> Fallible {
    Err(Failure::new("no measurement is written yet"))
}
