//! One module per table: its row and columns as SeaORM sees them. Plain rows; [`super::rows`] turns them into entities.

mod access;
mod desk;
mod endpoint;
mod hand;
mod logged;
mod ordering;
mod staff;
mod talk;

mod trade;

pub use access::*;
pub use desk::*;
pub use endpoint::*;
pub use hand::*;
pub use logged::*;
pub use ordering::*;
pub use staff::*;
pub use talk::*;

pub use trade::*;
