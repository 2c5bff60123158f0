//! The gateway end to end: real sockets, simulated platforms. What doesn't hang on one
//! store runs on both: `…::on_sqlite`, `…::on_redis`. `redis-server` must be on the path;
//! the tests start their own.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test's tasks need no drain")]

#[path = "../common/figures.rs"]
mod figures;
mod rig;
#[allow(dead_code, reason = "the commands' own tests use the rest")]
#[path = "../cli/rig.rs"]
mod shell;

mod accounts;
mod audit;
mod books;
mod clocks;
mod crash;
mod cuts;
mod drains;
mod dump;
mod errors;
mod faces;
mod failover;
mod hangup;
mod hygiene;
mod kept;
mod key_rotation;
mod lacks;
mod limits;
mod line;
mod models;
mod moves;
mod notices;
mod operators;
mod points;
mod policies;
mod redis_faults;
mod regression;
mod replicas;
mod responses;
mod roles;
mod rotation;
mod schemes;
mod senders;
mod server;
mod sign_in;
mod spark_ws;
mod splice;
mod stall;
mod teams;
mod token_limits;
mod tokens;
mod trail;
