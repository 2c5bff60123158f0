//! A call that has ended, on its way to the books: with its figures, or without.

use std::sync::Arc;
use std::time::Duration;

use super::lane::Lane;
use super::words::Words;
use crate::accounts::{Charge, LeaseKey, Record, Settlement, Tokens};
use crate::front::Usage;
use crate::telemetry::events::CallEnded;

/// An ended call, all but its figures.
pub(super) struct Closing {
    pub(super) lane: Arc<Lane>,
    pub(super) outcome: &'static str,
    pub(super) took: Duration,
    pub(super) first_output: Option<Duration>,
    /// Its last attempt is the one that is charged.
    pub(super) record: Box<Record>,
}

impl Closing {
    /// Fills in the figures, and tells that the call has ended.
    pub(super) fn with(mut self, charge: Charge, counts: Usage) -> Box<Record> {
        let estimated = matches!(charge, Charge::Estimated(_));
        CallEnded {
            meter: &self.lane.meter,
            request: &self.record.id,
            outcome: self.outcome,
            took: self.took,
            first_output: self.first_output,
            input: counts.input,
            output: counts.output,
            estimated,
        }
        .emit();
        let record = &mut self.record;
        record.input = Tokens(counts.input);
        record.cache_read = Tokens(counts.cache_read);
        record.cache_write = Tokens(counts.cache_write);
        record.output = Tokens(counts.output);
        record.reasoning = Tokens(counts.reasoning);
        record.estimated = estimated;
        if let Some(attempt) = record.attempts.last_mut() {
            attempt.charge = charge;
        }
        self.record
    }
}

/// An ended call that is still to be counted.
pub(super) struct Uncounted {
    pub(super) lease: LeaseKey,
    pub(super) closing: Closing,
}

impl Uncounted {
    pub(super) fn counted(self, counts: Usage) -> (Settlement, Box<Record>) {
        let charge = Charge::Estimated(Tokens(counts.total()));
        (Settlement { lease: self.lease, charge }, self.closing.with(charge, counts))
    }
}

/// An ended call and its words.
pub(super) type ToCount = Box<(Uncounted, Words)>;
