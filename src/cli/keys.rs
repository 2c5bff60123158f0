//! `tributary keys generate`: a key for the ring.

use clap::{Args, Subcommand};

use super::{Common, Failure, print};
use crate::vault::KeyRing;

/// The key ring that seals credentials.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Generate(Generate),
}

/// Print a new entry for TRIBUTARY_MASTER_KEYS; it is stored nowhere.
///
/// The first entry of a ring seals; to rotate, put a new one in front of it and keep the
/// old one until nothing is sealed by it.
#[derive(Debug, Args)]
pub(super) struct Generate {}

impl Keys {
    pub(super) fn run(self, common: &Common) -> Result<(), Failure> {
        let Self::Generate(_) = self;
        let entry = KeyRing::generate()?;
        if common.json {
            return print::json(&serde_json::json!({ "entry": *entry }));
        }
        print::line(&entry)
    }
}
