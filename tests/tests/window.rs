//! The real window on a virtual display: the story from end to end, what it leaves on the disk, and the screens of a keyring
//! that cannot be used.

use std::path::Path;

use parley_tests::Fallible;
use parley_tests::browser::Window;
use parley_tests::desk::Desk;
use parley_tests::scan::scan;
use parley_tests::stack::{ACCESS_TOKEN, Database, RHEA, Stack};
use parley_tests::story::{ANSWER, OFFLINE_ANSWER, QUESTION, RISKED_ANSWER, Setting, play};
use xtask::cargo;
use xtask::desktop::Desktop;
use xtask::failure::Failure;

/// The customers' texts and numbers, the member's answers and password, Meta's token.
const CANARIES: [&str; 8] = [
    QUESTION,
    ANSWER,
    OFFLINE_ANSWER,
    RISKED_ANSWER,
    "Fiz a transferência, segue o comprovante",
    "919820012345",
    RHEA.password,
    ACCESS_TOKEN,
];

#[tokio::test(flavor = "multi_thread")]
async fn the_story_runs_and_leaves_nothing_readable_behind() -> Fallible {
    let out = cargo::target().join("test/story");
    let desktop = Desktop::start(1440, 900, &out.join("logs"))?;
    let setting = Setting { desktop: &desktop, database: Database::Sqlite, out: &out, break_step: None };
    let story = play(&setting).await?;
    let desk = story.desk_folder();
    assert!(std::fs::read_dir(&desk)?.count() > 0, "the desk kept nothing at all");

    let home = desktop.environment().get("HOME").cloned().unwrap_or_default();
    let runtime = desktop.environment().get("XDG_RUNTIME_DIR").cloned().unwrap_or_default();
    let temporary = story.stack.folder().join("temporary");
    let logs = out.join("logs");
    let places = [desk.as_path(), Path::new(&home), Path::new(&runtime), temporary.as_path(), logs.as_path()];
    let spoken = std::fs::metadata(logs.join("webdriver.log"))?.len();
    assert!(spoken > 10_000, "the desk's log holds {spoken} bytes: it does not say everything");
    let hits = scan(&places, &CANARIES);
    assert_eq!(hits, [], "readable on the disk");

    // The same scan over a run without encryption finds them: it can find something.
    let control = story.stack.folder().join("control");
    let mut plain = Desk::new(&control, &out.join("control/desk")).with("PARLEY_CIPHER_OFF", "1");
    plain.start(&desktop)?;
    plain.sign_in(&story.stack.address(), RHEA).await?;
    plain.stop()?;
    let found = scan(&[&control], &CANARIES);
    for (number, canary) in [QUESTION, ANSWER].iter().enumerate() {
        assert!(found.iter().any(|hit| hit.canary == number), "the scan is blind: it misses “{canary}”");
    }
    story.end().await
}

/// Files below a folder with their sizes.
fn contents(folder: &Path) -> Vec<(std::path::PathBuf, u64)> {
    let (mut waiting, mut found) = (vec![folder.to_owned()], Vec::new());
    while let Some(path) = waiting.pop() {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => waiting.push(entry.path()),
                Ok(about) => found.push((entry.path(), about.len())),
                Err(_) => {}
            }
        }
    }
    found.sort();
    found
}

async fn blocked_screen(desktop: &Desktop, folder: &Path, logs: &Path, picture: &str) -> Fallible<String> {
    let before = contents(folder);
    let args = ["--data-dir".to_owned(), folder.to_string_lossy().into_owned()];
    let window = Window::open(desktop, &cargo::program("parley"), &args, logs).await?;
    let screen = window.find("[data-testid=\"blocked-screen\"]").await?;
    let code = screen.attr("data-code").await?.unwrap_or_default();
    desktop.screenshot(&logs.join(format!("{picture}.png")))?;
    window.close().await?;
    assert_eq!(contents(folder), before, "a blocked start changed files");
    Ok(code)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_that_cannot_be_used_gets_its_own_screen_and_creates_nothing() -> Fallible {
    let logs = cargo::target().join("test/keyring");
    let mut desktop = Desktop::start(1200, 800, &logs)?;
    let mut stack = Stack::start(Database::Sqlite, &logs, &[]).await?;
    let folder = stack.folder().join("desk");
    let mut desk = Desk::new(&folder, &logs.join("desks/desk"));
    desk.start(&desktop)?;
    desk.sign_in(&stack.address(), RHEA).await?;
    desk.stop()?;
    stack.stop_server()?;

    desktop.lock_keyring()?;
    assert_eq!(blocked_screen(&desktop, &folder, &logs, "keyring-locked").await?, "keyring_locked");

    desktop.remove_keyring()?;
    assert_eq!(blocked_screen(&desktop, &folder, &logs, "keyring-missing").await?, "keyring_missing");

    // A keyring without the secret that sealed these files.
    desktop.start_keyring()?;
    forget_secrets(&desktop)?;
    assert_eq!(blocked_screen(&desktop, &folder, &logs, "wrong-key").await?, "wrong_key");
    Ok(())
}

/// Deletes every secret, as a person does who sets up a new keyring.
fn forget_secrets(desktop: &Desktop) -> Fallible {
    let items = xtask::process::output(desktop.command("sh").args([
        "-c",
        "dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets/collection/login \
         org.freedesktop.DBus.Properties.Get string:org.freedesktop.Secret.Collection string:Items \
         | sed -n 's/.*object path \"\\(.*\\)\"/\\1/p'",
    ]))?;
    let items: Vec<&str> = items.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if items.is_empty() {
        return Err(Failure::new("the keyring holds nothing"));
    }
    for item in items {
        xtask::process::output(desktop.command("dbus-send").args([
            "--session",
            "--print-reply",
            "--dest=org.freedesktop.secrets",
            item,
            "org.freedesktop.Secret.Item.Delete",
        ]))?;
    }
    Ok(())
}
