//! A call's account of itself: what was tried, what it used, how it ended.
//!
//! A call always leaves its record, also when the caller hangs up and the call is
//! dropped wherever it stands.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::books::{Books, Entry, Place, count};
use super::caller::Caller;
use super::estimate::Learned;
use super::failure::Failure;
use super::gateway::Parts;
use super::hearing::News;
use super::hold::OpenHold;
use super::kept::{Kept, bytes_of};
use super::lane::Lane;
use super::lease::OpenLease;
use super::payer::Used;
use super::prompt::Prompt;
use super::uncounted::{Closing, end_day};
use super::words::{Spoken, Words};
use crate::accounts::{
    Account, AccountId, Attempt, Billing, KeptBodies, Record, TokenId, Tokens, UserId,
};
use crate::front::{ChatRequest, Produced, Usage};
use crate::platforms::Reader;
use crate::telemetry::clock::{self, Stopwatch};
use crate::telemetry::events::{AttemptFailed, BodiesDropped, RequestSent, StreamOpened};

/// A call in progress.
pub(super) struct Call {
    pub(super) prompt: Prompt,
    pub(super) max_tokens: Option<u64>,
    /// How many answers are asked for.
    pub(super) answers: u64,
    request_id: String,
    at: Timestamp,
    arrived: Stopwatch,
    user: UserId,
    token: TokenId,
    model: String,
    streamed: bool,
    attempts: Vec<Attempt>,
    running: Option<Running>,
    spoken: Spoken,
    first_output: Option<Duration>,
    /// What is said, where it is kept.
    kept: Option<Box<Kept>>,
    /// What is held of the token's day.
    day: Option<Box<OpenHold>>,
    books: Books,
    /// A place in the books that no lease has.
    place: Option<Place>,
    closed: bool,
}

/// How an answer ended.
pub(super) enum Ending {
    /// With the platform's last word.
    Complete {
        /// Its own figure, if it gave one.
        usage: Option<Usage>,
        /// The text that it produced.
        produced: Produced,
    },
    /// Before that.
    Broken {
        /// What it had counted so far, if it told.
        usage: Option<Usage>,
        /// The text that it had produced.
        produced: Produced,
    },
}

impl Ending {
    /// Nothing came.
    pub(super) const NOTHING: Self = Self::Broken { usage: None, produced: Produced::NOTHING };
}

