//! Places at which a debug build dies on demand, for tests of what is left behind. A release build has no such switch.
//!
//! `PARLEY_DIE_AT=edit_stored:3` ends the process the third time that place is passed, without unwinding, as SIGKILL would.

/// Dies here when the environment asks for it.
#[cfg(debug_assertions)]
pub fn point(place: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let Ok(wanted) = std::env::var("PARLEY_DIE_AT") else { return };
    let (name, times) = wanted.split_once(':').unwrap_or((&wanted, "1"));
    if name == place && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == times.parse().unwrap_or(1) {
        std::process::abort();
    }
}

/// Nothing in a release build.
#[cfg(not(debug_assertions))]
pub fn point(_: &str) {}
