//! Parley's central server: takes Meta's webhooks, gives every change its place in one order, sends, and says who may see what.
//!
//! Promise: a webhook is durable before it is answered with 200 ([`ingest`]) and applied once ([`apply`]); an edit is applied
//! once and its outcome recorded in the same transaction ([`sync`]); a message is handed to Meta at most once without evidence
//! that the first time failed ([`outbox`]). SQL stands in [`db`] alone, calls to the outside in [`egress`] alone, the system's
//! clock and randomness in [`system`] alone.

pub mod access;
pub mod admin;
pub mod app;
pub mod apply;
pub mod audit;
pub mod backup;
mod by_hand;
pub mod config;
pub mod db;
pub mod device;
mod device_key;
pub mod egress;
pub mod envelope;
pub mod erasure;
pub mod error;
mod factor;
pub mod http;
pub mod ingest;
pub mod jobs;
pub mod leaving;
pub mod metrics;
pub mod outbox;
mod password;
pub mod pokes;
pub mod remote;
pub mod seal;
pub mod secrets;
pub mod session;
pub mod sync;
pub mod system;
mod tries;

pub use app::{App, Deps, Running};
pub use by_hand::{ByHand, Ear, Heard, InHand};
pub use config::{Config, Database};
pub use error::{Error, Result};
