//! Speaks Meta: webhook signatures and bodies on the way in, Graph calls on the way out, and Meta's errors as one table.
//!
//! Promise: whatever Meta sends becomes facts in the domain's types, and no unknown field, type, status or enum value loses
//! anything else in the same body ([`webhook`]). What is sent has exactly Meta's documented shape, and its result says whether
//! Meta took it, refused it, or whether nobody knows ([`graph`], [`error`]).
//!
//! Absent on purpose: storing, retrying, deciding whether a message may be sent, making an HTTP client, clock, randomness.

pub mod error;
pub mod graph;
pub mod webhook;

mod lenient;

pub use error::{ErrorClass, SendError};