/// The attempt that runs now.
struct Running {
    lease: OpenLease,
    lane: Arc<Lane>,
    model: Arc<str>,
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
            prompt: Prompt::of(ask),
            max_tokens: ask.max_tokens(),
            answers: ask.answers(),
            request_id: request_id.to_owned(),
            at: clock::now(),
            arrived,
            user: caller.user(),
            token: caller.token(),
            model: ask.model().unwrap_or_default().to_owned(),
            streamed: ask.wants_stream(),
            attempts: Vec::new(),
            running: None,
            spoken: Spoken::default(),
            first_output: None,
            kept: caller.keeps_bodies().then(|| {
                let most = parts.kept_body_bytes;
                Box::new(Kept::new(&parts.vault, &parts.metrics, most, ask.body()))
            }),
            day: None,
            books: parts.books.clone(),
            place: None,
            closed: false,
        }
    }

    /// A place in the books for the next lease. `None` when the gateway is shutting down.
    pub(super) fn place(&self) -> impl Future<Output = Option<Place>> {
        self.books.place()
    }

    /// The same, if there is one that nobody need wait for.
    pub(super) fn place_at_hand(&mut self) -> Option<Place> {
        self.place.take().or_else(|| self.books.free_place())
    }

    /// A place that its lease did not need.
    pub(super) fn give_back(&mut self, place: Option<Place>) {
        self.place = place;
    }

    /// The call draws on its token's day: what it used is counted there at its end.
    pub(super) fn draw_on(&mut self, day: OpenHold) {
        self.day = Some(Box::new(day));
    }

    /// Who the caller is to an account that it was given.
    pub(super) fn reader(&self, account: &Account) -> Reader {
        if account.owner == self.user { Reader::Owner } else { Reader::Member }
    }

    /// How many attempts were begun.
    pub(super) fn attempts(&self) -> usize {
        self.attempts.len() + usize::from(self.running.is_some())
    }

    pub(super) fn begin_attempt(&mut self, lease: OpenLease, lane: Arc<Lane>, model: Arc<str>) {
        self.running = Some(Running { lease, lane, model, began: Stopwatch::start() });
    }

    /// The request leaves now: from here on the platform may bill it.
    pub(super) fn sending(&mut self) {
        if let Some(running) = &mut self.running {
            running.lease.mark_sent();
            RequestSent { meter: &running.lane.meter, after: self.arrived.elapsed() }.emit();
        }
    }

    /// The platform gave its verdict on what was sent: it bills nothing.
    pub(super) fn was_refused(&mut self) {
        if let Some(running) = &mut self.running {
            running.lease.mark_refused();
        }
    }

    /// What the answer told of the account's limits.
    pub(super) fn heard(&mut self, news: Option<Box<News>>) {
        if let Some(running) = &mut self.running {
            running.lease.heard(news);
        }
    }

    /// Whether the running attempt's account has failures on its record.
    pub(super) fn is_ailing(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.lease.grant().ailing)
    }

    /// What a failed attempt comes to. Should the caller hang up meanwhile, it is charged
    /// as any that is on its way.
    pub(super) async fn use_of(&mut self, failure: &mut Failure) -> Used {
        if let Some(billed) = failure.billed() {
            return Used::exact(billed);
        }
        let (Some(running), Some((told, produced))) = (&self.running, failure.unpaid()) else {
            return Used::NOTHING;
        };
        let words = Words {
            lane: running.lane.clone(),
            prompt: self.prompt.clone(),
            spoken: take(&mut self.spoken),
            produced,
            told,
        };
        let counts = count(self.books.counter(), vec![words]).await;
        Used::estimated(counts.first().copied().unwrap_or_default())
    }

    /// The leased account can't do what is asked, and nothing was sent: it was no attempt.
    pub(super) fn passed_over(&mut self) {
        if let Some(running) = self.running.take() {
            running.lease.settle(&Used::NOTHING);
        }
    }

    /// The attempt failed before any output; answers when its lease was granted.
    pub(super) fn attempt_failed(&mut self, failure: &Failure, used: &Used) -> Timestamp {
        let Some(running) = self.running.take() else { return self.at };
        let granted_at = running.lease.grant().granted_at;
        AttemptFailed {
            meter: &running.lane.meter,
            request: &self.request_id,
            account: running.lease.key().account.0,
            class: failure.class(),
            status: failure.status(),
            why: failure.network_words(),
            charged: used.charge.tokens().0,
            points: running.lease.cost(used).map(|cost| cost.0.unsigned_abs()),
        }
        .emit();
        self.attempt_ended(running, failure.class(), used).settle(used);
        granted_at
    }

    /// The stream's first output is on its way.
    pub(super) fn stream_opened(&mut self) {
        let after = self.arrived.elapsed();
        self.first_output = Some(after);
        self.prompt.shrink();
        if let Some(running) = &self.running {
            StreamOpened { meter: &running.lane.meter, after }.emit();
        }
    }

    /// A piece of the answer, as the caller gets it.
    pub(super) fn answered(&mut self, piece: &[u8]) {
        if let Some(kept) = &mut self.kept {
            kept.answered(piece);
        }
    }

    /// A piece of the stream's words, to be counted while it flows.
    pub(super) fn spoke(&mut self, words: Vec<u8>) {
        if let Some(running) = &self.running {
            let tokenizer = running.lane.vocabulary.tokenizer;
            self.spoken.count(words, tokenizer, self.books.counter());
        }
    }

    /// The model's learned figures.
    pub(super) fn learned(&self) -> Option<&Learned> {
        self.running.as_ref().map(|running| &running.lane.learned)
    }

    /// Ends the call and its running attempt: by the platform's figure, or by ours
    /// where there is none.
    pub(super) fn close(&mut self, outcome: &'static str, ending: Ending) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let Some(running) = self.running.take() else {
            // Nothing was leased, or all that was has ended. Whoever finds the queue full
            // here has hung up, or found the store down: its record is not worth a wait.
            let record = self.record(outcome, self.arrived.elapsed());
            if let Some(day) = self.day.take() {
                end_day(*day, &record.attempts);
            }
            if let Some(place) = self.place_at_hand() {
                place.send(Entry::Counted {
                    settlement: None,
                    hold: None,
                    record: Some(record),
                    news: None,
                });
            } else {
                self.books.bodies().gone(bytes_of(&record));
            }
            return;
        };
        let lane = running.lane.clone();
        let was_sent = running.lease.was_sent();
        let lease = self.attempt_ended(running, outcome, &Used::NOTHING);
        let took = self.arrived.elapsed();
        let closing = Closing {
            lane: lane.clone(),
            outcome,
            took,
            first_output: self.first_output,
            day: self.day.take().map(|day| *day),
            record: self.record(outcome, took),
        };
        let (told, produced) = match ending {
            Ending::Complete { usage: Some(usage), .. } => {
                lane.learned.learn(self.prompt.census(), &usage);
                let used = Used::exact(usage);
                let record = closing.with(&used, lease.cost(&used));
                return lease.settle_with(&used, record);
            }
            Ending::Complete { usage: None, produced } => (None, produced),
            Ending::Broken { usage, produced } => (usage, produced),
        };
        if !was_sent {
            let record = closing.with(&Used::NOTHING, lease.cost(&Used::NOTHING));
            return lease.settle_with(&Used::NOTHING, record);
        }
        let (prompt, spoken) = (self.prompt.clone(), take(&mut self.spoken));
        lease.settle_by_count(closing, Words { lane, prompt, spoken, produced, told });
    }

    /// The call's record, all but its figures.
    fn record(&mut self, outcome: &'static str, took: Duration) -> Box<Record> {
        let attempts = take(&mut self.attempts);
        let is_bought = |attempt: &Attempt| attempt.account == AccountId::OPERATOR;
        let id = take(&mut self.request_id);
        Box::new(Record {
            bodies: self.bodies(&id),
            id,
            at: self.at,
            user: self.user,
            token: self.token,
            model: take(&mut self.model),
            streamed: self.streamed,
            input: Tokens::ZERO,
            cache_read: Tokens::ZERO,
            cache_write: Tokens::ZERO,
            output: Tokens::ZERO,
            reasoning: Tokens::ZERO,
            estimated: false,
            took_ms: ms(took),
            first_byte_ms: self.first_output.map(ms),
            billing: if attempts.last().is_some_and(is_bought) {
                Billing::Points
            } else {
                Billing::Quota
            },
            points: attempts.iter().map(|attempt| attempt.points).sum(),
            outcome: outcome.into(),
            attempts,
        })
    }

    /// What was said, sealed, if it is kept and the books have room for it.
    fn bodies(&mut self, id: &str) -> Option<KeptBodies> {
        let kept = self.kept.take()?;
        let bodies = kept.seal(self.user, id)?;
        let admitted = self.books.bodies().admits(bodies.bytes());
        if !admitted {
            BodiesDropped { metrics: &kept.metrics }.emit();
        }
        admitted.then_some(bodies)
    }

    /// Notes an attempt that has ended; its lease is still to be settled.
    fn attempt_ended(&mut self, running: Running, outcome: &'static str, used: &Used) -> OpenLease {
        let grant = running.lease.grant();
        let key = running.lease.key();
        self.attempts.push(Attempt {
            lease: key.id,
            account: key.account,
            platform: key.platform.clone(),
            model: running.model,
            remaining: grant.remaining,
            candidates: grant.candidates,
            policy: grant.policy,
            stayed: grant.stayed,
            outcome: outcome.into(),
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

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
