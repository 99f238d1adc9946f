//! `cargo xtask bindings`: the TypeScript of the command list. The test that fails on drift writes the file when `UPDATE=1`.

use crate::cargo::{self, FEATURES};
use crate::failure::Fallible;
use crate::process;

/// Writes `ui/src/lib/ipc/generated.ts`.
pub fn run() -> Fallible {
    // The shell embeds ui/dist when it is compiled; an empty folder will do for this build.
    std::fs::create_dir_all(cargo::root().join("ui/dist"))?;
    let words = ["test", "--workspace", "--features", FEATURES, "--test", "bindings"];
    process::run(cargo::cargo(&words).env("UPDATE", "1"))
}
