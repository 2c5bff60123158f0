//! The store's contract, as sentences. Each runs on both stores: `…::on_sqlite`,
//! `…::on_redis`. `redis-server` must be on the path; the tests start their own.

mod rig;

mod ends;
mod leases;
mod people;
mod records;
mod refusals;
