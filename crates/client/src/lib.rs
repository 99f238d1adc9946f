//! The desk's engine.

pub mod views;
