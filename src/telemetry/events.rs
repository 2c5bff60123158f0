//! What happens, as structs: each logs and counts in its `emit`, and nowhere else.

use std::time::Duration;

use super::{Meter, Metrics};

/// A pool granted a lease.
pub struct LeaseGranted<'a> {
    /// The model's metrics.
    pub meter: &'a Meter,
}

impl LeaseGranted<'_> {
    /// Counts.
    pub fn emit(self) {
        self.meter.granted.inc();
    }
}

/// A pool granted no lease.
pub struct LeaseRefused<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// The platform that was asked for.
    pub platform: &'a str,
    /// `exhausted`, `busy`, `cooling`, `unauthorized` or `no_account`.
    pub answer: &'static str,
}

impl LeaseRefused<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        self.metrics.refused(self.platform, self.answer);
        tracing::debug!(platform = self.platform, answer = self.answer, "no lease");
    }
}

/// Points were asked for.
pub struct PointsAsked<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// `held`, `busy` or `empty`.
    pub answer: &'static str,
}

impl PointsAsked<'_> {
    /// Counts.
    pub fn emit(self) {
        self.metrics.points_asked.with_label_values(&[self.answer]).inc();
    }
}

/// A gateway token is at its limit.
pub struct CallerLimited<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// `rate` or `budget`.
    pub by: &'static str,
}

impl CallerLimited<'_> {
    /// Counts.
    pub fn emit(self) {
        self.metrics.callers_limited.with_label_values(&[self.by]).inc();
    }
}

/// A request is on its way to a platform.
pub struct RequestSent<'a> {
    /// The model's metrics.
    pub meter: &'a Meter,
    /// Time since the request came.
    pub after: Duration,
}

impl RequestSent<'_> {
    /// Counts.
    pub fn emit(self) {
        self.meter.overhead.observe(self.after.as_secs_f64());
        tracing::trace!(platform = self.meter.platform, after = ?self.after, "request sent");
    }
}

/// An attempt failed.
pub struct AttemptFailed<'a> {
    /// The model's metrics.
    pub meter: &'a Meter,
    /// The request.
    pub request: &'a str,
    /// The account that it was made on.
    pub account: i64,
    /// The failure's class.
    pub class: &'static str,
    /// The platform's status, if it answered.
    pub status: Option<u16>,
    /// What happened on the way to it, if it did not.
    pub why: Option<String>,
    /// Tokens that it was charged all the same, by our count.
    pub charged: u64,
    /// What that cost in millionths of a point, where points pay.
    pub points: Option<u64>,
}

impl AttemptFailed<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        self.meter.attempts.with_label_values(&[self.meter.platform.as_str(), self.class]).inc();
        match self.points {
            Some(points) => self.meter.points.inc_by(points),
            None => self.meter.charged_estimated.inc_by(self.charged),
        }
        tracing::info!(
            request = self.request,
            platform = self.meter.platform,
            account = self.account,
            class = self.class,
            status = self.status,
            why = self.why,
            "attempt failed"
        );
    }
}

/// An account's health moved.
pub struct HealthMoved<'a> {
    /// The account.
    pub account: i64,
    /// Its new status.
    pub status: &'a str,
}

impl HealthMoved<'_> {
    /// Logs. The platform's own words are kept for the owner, not for the log.
    pub fn emit(self) {
        tracing::warn!(account = self.account, status = self.status, "account moved");
    }
}

/// A platform's answer told how far its clock is from ours.
pub struct ClockSkewed<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// The platform.
    pub platform: &'a str,
    /// How far it is ahead.
    pub seconds: i64,
    /// It is too far, and nobody was told yet.
    pub alarm: bool,
}

impl ClockSkewed<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        let Self { platform, seconds, .. } = self;
        self.metrics.clock_skew.with_label_values(&[platform]).set(seconds);
        if self.alarm {
            tracing::error!(
                platform,
                seconds,
                "the platform's clock is ahead of ours by this much: signed requests will be \
                 refused; set this machine's clock"
            );
        }
    }
}

