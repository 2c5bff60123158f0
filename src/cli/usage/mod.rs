//! `tributary usage`: the records of calls, and what they add up to.

mod records;
mod totals;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use jiff::civil::Date;

use super::{Desk, Failure};
use crate::accounts::By;

/// Show or export what was used: the records of calls, newest first, or their totals.
#[derive(Debug, Args)]
pub(super) struct Usage {
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many records.
    #[arg(long, default_value_t = 100, conflicts_with = "totals")]
    limit: usize,
    /// Print CSV: a line for each record, with its last attempt, or for each total.
    #[arg(long)]
    csv: bool,
    /// Totals instead of records. They are kept for good.
    #[arg(long)]
    totals: bool,
    /// What totals are told apart by.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_values_t = [By::Day, By::User, By::Platform, By::Model],
        requires = "totals"
    )]
    by: Vec<By>,
    /// Totals from this day on, in UTC [default: 30 days ago].
    #[arg(long, value_name = "DATE", requires = "totals")]
    since: Option<Date>,
    /// Totals up to this day [default: today].
    #[arg(long, value_name = "DATE", requires = "totals")]
    until: Option<Date>,
}

impl ValueEnum for By {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()))
    }
}

/// How facts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Table,
    Csv,
    Json,
}

impl Usage {
    pub(super) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let form = match (self.csv, desk.json) {
            (true, true) => {
                return Err(Failure::usage("both --csv and --json", "Choose one of them."));
            }
            (true, false) => Form::Csv,
            (false, true) => Form::Json,
            (false, false) => Form::Table,
        };
        if self.totals {
            totals::show(&self, form, desk).await
        } else {
            records::show(&self, form, desk).await
        }
    }
}
