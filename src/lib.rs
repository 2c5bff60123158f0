//! Tributary.

pub mod simulator;
