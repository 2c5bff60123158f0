//! A call that has ended, on its way to the books: with its figures, or without.

use std::sync::Arc;
use std::time::Duration;

use super::hearing::News;
use super::hold::OpenHold;
use super::lane::Lane;
use super::payer::{End, Payer, Used};
use super::words::Words;
use crate::accounts::{Attempt, Charge, ChargeKind, Points, Record, Tokens};
use crate::front::Usage;
use crate::telemetry::events::CallEnded;

/// An ended call, all but its figures.
pub(super) struct Closing {
    pub(super) lane: Arc<Lane>,
    pub(super) outcome: &'static str,
    pub(super) took: Duration,
    pub(super) first_output: Option<Duration>,
    /// What is held of its token's day.
    pub(super) day: Option<OpenHold>,
    /// Its last attempt is the one that is charged.
    pub(super) record: Box<Record>,
}

impl Closing {
    /// Fills in the figures, and tells that the call has ended.
    pub(super) fn with(mut self, used: &Used, cost: Option<Points>) -> Box<Record> {
        let Used { charge, counts } = *used;
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
            points: cost.map(|cost| cost.0.unsigned_abs()),
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
            attempt.points = cost.unwrap_or_default();
        }
        record.points = record.attempts.iter().map(|attempt| attempt.points).sum();
        if let Some(day) = self.day {
            end_day(day, &record.attempts);
        }
        self.record
    }
}

/// An ended call that is still to be counted.
pub(super) struct Uncounted {
    pub(super) payer: Payer,
    pub(super) closing: Closing,
    /// What the answer told of the lease's account.
    pub(super) news: Option<Box<News>>,
}

impl Uncounted {
    /// What ends the attempt, the call's record, and what the answer told.
    pub(super) fn counted(self, counts: Usage) -> (End, Box<Record>, Option<Box<News>>) {
        let used = Used::estimated(counts);
        let record = self.closing.with(&used, self.payer.cost(&used));
        (self.payer.end(&used), record, self.news)
    }
}

/// An ended call and its words.
pub(super) type ToCount = Box<(Uncounted, Words)>;

/// Counts what a call's attempts used in its token's day.
pub(super) fn end_day(day: OpenHold, attempts: &[Attempt]) {
    let charges = || attempts.iter().map(|attempt| attempt.charge);
    let tokens: Tokens = charges().map(Charge::tokens).sum();
    let kind = if charges().any(|charge| matches!(charge, Charge::Estimated(_))) {
        ChargeKind::Estimated
    } else if tokens == Tokens::ZERO {
        ChargeKind::Released
    } else {
        ChargeKind::Exact
    };
    day.end(kind, tokens.0);
}
