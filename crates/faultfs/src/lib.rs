//! A layer between SQLite and the file system, for tests only.
//!
//! Promise: [`watch`] makes every SQLite connection of this process that is opened afterwards go through it. For files of one
//! folder it keeps the order of writes, truncations, syncs and deletions, and fails them from a chosen one on; for all others
//! it hands through. [`Disk`] makes of such a record what a disk may hold after a power cut at any point.
//!
//! Everything else (locks, shared memory, reading) stays SQLite's own, so that what is tested is what is shipped.

mod disk;
mod layer;
mod state;

pub use disk::{Disk, Files, Style, read_folder, write_folder};
pub use state::{Fault, Op, Plan, Watch, watch};
