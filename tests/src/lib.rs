//! The whole of Parley as real programs: simulator, server, desk, window. Scenarios, the demo's story and the benchmarks are
//! built on this.

pub mod access_story;
pub mod bench;
pub mod browser;
pub mod desk;
pub mod inside;
pub mod meta;
pub mod scan;
pub mod simulation;
pub mod stack;
pub mod story;
pub mod transcript;

/// What goes wrong in a scenario, as one text for the person who reads it.
pub type Fallible<T = ()> = xtask::failure::Fallible<T>;