/// A stream begins to flow to the caller.
pub struct StreamOpened<'a> {
    /// The model's metrics.
    pub meter: &'a Meter,
    /// Time since the request came.
    pub after: Duration,
}

impl StreamOpened<'_> {
    /// Counts.
    pub fn emit(self) {
        self.meter.open_streams.inc();
        self.meter.first_token.observe(self.after.as_secs_f64());
    }
}

/// A call has ended.
pub struct CallEnded<'a> {
    /// The model's metrics.
    pub meter: &'a Meter,
    /// The request.
    pub request: &'a str,
    /// `ok`, `hangup`, or the error's code.
    pub outcome: &'a str,
    /// From arrival to the last byte.
    pub took: Duration,
    /// From arrival to a stream's first output.
    pub first_output: Option<Duration>,
    /// Prompt tokens.
    pub input: u64,
    /// Answer tokens.
    pub output: u64,
    /// Whether the counts are ours rather than the platform's.
    pub estimated: bool,
    /// What it cost in millionths of a point, where points pay.
    pub points: Option<u64>,
}

impl CallEnded<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        let meter = self.meter;
        if self.outcome == "ok" {
            meter.succeeded.inc();
        }
        meter.duration.observe(self.took.as_secs_f64());
        meter.input.observe(self.input as f64);
        meter.output.observe(self.output as f64);
        if let Some(first) = self.first_output {
            meter.open_streams.dec();
            if self.output > 1 {
                let rest = self.took.saturating_sub(first).as_secs_f64();
                meter.per_output_token.observe(rest / (self.output - 1) as f64);
            }
        }
        let charged = if self.estimated { &meter.charged_estimated } else { &meter.charged_exact };
        match self.points {
            Some(points) => meter.points.inc_by(points),
            None => charged.inc_by(self.input + self.output),
        }
        tracing::debug!(
            request = self.request,
            platform = meter.platform,
            outcome = self.outcome,
            input = self.input,
            output = self.output,
            "call ended"
        );
    }
}

/// An answer went to a caller.
pub struct Answered<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// Its HTTP status.
    pub status: u16,
}

impl Answered<'_> {
    /// Counts.
    pub fn emit(self) {
        if self.status == 200 {
            return self.metrics.ok().inc();
        }
        let mut text = [0u8; 3];
        let mut rest = self.status;
        for digit in text.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let status = std::str::from_utf8(&text).unwrap_or("000");
        self.metrics.requests.with_label_values(&[status]).inc();
    }
}

/// What a call said is not kept with its record.
pub struct BodiesDropped<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
}

impl BodiesDropped<'_> {
    /// Counts.
    pub fn emit(self) {
        self.metrics.bodies_dropped.inc();
    }
}

/// A notice was posted.
pub struct NoticePosted<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// The account's id.
    pub account: i64,
    /// `quota`, `credential_ends` or `stopped`.
    pub kind: &'static str,
}

impl NoticePosted<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        self.metrics.notices.with_label_values(&[self.kind]).inc();
        tracing::info!(account = self.account, kind = self.kind, "notice posted");
    }
}

/// A notice was sent, or was not.
pub struct NoticeSent<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// `webhook` or `mail`.
    pub channel: &'static str,
    /// The notice's id.
    pub notice: i64,
    /// `sent`, `failed` or `given_up`.
    pub outcome: &'static str,
    /// Why not.
    pub why: &'a str,
}

impl NoticeSent<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        let Self { metrics, channel, notice, outcome, why } = self;
        metrics.notices_sent.with_label_values(&[channel, outcome]).inc();
        match outcome {
            "sent" => tracing::debug!(notice, channel, "notice sent"),
            _ => tracing::warn!(notice, channel, outcome, why, "notice not sent"),
        }
    }
}

/// A call of the store failed.
pub struct StoreFailed<'a> {
    /// Where it is counted.
    pub metrics: &'a Metrics,
    /// The failure.
    pub why: &'a str,
}

impl StoreFailed<'_> {
    /// Logs and counts.
    pub fn emit(self) {
        self.metrics.store_failures.inc();
        tracing::error!(why = self.why, "store failed");
    }
}
