//! A call's account of itself: what was tried, what it used, how it ended.
//!
//! A call always leaves its record, also when the caller hangs up and the call is
//! dropped wherever it stands.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::books::{Books, Entry, Place};
use super::caller::Caller;
use super::failure::Failure;
use super::gateway::Parts;
use super::hold::OpenHold;
use super::lane::Lane;
use super::lease::{OpenLease, Used};
use crate::accounts::{
    Account, AccountId, Attempt, Billing, Charge, ChargeKind, Record, TokenId, Tokens, UserId,
};
use crate::front::{ByteCensus, ChatRequest, Usage};
use crate::platforms::Reader;
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::events::{AttemptFailed, CallEnded, RequestSent, StreamOpened};

/// A call in progress.
pub(super) struct Call {
    pub(super) prompt: ByteCensus,
    pub(super) max_tokens: Option<u64>,
    request_id: String,
    at: Timestamp,
    arrived: Stopwatch,
    user: UserId,
    token: TokenId,
    model: String,
    streamed: bool,
    attempts: Vec<Attempt>,
    running: Option<Running>,
    first_output: Option<Duration>,
    /// What is held of the token's day.
    budget: Option<OpenHold>,
    books: Books,
    /// A place in the books that no lease has.
    place: Option<Place>,
    closed: bool,
}

/// How an answer ended.
pub(super) enum Ending {
    /// As the platform meant it to.
    Complete {
        /// Its own figure, if it gave one.
        usage: Option<Usage>,
        /// The text that it produced.
        produced: ByteCensus,
    },
    /// Before its end.
    Broken {
        /// What it had counted so far, if it told.
        usage: Option<Usage>,
        /// The text that it had produced.
        produced: ByteCensus,
    },
}

impl Ending {
    /// Nothing came.
    pub(super) const NOTHING: Self = Self::Broken { usage: None, produced: ByteCensus::NOTHING };
}

/// The attempt that runs now.
struct Running {
    lease: OpenLease,
    lane: Arc<Lane>,
    model: String,
    began: Stopwatch,
}

impl Call {
    /// Begins to keep account.
    pub(super) fn begin(
        parts: &Parts,
        caller: &Caller,
        ask: &ChatRequest,
        request_id: &str,
        arrived: Stopwatch,
    ) -> Self {
        Self {
            prompt: ask.census(),
            max_tokens: ask.max_tokens(),
            request_id: request_id.to_owned(),
            at: clock::now(),
            arrived,
            user: caller.user(),
            token: caller.token(),
            model: ask.model().unwrap_or_default().to_owned(),
            streamed: ask.wants_stream(),
            attempts: Vec::new(),
            running: None,
            first_output: None,
            budget: None,
            books: parts.books.clone(),
            place: None,
            closed: false,
        }
    }

    /// A place in the books for the next lease. `None` when the gateway is shutting down.
    pub(super) async fn place(&mut self) -> Option<Place> {
        match self.place.take() {
            Some(place) => Some(place),
            None => self.books.place().await,
        }
    }

    /// A place that its lease did not need.
    pub(super) fn give_back(&mut self, place: Option<Place>) {
        self.place = place;
    }

    /// The call draws on its token's day: what it used is counted there at its end.
    pub(super) fn draw_on(&mut self, budget: OpenHold) {
        self.budget = Some(budget);
    }

    /// Who the caller is to an account that it was given.
    pub(super) fn reader(&self, account: &Account) -> Reader {
        if account.owner == self.user { Reader::Owner } else { Reader::Member }
    }

    /// How many attempts were begun.
    pub(super) fn attempts(&self) -> usize {
        self.attempts.len() + usize::from(self.running.is_some())
    }

    pub(super) fn begin_attempt(&mut self, lease: OpenLease, lane: Arc<Lane>, model: &str) {
        let model = model.to_owned();
        self.running = Some(Running { lease, lane, model, began: Stopwatch::start() });
    }

    /// The request leaves now: from here on the platform may bill it.
    pub(super) fn sending(&mut self) {
        if let Some(running) = &mut self.running {
            running.lease.mark_sent();
            RequestSent { meter: &running.lane.meter, after: self.arrived.elapsed() }.emit();
        }
    }

    /// The attempt failed before any output; answers how long it took.
    pub(super) fn attempt_failed(&mut self, failure: &Failure) -> Duration {
        let Some(running) = self.running.take() else { return Duration::ZERO };
        let took = running.began.elapsed();
        let used = failure.used(running.lease.prompt(), &running.lane.learned);
        AttemptFailed {
            meter: &running.lane.meter,
            request: &self.request_id,
            account: running.lease.key().account.0,
            class: failure.class(),
            status: failure.status(),
            why: failure.network_words(),
            charged: used.charge.tokens().0,
            points: millionths(&running, &used),
        }
        .emit();
        self.attempt_ended(running, failure.class(), &used).settle(&used);
        took
    }

