//! How cargo is called: one feature set and one profile for every build that tests or shows Parley, so that nothing is
//! compiled twice.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Fallible};
use crate::process;

/// Features of every build but the release package: the bridge for browsers, the types for TypeScript.
pub const FEATURES: &str = "parley/bridge,parley/bindings";

/// The programs that demo and tests start: package and binary have the same name.
pub const PROGRAMS: &[&str] = &["parley", "parley-server", "parley-sim"];

/// The repository's top folder.
pub fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A program that [`build_programs`] made, or the one in the folder that `PARLEY_PROGRAMS` names (benchmarks take the release
/// build).
pub fn program(name: &str) -> PathBuf {
    std::env::var_os("PARLEY_PROGRAMS").map_or_else(|| target().join("debug"), PathBuf::from).join(name)
}

/// A command that runs in the repository's top folder, without the variables that `cargo run` set for this program: a
/// build script that looks at them would think that it has to run again.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// `cargo …` in the top folder.
pub fn cargo(words: &[&str]) -> Command {
    let mut command = command("cargo");
    command.args(words);
    command
}

/// Builds every program with the one feature set. All targets come along, so that a later test run links nothing anew.
pub fn build_programs() -> Fallible {
    process::run(&mut cargo(&["build", "--workspace", "--features", FEATURES]))
}

/// Builds every program as it is shipped, for benchmarks; returns their folder.
pub fn build_release() -> Fallible<PathBuf> {
    let packages = ["-p", "parley", "-p", "parley-server", "-p", "parley-sim", "-p", "parley-tests"];
    process::run(cargo(&["build", "--release"]).args(packages))?;
    Ok(target().join("release"))
}

/// Size in bytes of the package that `cargo xtask dist` made last.
pub fn package_size() -> Fallible<u64> {
    let folder = target().join("release/bundle/deb");
    let packages = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let sizes = packages
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "deb"))
        .filter_map(|entry| entry.metadata().ok())
        .map(|about| about.len());
    sizes.max().ok_or_else(|| Failure::new("there is no package: run `cargo xtask dist` first"))
}
