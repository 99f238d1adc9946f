//! The plumbing of Parley's tasks, shared with the tests that start real programs: processes, a private MariaDB, a desktop for
//! the real window, the folders of a build.

pub mod cargo;
pub mod desktop;
pub mod failure;
pub mod mariadb;
pub mod process;
