//! The desk's engine: encrypted files, sync, outbox, search.
//!
//! Promise: the inbox lives here. Reading, searching and answering work with the server gone; an edit is durable before it is
//! shown; no byte of a customer's message is at rest outside the encrypted files; secrets stand in the operating system's
//! keyring. [`Engine`] is the whole API; [`views`] are what it gives to the window.
//!
//! Absent on purpose: the window, Tauri, and any rule that the server must agree on (those are in `parley-domain`).

mod auth;
mod contact;
mod crash;
mod desk;
mod egress;
mod engine;
mod error;
mod events;
mod keyfile;
pub mod keys;
mod live;
pub mod measure;
mod notify;
pub mod os;
mod standing;
mod store;
mod sync;
pub mod views;
mod wipe;

pub use egress::{Carried, Wire};
pub use engine::{Engine, EngineConfig, Outside};
pub use error::{Error, Result};
pub use store::create_tables;
pub use store::outbox::DraftMode;
pub use store::pool::Disk;
