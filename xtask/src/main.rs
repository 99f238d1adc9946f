//! `cargo xtask …`: everything that is done to Parley's sources. Each command is one file.

mod bench;
mod bindings;
mod demo;
mod dist;
mod setup;
mod simulation;
mod stages;
mod test;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{cargo, failure, mariadb, process};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests, shows and packs Parley")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what this machine lacks to build, test and show Parley
    Setup(setup::Args),
    /// Runs every check, from formatting to the real window, and prints a table of stages
    Test(test::Args),
    /// Starts customers, server and desk on this machine and plays a story
    Demo(demo::Args),
    /// Measures, and prints figures as JSON and as a table
    Bench(bench::Args),
    /// Writes the TypeScript of the command list to ui/src/lib/ipc/generated.ts
    Bindings,
    /// Builds the release package with signed updater artifacts
    Dist(dist::Args),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = process::stop_children_when_interrupted().and_then(|()| match args.command {
        Command::Setup(args) => setup::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Bindings => bindings::run(),
        Command::Dist(args) => dist::run(&args),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}