    /// The stream's first output is on its way.
    pub(super) fn stream_opened(&mut self) {
        let after = self.arrived.elapsed();
        self.first_output = Some(after);
        if let Some(running) = &self.running {
            StreamOpened { meter: &running.lane.meter, after }.emit();
        }
    }

    /// Ends the call and its running attempt: by the platform's figure, or by ours
    /// where there is none.
    pub(super) fn close(&mut self, outcome: &'static str, ending: Ending) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let mut counts = Usage::default();
        let mut last = None;
        if let Some(running) = self.running.take() {
            let used = self.count(&running, ending);
            counts = used.counts;
            CallEnded {
                meter: &running.lane.meter,
                request: &self.request_id,
                outcome,
                took: self.arrived.elapsed(),
                first_output: self.first_output,
                input: counts.input,
                output: counts.output,
                estimated: matches!(used.charge, Charge::Estimated(_)),
                points: millionths(&running, &used),
            }
            .emit();
            last = Some((self.attempt_ended(running, outcome, &used), used));
        }
        self.count_day();
        let attempts = take(&mut self.attempts);
        let is_bought = |attempt: &Attempt| attempt.account == AccountId::OPERATOR;
        let record = Box::new(Record {
            id: take(&mut self.request_id),
            at: self.at,
            user: self.user,
            token: self.token,
            model: take(&mut self.model),
            streamed: self.streamed,
            input: Tokens(counts.input),
            cache_read: Tokens(counts.cache_read),
            cache_write: Tokens(counts.cache_write),
            output: Tokens(counts.output),
            reasoning: Tokens(counts.reasoning),
            estimated: last
                .as_ref()
                .is_some_and(|(_, used)| matches!(used.charge, Charge::Estimated(_))),
            took_ms: ms(self.arrived.elapsed()),
            first_byte_ms: self.first_output.map(ms),
            billing: if attempts.last().is_some_and(is_bought) {
                Billing::Points
            } else {
                Billing::Quota
            },
            points: attempts.iter().map(|attempt| attempt.points).sum(),
            outcome: outcome.to_owned(),
            attempts,
        });
        match last {
            Some((lease, used)) => lease.settle_with(&used, record),
            // Nothing was leased, or all that was has ended. Whoever finds the queue full
            // here has hung up, or found the store down: its record is not worth a wait.
            None => {
                if let Some(place) = self.place.take().or_else(|| self.books.free_place()) {
                    place.send(Entry { settlement: None, hold: None, record: Some(record) });
                }
            }
        }
    }

    /// Counts what the attempts used in the token's day.
    fn count_day(&mut self) {
        let Some(budget) = self.budget.take() else { return };
        let charges = || self.attempts.iter().map(|attempt| attempt.charge);
        let tokens: Tokens = charges().map(Charge::tokens).sum();
        let kind = if charges().any(|charge| matches!(charge, Charge::Estimated(_))) {
            ChargeKind::Estimated
        } else if tokens == Tokens::ZERO {
            ChargeKind::Released
        } else {
            ChargeKind::Exact
        };
        budget.end(kind, tokens.0, None);
    }

    fn count(&self, running: &Running, ending: Ending) -> Used {
        let learned = &running.lane.learned;
        let (told, produced) = match ending {
            Ending::Complete { usage: Some(usage), .. } => {
                learned.learn(self.prompt, &usage);
                return Used::exact(usage);
            }
            Ending::Complete { usage: None, produced } => (None, produced),
            Ending::Broken { usage, produced } => (usage, produced),
        };
        if !running.lease.was_sent() {
            return Used::NOTHING;
        }
        Used::by_our_count(told, running.lease.prompt(), learned.answer(produced))
    }

    /// Notes an attempt that has ended; its lease is still to be settled.
    fn attempt_ended(&mut self, running: Running, outcome: &str, used: &Used) -> OpenLease {
        let grant = running.lease.grant();
        let key = running.lease.key();
        self.attempts.push(Attempt {
            lease: key.id,
            account: key.account,
            platform: key.platform.clone(),
            model: running.model,
            remaining: grant.remaining,
            candidates: grant.candidates,
            outcome: outcome.to_owned(),
            charge: used.charge,
            points: running.lease.cost(used).unwrap_or_default(),
            took_ms: ms(running.began.elapsed()),
        });
        running.lease
    }
}

/// The caller hung up while no answer was on its way yet.
impl Drop for Call {
    fn drop(&mut self) {
        self.close("hangup", Ending::NOTHING);
    }
}

/// What an attempt cost in millionths of a point; `None` where an account's quota paid.
fn millionths(running: &Running, used: &Used) -> Option<u64> {
    Some(running.lease.cost(used)?.0.unsigned_abs())
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
