//! `cargo xtask demo`: customers, server and desk on this machine, and the story that they play.
//!
//! Promise: on a fresh machine it installs what is missing (asks first), builds, plays, and leaves
//! `target/demo/transcript.md` with a picture of the real window per step. It fails when a step fails. On a display it stays
//! open to play with.

use crate::cargo;
use crate::failure::Fallible;
use crate::{process, setup, ui};

/// Where the server keeps its rows.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Database {
    Sqlite,
    Mysql,
}

#[derive(clap::Args)]
pub struct Args {
    /// Installs what is missing without asking
    #[arg(long)]
    yes: bool,
    /// The server's database
    #[arg(long, value_enum, default_value = "sqlite")]
    db: Database,
    /// Plays on a virtual display even where there is a real one
    #[arg(long = "virtual")]
    virtual_display: bool,
    /// Makes that step fail, to see that a failed story is noticed
    #[arg(long = "break", value_name = "STEP")]
    break_step: Option<String>,
}

/// Plays the story.
pub fn run(args: &Args) -> Fallible {
    setup::ensure(args.yes)?;
    ui::build()?;
    cargo::build_programs()?;
    let mut story = cargo::command(&cargo::program("story").to_string_lossy());
    story.arg(cargo::target().join("demo"));
    story.arg(match args.db {
        Database::Sqlite => "sqlite",
        Database::Mysql => "mysql",
    });
    if args.virtual_display {
        story.arg("--virtual");
    }
    if let Some(step) = &args.break_step {
        story.args(["--break", step]);
    }
    process::run(&mut story)
}
