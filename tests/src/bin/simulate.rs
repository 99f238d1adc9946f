//! Runs seeds of the simulation, replays plans, and proves that planted defects are found (docs/TESTING.md).

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use parley_domain::planted::{Bug, plant};
use parley_tests::Fallible;
use parley_tests::simulation::plan::Plan;
use parley_tests::simulation::tally::Tally;
use parley_tests::simulation::{Report, run, shrink};
use xtask::failure::Failure;

const CIPHER_OFF: &str = "PARLEY_CIPHER_OFF";

#[derive(Parser)]
#[command(about = "Simulated runs of engine, server and Meta with faults, by seed")]
struct Args {
    /// First seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// At least so many seeds
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Goes on until so many minutes are over
    #[arg(long)]
    minutes: Option<f64>,
    /// Runs at a time
    #[arg(long)]
    jobs: Option<usize>,
    /// Replays this plan instead
    #[arg(long)]
    plan: Option<PathBuf>,
    /// Writes the plan of the first seed to this file and ends
    #[arg(long)]
    write: Option<PathBuf>,
    /// Goes on after a violation
    #[arg(long)]
    keep_going: bool,
    /// Prints the log
    #[arg(long)]
    log: bool,
    /// The first so many seeds run twice and must give the same log
    #[arg(long, default_value_t = 1)]
    twice: u64,
    /// Puts these defects in, one after the other, and demands that each is found; `all` for every one
    #[arg(long, value_delimiter = ',')]
    bugs: Vec<String>,
    /// Most seeds for a planted defect
    #[arg(long, default_value_t = 1_000)]
    bug_seeds: u64,
    /// Where plans of failing seeds go
    #[arg(long, default_value = "target/simulation")]
    keep: PathBuf,
    /// Appends what ran to this file, and goes on behind the last seed that it names
    #[arg(long)]
    record: Option<PathBuf>,
    /// What the record says of the code
    #[arg(long, default_value = "unknown")]
    commit: String,
    /// Makes failing plans smaller, in so many runs at most
    #[arg(long, default_value_t = 60)]
    shrink: usize,
}

fn main() -> ExitCode {
    // Encryption at rest is not what is tested here, and takes time: a debug build can do without (client's cipher.rs).
    if std::env::var_os(CIPHER_OFF).is_none() {
        let again = std::env::current_exe().and_then(|own| {
            std::process::Command::new(own).args(std::env::args_os().skip(1)).env(CIPHER_OFF, "1").status()
        });
        return match again {
            Ok(status) if status.success() => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        };
    }
    let args = Args::parse();
    match all(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("simulate: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn all(args: &Args) -> Fallible {
    if let Some(path) = &args.write {
        return Ok(std::fs::write(path, Plan::of(args.from).text())?);
    }
    if let Some(path) = &args.plan {
        let report = run(Plan::parse(&std::fs::read_to_string(path)?)?, args.log);
        println!("{}\n\nlog: {} lines, {}", report.tally, report.lines, report.hash);
        return report.wrong().map_or(Ok(()), |wrong| Err(Failure::new(wrong)));
    }
    if !args.bugs.is_empty() {
        return bugs(args);
    }
    seeds(args)
}

fn threads(args: &Args) -> usize {
    args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from))
}

/// Runs seeds from `from` on, several at a time, in order of taking; `goes_on` is asked before each with its number.
fn each(from: u64, jobs: usize, goes_on: impl Fn(u64) -> bool + Sync, done: impl Fn(u64, Report) + Sync, echo: bool) {
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if !goes_on(seed) {
                        return;
                    }
                    done(seed, run(Plan::of(seed), echo));
                }
            });
        }
    });
}

#[derive(Default)]
struct Totals {
    tally: Tally,
    ran: u64,
    thin: Vec<u64>,
    wrong: BTreeMap<u64, Report>,
    hashes: BTreeMap<u64, String>,
}

