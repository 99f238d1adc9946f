//! Webhooks: verify the raw bytes ([`signature`]), answer Meta's subscription check ([`challenge`]), split a body into
//! items ([`parse`]).
//!
//! Promise of [`parse`]: every element of every change of every entry becomes one [`Item`] of its own, in order; an element
//! that cannot be read becomes [`Fact::Unreadable`] and its siblings are untouched (meta-platform.md §0.10, §4.3). Only a body
//! that is no JSON object, or is nested absurdly deep, is a [`ParseError`].

mod challenge;
mod content;
mod envelope;
mod fact;
mod management;
mod message;
mod sender;
pub mod signature;
mod status;

pub use challenge::challenge;
pub use envelope::{DEPTH_MAX, ParseError, parse};
pub use fact::{
    Fact, IdentityChange, InboundContent, InboundMessage, Item, MetaError, Pricing, Referral, ReferredProduct,
    ReplyContext, ReportedState, StatusUpdate,
};

#[cfg(test)]
mod tests;
