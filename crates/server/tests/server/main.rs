//! The server from outside: webhooks in, HTTP as a desk speaks it, Meta as the simulator plays it. Every test runs on SQLite
//! and, where `PARLEY_TEST_MYSQL_URL` names a server (`mysql://root@127.0.0.1:PORT`), on a fresh database there too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod access;
mod concurrency;
mod desks;
mod devices;
mod factor;
mod facts;
mod inbound;
mod injection;
mod logs;
mod mask;
mod members;
mod operate;
mod outbound;
mod payloads;
mod quota;
mod remote;
mod routes;
mod schema;
mod sync;
mod world;
