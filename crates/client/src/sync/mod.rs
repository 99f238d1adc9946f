//! Sync with the server: [`machine`] plans without I/O, [`driver`] carries out.

pub mod driver;
pub mod machine;
