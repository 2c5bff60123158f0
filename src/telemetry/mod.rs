//! What the gateway tells of itself: time, logs and metrics.

pub mod clock;
