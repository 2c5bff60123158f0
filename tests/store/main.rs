//! The store's contract, as sentences. Each runs on both stores, and on Redis in all its
//! forms: `…::on_sqlite`, `…::on_redis`, `…::on_sentinel`, `…::on_cluster`. `redis-server`
//! and `redis-cli` must be on the path; the tests start their own.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

#[path = "../common/figures.rs"]
mod figures;
mod rig;

mod audit;
mod blocks;
mod bounds;
mod crash;
mod crowd;
mod edits;
mod ends;
mod health;
mod leases;
mod model;
mod moves;
mod moves_mended;
mod notices;
mod people;
mod policies;
mod purses;
mod records;
mod redis_faults;
mod redis_formats;
mod redis_halves;
mod redis_links;
mod redis_policies;
mod redis_records;
mod redis_server;
mod redis_shards;
mod redis_terms;
mod redis_together;
mod refusals;
mod renewal;
mod sealings;
mod sign_ins;
mod sqlite_file;
mod sqlite_journal;
mod sqlite_records;
mod sqlite_versions;
mod teams;
mod tokens;
mod totals;
mod windows;
