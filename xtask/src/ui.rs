//! The UI's own tools, called through the scripts of `ui/package.json`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use crate::cargo;
use crate::failure::Fallible;
use crate::process;

/// The UI's folder.
pub fn folder() -> PathBuf {
    cargo::root().join("ui")
}

/// `npm …` in the UI's folder.
pub fn npm(words: &[&str]) -> Command {
    let mut command = cargo::command("npm");
    command.current_dir(folder()).args(words).env("npm_config_fund", "false").env("npm_config_audit", "false");
    command
}

/// Whether `node_modules` is missing or older than the lock file.
pub fn packages_are_stale() -> bool {
    let changed = |path: PathBuf| fs::metadata(path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let installed = folder().join("node_modules/.package-lock.json");
    !installed.exists() || changed(installed) < changed(folder().join("package-lock.json"))
}

/// Installs the packages that the lock file names, unless they are there.
pub fn install() -> Fallible {
    if packages_are_stale() { process::run(&mut npm(&["ci"])) } else { Ok(()) }
}

/// Builds `ui/dist`, which the shell embeds when it is compiled.
pub fn build() -> Fallible {
    install()?;
    process::run(&mut npm(&["run", "build"]))
}
