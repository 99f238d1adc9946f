//! What is true in Parley: types, state machines, rules and the sync protocol, shared by the desk and the server.
//!
//! Promise: every rule that both sides must agree on is one function here: the service window ([`window`]), the send gate
//! ([`gate`]), who may see and do what ([`permission`]), how an edit changes rows ([`decide`]), how a delivery state moves
//! ([`delivery`]), what a desk may hold ([`policy`]) and for how long it may be out of touch ([`lease`]). The functions are pure. Time comes in as [`Timestamp`], randomness through [`Randomness`].
//!
//! Absent on purpose: I/O, the system clock, random numbers, SQL, HTTP, Meta's wire format.

pub mod channel;
pub mod contact;
pub mod content;
pub mod conversation;
pub mod decide;
pub mod delivery;
pub mod entity;
pub mod error;
pub mod fact;
pub mod gate;
pub mod ids;
pub mod lease;
pub mod limits;
pub mod message;
pub mod money;
pub mod order;
pub mod outward;
pub mod permission;
pub mod personal;
pub mod planted;
pub mod policy;
pub mod protocol;
pub mod time;
pub mod window;
pub mod workspace;

pub use error::Code;
pub use ids::*;
pub use personal::{Bsuid, Email, MessageText, PersonName, Phone, Username};
pub use time::{Clock, Randomness, Timestamp};
