//! The gateway end to end: real sockets, simulated platforms, both stores.

mod errors;
mod line;
mod rig;
