//! How cargo is called: one feature set and one profile for every build that tests or shows Parley, so that nothing is
//! compiled twice.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Fallible;
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

/// A program that [`build_programs`] made.
pub fn program(name: &str) -> PathBuf {
    target().join("debug").join(name)
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
