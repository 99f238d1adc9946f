//! The stage `simulation`: seeds, a few planted defects, and with `--soak` many seeds and all defects (docs/TESTING.md).
//!
//! A soak goes on behind the last seed that `docs/soak.jsonl` names, and appends what it ran.

use crate::cargo;
use crate::failure::Fallible;
use crate::process;

/// Seeds of every run, and the minutes that it goes on at least.
const SEEDS: &str = "50";
const MINUTES: &str = "1";
/// Defects that every run plants: one in the server, one in the desk, one in the rules that both share.
const BUGS: &str = "retry-on-timeout,gone-ignored,read-mark-regress";
/// Minutes of a soak.
const SOAK_MINUTES: &str = "60";
/// Where soaks are written down.
const RECORD: &str = "docs/soak.jsonl";

/// Runs the stage.
pub fn run(soak: bool) -> Fallible {
    simulate(&["--seeds", SEEDS, "--minutes", MINUTES, "--twice", "2"])?;
    simulate(&["--bugs", BUGS])?;
    if soak {
        let commit = process::output(cargo::command("git").args(["rev-parse", "--short", "HEAD"]))
            .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned());
        let recorded = ["--record", RECORD, "--commit", &commit];
        simulate(&[["--from", "1001", "--minutes", SOAK_MINUTES].as_slice(), &recorded].concat())?;
        simulate(&[["--bugs", "all"].as_slice(), &recorded].concat())?;
    }
    Ok(())
}

fn simulate(words: &[&str]) -> Fallible {
    process::run(cargo::command(&cargo::program("simulate").to_string_lossy()).args(words))
}
