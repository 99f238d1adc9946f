//! The operating system's clock and randomness: the one file of the engine that reads them.

use std::time::UNIX_EPOCH;

use parley_domain::{Clock, Randomness, Timestamp};

/// The wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this file provides the clock")]
        let now = std::time::SystemTime::now();
        let millis = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Timestamp(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

/// The operating system's random bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandomness;

impl Randomness for OsRandomness {
    fn fill(&self, bytes: &mut [u8]) {
        // Without random bytes no key may be made; there is nothing sensible to go on with.
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}
