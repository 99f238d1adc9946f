//! `cargo xtask bindings`: the TypeScript of the command list. The test that fails on drift writes the file when asked to.

use crate::cargo::{self, FEATURES};
use crate::failure::Fallible;
use crate::process;

/// Writes `ui/src/lib/ipc/generated.ts`.
pub fn run() -> Fallible {
    // The shell embeds ui/dist when it is compiled; an empty folder will do for this build.
    std::fs::create_dir_all(cargo::root().join("ui/dist"))?;
    let words =
        ["nextest", "run", "--workspace", "--features", FEATURES, "the_typescript_of_the_command_list_is_current"];
    process::run(cargo::cargo(&words).env("PARLEY_UPDATE_BINDINGS", "1"))
}
