//! One module per table: its row and columns as SeaORM sees them. Plain rows; [`super::rows`] turns them into entities.

mod endpoint;
mod hand;
mod logged;
mod ordering;
mod talk;
mod team;
mod trade;

pub use endpoint::*;
pub use hand::*;
pub use logged::*;
pub use ordering::*;
pub use talk::*;
pub use team::*;
pub use trade::*;
