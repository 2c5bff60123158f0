//! The commands as scripts and people use them: the binary itself, its output, its exit
//! codes.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod audit;
mod check;
mod doctor;
mod keys;
mod people;
mod points;
mod policies;
mod refusals;
mod removal;
mod rig;
mod ring;
mod spark;
mod teams;
mod until;
mod walk;