fn seeds(args: &Args) -> Fallible {
    let began = Instant::now();
    let limit = args.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let from = args.record.as_ref().map_or(args.from, |path| recorded(path).map_or(args.from, |last| last + 1));
    let totals = Mutex::new(Totals::default());
    let goes_on = |seed: u64| {
        let few = seed < from + args.seeds;
        let clean = totals.lock().unwrap_or_else(PoisonError::into_inner).wrong.is_empty();
        (clean || args.keep_going) && (few || limit.is_some_and(|limit| began.elapsed() < limit))
    };
    let done = |seed: u64, report: Report| {
        let mut totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
        totals.ran += 1;
        totals.tally.add(&report.tally);
        totals.hashes.insert(seed, report.hash.clone());
        match report.wrong() {
            Some(wrong) => {
                eprintln!("seed {seed}: {wrong}");
                totals.wrong.insert(seed, report);
            }
            None if !report.is_full() => totals.thin.push(seed),
            None => {}
        }
    };
    each(from, threads(args), goes_on, done, args.log);
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    let took = began.elapsed().as_secs_f64();
    println!("{}\n", totals.tally);
    let last = totals.hashes.keys().next_back().copied().unwrap_or(from);
    println!(
        "seeds {from}..={last}: {} runs in {took:.0} s ({:.2} s each)",
        totals.ran,
        took / totals.ran.max(1) as f64
    );
    if let Some(path) = &args.record {
        let line = format!(
            "{{\"seeds\":[{from},{last}],\"runs\":{},\"commit\":{:?},\"violations\":{},\"inbound\":{},\"edits\":{},\"faults\":{}}}",
            totals.ran,
            args.commit,
            totals.wrong.len(),
            totals.tally.inbound,
            totals.tally.intents,
            totals.tally.all_faults()
        );
        writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}")?;
    }
    if let Some((seed, report)) = totals.wrong.first_key_value() {
        return Err(keep(args, *seed, report)?);
    }
    if !totals.thin.is_empty() {
        return Err(Failure::new(format!("seeds {:?} had less in them than a seed must have", totals.thin)));
    }
    for seed in from..from + args.twice.min(totals.ran) {
        let again = run(Plan::of(seed), false).hash;
        if totals.hashes.get(&seed) != Some(&again) {
            return Err(Failure::new(format!("seed {seed} gave another log the second time")));
        }
        println!("seed {seed} twice: {again}");
    }
    let zeros = totals.tally.zeros();
    if zeros.is_empty() { Ok(()) } else { Err(Failure::new(format!("never happened: {}", zeros.join(", ")))) }
}

/// Writes a failing plan down, whole and smaller.
fn keep(args: &Args, seed: u64, report: &Report) -> Fallible<Failure> {
    std::fs::create_dir_all(&args.keep)?;
    let plan = Plan::of(seed);
    let whole = args.keep.join(format!("seed-{seed}.plan"));
    std::fs::write(&whole, plan.text())?;
    let mut text = report.wrong().unwrap_or_default();
    text += &format!("\nreplay with: simulate --plan {}", whole.display());
    if args.shrink > 0 {
        let invariant = report.violations.first().map_or("", |first| first.invariant);
        let small = shrink::shrink(&plan, invariant, args.shrink);
        let path = args.keep.join(format!("seed-{seed}-small.plan"));
        std::fs::write(&path, small.text())?;
        text += &format!("\nsmaller ({} lines instead of {}): {}", small.steps.len(), plan.steps.len(), path.display());
    }
    Ok(Failure::new(format!("seed {seed}: {text}")))
}

/// Plants each defect and looks for the first seed that finds it.
fn bugs(args: &Args) -> Fallible {
    let wanted = |bug: &Bug| args.bugs.iter().any(|name| name == "all" || name == bug.as_str());
    let chosen: Vec<Bug> = Bug::ALL.iter().copied().filter(wanted).collect();
    if let Some(name) = args.bugs.iter().find(|name| *name != "all" && chosen.iter().all(|bug| bug.as_str() != **name))
    {
        return Err(Failure::new(format!("no defect is called {name}")));
    }
    let mut missed = Vec::new();
    for bug in &chosen {
        plant(Some(*bug));
        let began = Instant::now();
        let found: Mutex<BTreeMap<u64, String>> = Mutex::default();
        let goes_on = |seed: u64| {
            seed < args.from + args.bug_seeds && found.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
        };
        let done = |seed: u64, report: Report| {
            if let Some(wrong) = report.wrong() {
                found.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, wrong);
            }
        };
        each(args.from, threads(args), goes_on, done, args.log);
        plant(None);
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let took = began.elapsed().as_secs_f64();
        match found.first_key_value() {
            Some((seed, wrong)) => println!("{:<24} found by seed {seed} in {took:.0} s: {wrong}", bug.as_str()),
            None => {
                println!("{:<24} NOT FOUND in {} seeds ({took:.0} s)", bug.as_str(), args.bug_seeds);
                missed.push(bug.as_str());
            }
        }
    }
    println!("{} of {} planted defects found", chosen.len() - missed.len(), chosen.len());
    if let Some(path) = &args.record {
        let line = format!(
            "{{\"planted\":{},\"found\":{},\"commit\":{:?}}}",
            chosen.len(),
            chosen.len() - missed.len(),
            args.commit
        );
        writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}")?;
    }
    if missed.is_empty() { Ok(()) } else { Err(Failure::new(format!("not found: {}", missed.join(", ")))) }
}

/// The last seed that the record names.
fn recorded(path: &std::path::Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let seeds = text.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["seeds"][1].as_u64()
    });
    seeds.max()
}
