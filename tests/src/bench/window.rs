//! The real window: cold start, memory, and how long a customer's message takes to be painted. Rendered in software on a
//! virtual display, so the figures are a floor of what a real screen shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;

use super::{Figure, figure, percentile, series};
use crate::Fallible;
use crate::browser::Window;
use crate::desk::wait_until;
use crate::stack::{Database, RHEA, Stack};

const STARTS: usize = 7;
const MESSAGES: usize = 100;

/// Milliseconds since 1970 by the system clock, which the window's `Date.now()` reads too.
#[expect(clippy::disallowed_methods, reason = "compared with what the window's own clock says")]
fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(f64::NAN, |since| since.as_secs_f64() * 1_000.0)
}

/// Signs in once, then measures.
pub async fn measure(logs: &Path) -> Fallible<Vec<Figure>> {
    let desktop = Desktop::start(1440, 900, logs)?;
    let stack = Stack::start(Database::Sqlite, logs, &[]).await?;
    let folder = stack.folder().join("desk");
    let args = ["--data-dir".to_owned(), folder.to_string_lossy().into_owned()];
    let program = cargo::program("parley");
    for number in 0..60 {
        let name = format!("Customer {number}");
        stack.meta.customer(&name, &format!("+4915112{number:05}")).await?;
        stack.meta.says(&name, "Is the walnut lamp still there?").await?;
    }
    stack.meta.drain().await?;

    let mut window = Window::open(&desktop, &program, &args, logs).await?;
    window.sign_in(&stack.address(), RHEA).await?;
    window.click("[data-testid=\"view-unassigned\"]").await?;
    window.shows("[data-testid=\"conversation-row\"]", "Customer 59").await?;

    let mut latencies = Vec::new();
    for number in 0..MESSAGES {
        let text = format!("still there, number {number}?");
        let sent = now_ms();
        stack.meta.says("Customer 59", &text).await?;
        let painted = window.painted_at("[data-testid=\"conversation-row\"]", &text).await?;
        latencies.push(painted - sent);
    }
    let mut figures = series("customer pressed send → painted in the list", &mut latencies);

    figures.push(figure("memory of the process tree, inbox open", pss_of_tree(&program)?, "MiB PSS"));
    // A window opens on what is assigned to its agent: one conversation has to be.
    window.click("[data-testid=\"conversation-row\"]").await?;
    window.find("[data-testid=\"entry\"]").await?;
    window.press("i").await?;
    window.click("[data-testid=\"view-mine\"]").await?;
    window.shows("[data-testid=\"conversation-row\"]", "Customer 59").await?;

    let (mut starts, mut paints) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        window.close().await?;
        wait_until("the desk has ended", Duration::from_secs(20), || pids_of(&program).is_empty()).await?;
        window = Window::open(&desktop, &program, &args, logs).await?;
        // Upper bound: the driver answers some time after the list is there.
        let usable = window.painted_at("[data-testid=\"conversation-row\"]", "Customer 59").await?;
        let script = "return performance.timeOrigin + (performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN)";
        let painted = window.script(script, vec![]).await?;
        let pid = *pids_of(&program).first().ok_or_else(|| Failure::new("the desk is not running"))?;
        let start = started_at(pid)?;
        starts.push(usable - start);
        paints.push(painted.as_f64().unwrap_or(f64::NAN) - start);
    }
    figures.push(figure(
        "cold start: process start → list there (driver included), p50",
        percentile(&mut starts, 0.5),
        "ms",
    ));
    figures.push(figure(
        "cold start: process start → list there (driver included), worst of 7",
        percentile(&mut starts, 1.0),
        "ms",
    ));
    figures.push(figure("cold start: process start → first contentful paint, p50", percentile(&mut paints, 0.5), "ms"));
    window.close().await?;
    Ok(figures)
}

/// Processes that run this program.
fn pids_of(program: &Path) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<u32> = processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program))
        .collect();
    found.sort_unstable();
    found
}

fn stat(pid: u32) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may hold spaces: the fields go on behind its closing bracket.
    text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().map(str::to_owned).collect()
}

/// When the process was started, in milliseconds since 1970.
fn started_at(pid: u32) -> Fallible<f64> {
    let ticks: f64 =
        stat(pid).get(19).and_then(|field| field.parse().ok()).ok_or_else(|| Failure::new("no start time"))?;
    let uptime = fs::read_to_string("/proc/uptime")?;
    let uptime: f64 = uptime.split_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(f64::NAN);
    Ok(now_ms() - (uptime - ticks / 100.0) * 1_000.0)
}

/// Proportional set size of the program and all that it started, in MiB.
fn pss_of_tree(program: &Path) -> Fallible<f64> {
    let mut tree: BTreeSet<u32> = pids_of(program).into_iter().collect();
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, stat(pid).get(1)?.parse().ok()?)))
        .collect();
    loop {
        let more: Vec<u32> = all
            .iter()
            .filter(|(pid, parent)| tree.contains(parent) && !tree.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        tree.extend(more);
    }
    let kib: f64 = tree
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
        .filter_map(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok())
        })
        .sum();
    Ok(kib / 1024.0)
}
