//! `tributary keys generate`: a key for the ring.

use clap::Args;

use crate::cli::{Common, Failure, print};
use crate::vault::KeyRing;

/// Print a new entry for TRIBUTARY_MASTER_KEYS; it is stored nowhere.
///
/// The first entry of a ring seals. To rotate, put a new one in front of it, keep the old
/// one behind it, and run `tributary keys rotate`; docs/keys.md has each step.
#[derive(Debug, Args)]
pub struct Generate {}

impl Generate {
    pub(super) fn run(self, common: &Common) -> Result<(), Failure> {
        let entry = KeyRing::generate()?;
        if common.json {
            return print::json(&serde_json::json!({ "entry": *entry }));
        }
        print::line(&entry)
    }
}
