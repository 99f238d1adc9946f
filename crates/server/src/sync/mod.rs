//! Sync with desks: rows down ([`pull`], [`snapshot`]), edits up ([`push`]). docs/SYNC.md tells the rules.

pub mod cursor;
pub mod mask;
pub mod pull;
pub mod push;
pub mod scope;
pub mod snapshot;
