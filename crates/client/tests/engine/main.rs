//! The engine against a pretend server: what a member would see, offline and online.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod applock;
mod disk;
mod erasure;
mod figures;
mod forensics;
mod keyring;
mod kills;
mod lease;
mod outbox;
mod released;
mod retention;
mod sync;
mod vault;
mod views;
mod world;
