//! `cargo xtask test`: every check on this machine, from formatting to the real window, as stages with their times.
//!
//! One feature set and one profile serve all of them (`cargo::FEATURES`), and the slow stages come after the quick ones.
//! `screens` is the UI over its demo engine, `browser` the UI over the bridge with the real engine, both in Chromium; `window`
//! is the real window.

use std::process::Command;

use crate::cargo::{self, FEATURES, cargo};
use crate::failure::Fallible;
use crate::mariadb::MariaDb;
use crate::stages::Stages;
use crate::{process, setup, simulation, ui};

/// The tests in Chromium over the bridge, and those in the real window: the test binaries of these names.
const BROWSER: &str = "binary(bridge)";
const WINDOW: &str = "binary(window)";

#[derive(clap::Args)]
pub struct Args {
    /// Installs what is missing without asking
    #[arg(long)]
    yes: bool,
    /// Runs the long campaigns too
    #[arg(long)]
    soak: bool,
    /// Runs these stages only
    #[arg(long, value_delimiter = ',', value_name = "STAGE")]
    only: Vec<String>,
    /// Goes on after a failure
    #[arg(long)]
    keep_going: bool,
}

/// Runs the stages, prints the table and writes `target/test/stages.json`.
pub fn run(args: &Args) -> Fallible {
    let kept = cargo::target().join("test");
    let soak = |command: &mut Command| {
        if args.soak {
            command.env("PARLEY_SOAK", "1");
        }
    };
    let mut stages = Stages::new(&args.only, args.keep_going);
    stages.run("setup", || setup::ensure(args.yes));
    stages.run("fmt", || process::run(&mut cargo(&["fmt", "--all", "--check"])));
    stages.run("ui-build", ui::build);
    stages.run("ui-check", || process::run(&mut ui::npm(&["run", "check"])));
    stages.run("ui-test", || process::run(&mut ui::npm(&["run", "test"])));
    stages.run("ui-budget", || process::run(&mut ui::npm(&["run", "budget"])));
    stages.run("screens", || process::run(&mut ui::npm(&["run", "e2e:mock"])));
    stages.run("clippy", || {
        process::run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--features",
            FEATURES,
            "--",
            "-D",
            "warnings",
        ]))
    });
    stages.run("build", || {
        cargo::build_programs()?;
        process::run(&mut cargo(&["nextest", "run", "--workspace", "--features", FEATURES, "--no-run"]))
    });
    stages.run("rust", || {
        let database = MariaDb::start(&kept.join("mariadb.log"))?;
        let everything_else = format!("not ({BROWSER} | {WINDOW})");
        let mut tests = cargo(&["nextest", "run", "--workspace", "--features", FEATURES, "-E", &everything_else]);
        soak(tests.env("PARLEY_TEST_MYSQL_URL", database.url()));
        process::run(&mut tests)
    });
    stages.run("simulation", || simulation::run(args.soak));
    for (stage, tests) in [("browser", BROWSER), ("window", WINDOW)] {
        stages.run(stage, || {
            // Each of these tests starts servers and a desktop of its own.
            let mut tests = cargo(&["nextest", "run", "--workspace", "--features", FEATURES, "-E", tests]);
            soak(&mut tests);
            process::run(&mut tests)
        });
    }
    stages.finish(&kept.join("stages.json"))
}
