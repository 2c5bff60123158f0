//! Listeners, HTTP versions, limits, graceful drain, and the one route table.

mod connection;
mod dispatch;
mod docs;
mod listen;
mod openapi;
#[cfg(test)]
mod reference;
mod routes;
mod run;
mod settings;
mod stall;

pub use routes::{CallerHandler, Handler, OpenHandler, OperatorHandler, ROUTES, Role, Route};
pub use run::{Addresses, Running, start};
pub use settings::{OperatorSettings, Settings};
