//! Listeners, HTTP versions, limits, graceful drain, and the one route table.

mod connection;
mod console;
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

pub use routes::{
    AdminHandler, CallerHandler, Handler, OpenHandler, OperatorHandler, ROUTES, Role, Route,
    SessionHandler,
};
pub use run::{Addresses, Running, start};
pub use settings::{OperatorSettings, Settings};
