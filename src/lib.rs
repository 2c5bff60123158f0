//! Tributary: one OpenAI endpoint over the AI accounts that people already have.
//!
//! This file is the map. A room imports only rooms below it (`tests/rooms.rs`
//! proves it), and one request takes a straight way through them:
//!
//! ```text
//! accept -> authenticate -> read body -> route -> lease -> open credential
//!        -> translate -> send -> (fail over) -> relay -> settle + record
//! ```

pub mod cli;

pub mod config;

pub mod server;

pub mod api;

pub mod relay;

pub mod authorize;

pub mod oidc;

pub mod upstream;

pub mod identity;

pub mod store;

pub mod platforms;

pub mod front;

pub mod accounts;

pub mod vault;

pub mod telemetry;

// Stands alone: it imports none of the above, and only `cli` starts it.
pub mod simulator;
