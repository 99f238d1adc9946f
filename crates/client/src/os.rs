//! The operating system's clock and randomness: the one file of the engine that reads them.

use std::time::UNIX_EPOCH;

use parley_domain::time::Boot;
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

    fn boot(&self) -> Option<Boot> {
        boot()
    }
}

/// Linux counts sleep in its uptime and has an id for each start. Elsewhere the standard library has no clock that does both.
#[cfg(target_os = "linux")]
fn boot() -> Option<Boot> {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.chars().filter(char::is_ascii_hexdigit).take(16).collect::<String>();
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, parts) = uptime.split_whitespace().next()?.split_once('.')?;
    let (seconds, hundredths): (i64, i64) = (seconds.parse().ok()?, parts.parse().ok()?);
    Some(Boot { id: u64::from_str_radix(&id, 16).ok()?, millis: seconds * 1_000 + hundredths * 10 })
}

#[cfg(not(target_os = "linux"))]
fn boot() -> Option<Boot> {
    None
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
