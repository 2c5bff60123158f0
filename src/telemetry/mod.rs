//! What the gateway tells of itself: time, logs and metrics.
//!
//! An event is a struct that logs and counts in one place (`events`); no other
//! room touches a counter. No label and no log line holds a credential, a token,
//! a prompt or an answer.

pub mod clock;
pub mod events;
pub mod log;
mod metrics;
mod within;

pub use metrics::{Meter, Metrics};
pub use within::{Within, within};
