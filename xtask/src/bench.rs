//! `cargo xtask bench`: figures of the release build as JSON (`target/bench/*.json`) and as a table. Never a timed test.

use crate::cargo;
use crate::failure::Fallible;
use crate::{process, setup, ui};

#[derive(clap::Args)]
pub struct Args {
    /// What to measure: ingest, server, fleet, store, peers (the store beside others alone), window, package; everything when left out
    what: Vec<String>,
    /// Installs what is missing without asking
    #[arg(long)]
    yes: bool,
}

/// Measures.
pub fn run(args: &Args) -> Fallible {
    setup::ensure(args.yes)?;
    ui::build()?;
    let programs = cargo::build_release()?;
    let mut bench = cargo::command(&programs.join("bench").to_string_lossy());
    bench.env("PARLEY_PROGRAMS", &programs).arg(cargo::target().join("bench")).args(&args.what);
    process::run(&mut bench)
}
