//! Tributary.

pub mod front;
pub mod platforms;
