//! Measures and prints: `bench OUT [ingest] [server] [fleet] [store] [peers] [window] [package]`. `cargo xtask bench` calls it with the release build.

use std::path::PathBuf;
use std::process::ExitCode;

use parley_tests::Fallible;
use parley_tests::bench::{Figure, figure, fleet, ingest, peers, server, store, window};
use parley_tests::stack::Database;
use xtask::failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nbench: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Fallible {
    let mut words = std::env::args().skip(1);
    let out = PathBuf::from(words.next().ok_or_else(|| {
        Failure::new("usage: bench OUT [ingest] [server] [fleet] [store] [peers] [window] [package]")
    })?);
    let wanted: Vec<String> = words.collect();
    let wants = |what: &str| wanted.is_empty() || wanted.iter().any(|word| word == what);
    std::fs::create_dir_all(&out)?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average at the start: {}", load.trim());
    if wants("ingest") {
        for database in [Database::Sqlite, Database::Mysql] {
            let figures = ingest::measure(database, &out.join("logs")).await?;
            print(&out, &format!("ingest-{database:?}").to_lowercase(), &figures)?;
        }
    }
    if wants("server") {
        for database in [Database::Sqlite, Database::Mysql] {
            let figures = server::measure(database, &out.join("logs")).await?;
            print(&out, &format!("server-{database:?}").to_lowercase(), &figures)?;
        }
    }
    if wants("fleet") {
        print(&out, "fleet", &fleet::measure(&out.join("logs/fleet")).await?)?;
    }
    if wants("store") {
        print(&out, "store-peers", &peers::measure(&out).await?)?;
        print(&out, "store", &store::measure().await?)?;
    }
    if wanted.iter().any(|word| word == "peers") {
        print(&out, "store-peers", &peers::measure(&out).await?)?;
    }
    if wants("window") {
        print(&out, "window", &window::measure(&out.join("logs/window")).await?)?;
    }
    if wants("package") {
        let size = xtask::cargo::package_size()?;
        print(&out, "package", &[figure("the .deb", size as f64 / 1_000_000.0, "MB")])?;
    }
    Ok(())
}

fn print(out: &std::path::Path, name: &str, figures: &[Figure]) -> Fallible {
    println!("\n{name}");
    for figure in figures {
        println!("  {:<70} {:>12.1} {}", figure.what, figure.value, figure.unit);
    }
    Ok(std::fs::write(out.join(format!("{name}.json")), serde_json::to_string_pretty(figures)?)?)
}
