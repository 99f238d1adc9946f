//! A pretend Meta platform: customers who write, a Graph API as strict as Meta's, webhooks as unruly as Meta's.
//!
//! It uses nothing else of Parley and writes Meta's JSON by hand: if it shared Parley's types, it would share its mistakes.
//! Sources: `meta-platform.md`; where Meta leaves a choice, [`SimConfig`] has a switch.
//!
//! ```no_run
//! # async fn example() -> Result<(), parley_sim::SimError> {
//! use parley_sim::{Fault, MetaSim, SimConfig};
//! let sim = MetaSim::start(SimConfig::new(7)).await?;
//! sim.set_webhook("http://127.0.0.1:8080/webhooks/meta/app");
//! let ana = sim.customer("Ana Lima", Some("+55 11 91234-5678"), None);
//! ana.says("Olá, vocês têm luminárias?");
//! sim.next_send(Fault::ResetAfterAccept);
//! sim.drain().await;
//! assert!(sim.violations().is_empty());
//! # Ok(()) }
//! ```

pub mod check;
pub mod clock;
pub mod ledger;
pub mod load;
pub mod script;
pub mod wire;

mod account;
mod batch;
mod config;
mod control;
mod customer;
mod delivery;
mod detached;
mod event;
mod fault;
mod graph;
mod graph_error;
mod ids;
mod interactive;
mod listener;
mod media;
mod message;
mod picture;
mod platform;
mod send;
mod sim;
mod strict;
mod template;

pub use check::Violation;
pub use clock::{Clock, ManualClock};
pub use config::{FaultPlan, Number, Refusal, SimConfig, StatusPace};
pub use customer::{Customer, OrderItem};
pub use delivery::Counts;
pub use detached::{Detached, Posted};
pub use fault::Fault;
pub use ledger::LedgerEntry;
pub use sim::{MetaSim, SimError};
pub use template::Template;
