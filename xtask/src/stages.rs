//! Stages of a long task: each is timed, the first failure ends the run, and a table tells how it went.

use std::fs;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use crate::failure::{Failure, Fallible};

/// How a stage ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Passed,
    Failed,
    /// Not reached, because an earlier stage failed.
    NotRun,
    /// Not among those asked for.
    LeftOut,
}

/// One line of the table.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Line {
    pub stage: String,
    pub seconds: f64,
    pub result: Ending,
}

/// Runs stages one after the other.
pub struct Stages {
    lines: Vec<Line>,
    only: Vec<String>,
    keep_going: bool,
    failures: Vec<String>,
}

impl Stages {
    /// Stages of which only those named in `only` run (all when it is empty); `keep_going` runs the rest after a failure.
    pub fn new(only: &[String], keep_going: bool) -> Self {
        Self { lines: Vec::new(), only: only.to_vec(), keep_going, failures: Vec::new() }
    }

    /// Whether the stage will run.
    pub fn wants(&self, stage: &str) -> bool {
        (self.only.is_empty() || self.only.iter().any(|name| name == stage))
            && (self.keep_going || self.failures.is_empty())
    }

    /// Runs a stage, unless it is left out or an earlier one failed.
    pub fn run(&mut self, stage: &str, work: impl FnOnce() -> Fallible) {
        let asked = self.only.is_empty() || self.only.iter().any(|name| name == stage);
        let (seconds, result) = if !asked {
            (0.0, Ending::LeftOut)
        } else if !self.wants(stage) {
            (0.0, Ending::NotRun)
        } else {
            println!("\n━━ {stage} ━━");
            let started = Instant::now();
            let result = match work() {
                Ok(()) => Ending::Passed,
                Err(failure) => {
                    eprintln!("{stage}: {failure}");
                    self.failures.push(stage.to_owned());
                    Ending::Failed
                }
            };
            (started.elapsed().as_secs_f64(), result)
        };
        self.lines.push(Line { stage: stage.to_owned(), seconds, result });
    }

    /// Prints the table, writes it to `path` as JSON, and fails when a stage failed or `only` names one that is not there.
    pub fn finish(self, path: &Path) -> Fallible {
        println!("\n{}", table(&self.lines));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(&self.lines)? + "\n")?;
        if let Some(name) = self.only.iter().find(|name| self.lines.iter().all(|line| line.stage != **name)) {
            let known: Vec<_> = self.lines.iter().map(|line| line.stage.as_str()).collect();
            return Err(Failure::new(format!("no stage is called `{name}`; there are: {}", known.join(", "))));
        }
        if self.failures.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(format!("failed: {}", self.failures.join(", "))))
        }
    }
}

fn table(lines: &[Line]) -> String {
    let mut text = format!("{:<12} {:>9}  result\n", "stage", "seconds");
    for line in lines.iter().filter(|line| line.result != Ending::LeftOut) {
        let result = match line.result {
            Ending::Passed => "passed",
            Ending::Failed => "FAILED",
            Ending::NotRun => "not run",
            Ending::LeftOut => "left out",
        };
        text += &format!("{:<12} {:>9.1}  {result}\n", line.stage, line.seconds);
    }
    let total: f64 = lines.iter().map(|line| line.seconds).sum();
    text + &format!("{:<12} {total:>9.1}", "total")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(only: &[&str], keep_going: bool) -> (Vec<Ending>, Fallible) {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        let mut stages = Stages::new(&only, keep_going);
        stages.run("first", || Ok(()));
        stages.run("second", || Err(Failure::new("broken")));
        stages.run("third", || Ok(()));
        let endings = stages.lines.iter().map(|line| line.result).collect();
        let folder = tempfile::tempdir().unwrap();
        (endings, stages.finish(&folder.path().join("stages.json")))
    }

    #[test]
    fn the_first_failure_ends_the_run() {
        let (endings, done) = run(&[], false);
        assert_eq!(endings, [Ending::Passed, Ending::Failed, Ending::NotRun]);
        assert_eq!(done.unwrap_err().to_string(), "failed: second");
    }

    #[test]
    fn keep_going_runs_the_rest_and_still_fails() {
        let (endings, done) = run(&[], true);
        assert_eq!(endings, [Ending::Passed, Ending::Failed, Ending::Passed]);
        assert!(done.is_err());
    }

    #[test]
    fn only_what_is_asked_for_runs_and_an_unknown_stage_is_an_error() {
        let (endings, done) = run(&["third"], false);
        assert_eq!(endings, [Ending::LeftOut, Ending::LeftOut, Ending::Passed]);
        assert!(done.is_ok());
        assert!(run(&["fourth"], false).1.unwrap_err().to_string().contains("fourth"));
    }
}
