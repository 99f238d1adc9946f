//! The desktop program. Everything is in the library.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

fn main() -> std::process::ExitCode {
    parley_lib::run()
}
