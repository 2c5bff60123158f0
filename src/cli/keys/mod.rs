//! `tributary keys generate|status|rotate`: the key ring, and what lies under its keys.

mod generate;
mod rotate;
mod status;

use clap::Subcommand;

use super::{Common, Desk, Failure};

/// The key ring that seals credentials.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Generate(generate::Generate),
    Status(status::Status),
    Rotate(rotate::Rotate),
}

impl Keys {
    pub(super) async fn run(self, common: &Common) -> Result<(), Failure> {
        match self {
            Self::Generate(generate) => generate.run(common),
            Self::Status(status) => status.run(&Desk::open(common)?).await,
            Self::Rotate(rotate) => rotate.run(&Desk::open(common)?).await,
        }
    }
}
