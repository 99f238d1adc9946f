//! Plays the story in the real window: `story OUT sqlite|mysql [--virtual] [--break STEP]`. `cargo xtask demo` calls it.

use std::path::PathBuf;
use std::process::ExitCode;

use parley_tests::Fallible;
use parley_tests::stack::Database;
use parley_tests::story::{Setting, play};
use xtask::desktop::{self, Desktop};
use xtask::failure::Failure;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nThe story failed: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Fallible {
    let mut words = std::env::args().skip(1);
    let usage = || Failure::new("usage: story OUT sqlite|mysql [--virtual] [--break STEP]");
    let out = PathBuf::from(words.next().ok_or_else(usage)?);
    let database = match words.next().as_deref() {
        Some("sqlite") => Database::Sqlite,
        Some("mysql") => Database::Mysql,
        _ => return Err(usage()),
    };
    let (mut virtual_display, mut break_step) = (!desktop::has_display(), None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--virtual" => virtual_display = true,
            "--break" => break_step = Some(words.next().ok_or_else(usage)?),
            _ => return Err(usage()),
        }
    }
    let logs = out.join("logs");
    let desktop =
        if virtual_display { Desktop::start(1440, 900, &logs)? } else { Desktop::on_existing_display(&logs)? };
    let setting = Setting { desktop: &desktop, database, out: &out, break_step };
    let mut story = play(&setting).await?;
    println!("\nThe story went well. {}", out.join("transcript.md").display());
    if virtual_display {
        return story.end().await;
    }
    story.stay().await?;
    println!(
        "Parley stays open: sign in at {} as rhea@casalumen.example; close its window or press Ctrl+C to end.",
        story.stack.address()
    );
    let mut command = desktop.command(xtask::cargo::program("parley"));
    command.arg("--data-dir").arg(story.desk_folder());
    xtask::process::run(&mut command)?;
    story.end().await
}
