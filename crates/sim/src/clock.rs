//! The only place that reads the machine's clock. Everything else takes a [`Clock`].
//!
//! Promise: a run whose clock is a [`ManualClock`] sees no time but the one it was given.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, UTC.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The machine's own clock.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn system() -> Clock {
    Arc::new(|| match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(_) => 0,
    })
}

/// A clock that moves only when told to.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Starts at `ms` milliseconds since the epoch.
    #[must_use]
    pub fn new(ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(ms)))
    }

    /// Moves forward by `ms` milliseconds.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }

    /// The present instant in milliseconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// This clock in the shape that [`crate::SimConfig`] takes.
    #[must_use]
    pub fn as_clock(&self) -> Clock {
        let shared = self.clone();
        Arc::new(move || shared.now())
    }
}

/// Measures how long something took; for the load generator only.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The present instant for timers. Follows a paused tokio clock.
pub(crate) fn tick() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
