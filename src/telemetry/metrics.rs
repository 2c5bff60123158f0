//! The metrics' registry.
//!
//! Names and buckets of `gen_ai_*` follow OpenTelemetry's semantic conventions for
//! generative AI. Label sets are closed: platforms and models are the catalogue's,
//! any other name becomes `other`.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, RwLock};

use prometheus::{
    Encoder, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder, histogram_opts, opts,
};

const TOKEN_BUCKETS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
const DURATION_BUCKETS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TOKEN_TIME_BUCKETS: [f64; 12] =
    [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0];
const OVERHEAD_BUCKETS: [f64; 10] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1];

/// Every metric, once a process.
pub struct Metrics {
    registry: Registry,
    token_usage: HistogramVec,
    duration: HistogramVec,
    first_token: HistogramVec,
    per_output_token: HistogramVec,
    overhead: Histogram,
    attempts: IntCounterVec,
    leases: IntCounterVec,
    charged: IntCounterVec,
    points: IntCounterVec,
    pub(super) points_asked: IntCounterVec,
    pub(super) callers_limited: IntCounterVec,
    pub(super) requests: IntCounterVec,
    /// Of the one status that nearly all answers have.
    ok: OnceLock<IntCounter>,
    pub(super) store_failures: IntCounter,
    pub(super) bodies_dropped: IntCounter,
    pub(super) notices: IntCounterVec,
    pub(super) notices_sent: IntCounterVec,
    pub(super) clock_skew: IntGaugeVec,
    open_streams: IntGauge,
    meters: RwLock<HashMap<(String, String), Arc<Meter>>>,
}

/// One model's metrics, looked up once.
pub struct Meter {
    pub(super) input: Histogram,
    pub(super) output: Histogram,
    pub(super) duration: Histogram,
    pub(super) first_token: Histogram,
    pub(super) per_output_token: Histogram,
    pub(super) overhead: Histogram,
    pub(super) granted: IntCounter,
    pub(super) succeeded: IntCounter,
    pub(super) charged_exact: IntCounter,
    pub(super) charged_estimated: IntCounter,
    pub(super) points: IntCounter,
    pub(super) open_streams: IntGauge,
    pub(super) platform: String,
    pub(super) attempts: IntCounterVec,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Registers every metric.
    pub fn new() -> Self {
        let registry = Registry::new();
        let model = ["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];
        let with_type = [model[0], model[1], model[2], "gen_ai_token_type"];
        let histogram = |name: &str, help: &str, labels: &[&str], buckets: &[f64]| {
            let opts = histogram_opts!(name, help, buckets.to_vec());
            register(&registry, HistogramVec::new(opts, labels))
        };
        let counter = |name: &str, help: &str, labels: &[&str]| {
            register(&registry, IntCounterVec::new(opts!(name, help), labels))
        };
        Self {
            token_usage: histogram(
                "gen_ai_client_token_usage",
                "Tokens of a call, by kind.",
                &with_type,
                &TOKEN_BUCKETS,
            ),
            duration: histogram(
                "gen_ai_server_request_duration",
                "Seconds from a request's arrival to its answer's last byte.",
                &model,
                &DURATION_BUCKETS,
            ),
            first_token: histogram(
                "gen_ai_server_time_to_first_token",
                "Seconds from a request's arrival to its stream's first output.",
                &model,
                &DURATION_BUCKETS,
            ),
            per_output_token: histogram(
                "gen_ai_server_time_per_output_token",
                "Seconds for each token of a stream after the first.",
                &model,
                &TOKEN_TIME_BUCKETS,
            ),
            overhead: register(
                &registry,
                Histogram::with_opts(histogram_opts!(
                    "tributary_overhead_seconds",
                    "Seconds from a request's arrival until it is sent to the platform.",
                    OVERHEAD_BUCKETS.to_vec()
                )),
            ),
            attempts: counter(
                "tributary_attempts_total",
                "Attempts, by platform and by how they ended.",
                &["platform", "outcome"],
            ),
            leases: counter(
                "tributary_leases_total",
                "Leases asked for, by platform and answer.",
                &["platform", "answer"],
            ),
            charged: counter(
                "tributary_quota_charged_tokens_total",
                "Tokens charged to accounts' quota, by platform and by whose count it is: exact is \
                 the platform's, estimated is ours.",
                &["platform", "count"],
            ),
            points: counter(
                "tributary_points_spent_millionths_total",
                "Millionths of a point that users spent, by platform.",
                &["platform"],
            ),
            points_asked: counter(
                "tributary_points_asked_total",
                "Times that points were to pay, by answer: held, busy or empty.",
                &["answer"],
            ),
            callers_limited: counter(
                "tributary_callers_limited_total",
                "Requests refused for their gateway token's rate or daily budget.",
                &["by"],
            ),
            requests: counter(
                "tributary_requests_total",
                "Answers to callers, by HTTP status.",
                &["status"],
            ),
            ok: OnceLock::new(),
            store_failures: register(
                &registry,
                IntCounter::new("tributary_store_failures_total", "Failed calls of the store."),
            ),
            bodies_dropped: register(
                &registry,
                IntCounter::new(
                    "tributary_bodies_dropped_total",
                    "Calls whose request and answer were not kept with their record, because too \
                     much waited for the store or it did not take them.",
                ),
            ),
            notices: counter("tributary_notices_total", "Notices posted, by kind.", &["kind"]),
            notices_sent: counter(
                "tributary_notices_sent_total",
                "Tries to send a notice, by channel and outcome: sent, failed or given_up.",
                &["channel", "outcome"],
            ),
            clock_skew: register(
                &registry,
                IntGaugeVec::new(
                    opts!(
                        "tributary_clock_skew_seconds",
                        "Seconds that a platform's clock is ahead of ours, where proofs tell the \
                         time."
                    ),
                    &["platform"],
                ),
            ),
            open_streams: register(
                &registry,
                IntGauge::new("tributary_open_streams", "Streams being relayed or drained now."),
            ),
            registry,
            meters: RwLock::default(),
        }
    }

    /// One model's metrics. Both names must come from a closed set.
    pub fn meter(&self, platform: &str, model: &str) -> Arc<Meter> {
        let key = (platform.to_owned(), model.to_owned());
        if let Some(meter) = self.meters.read().ok().and_then(|meters| meters.get(&key).cloned()) {
            return meter;
        }
        let meter = Arc::new(self.new_meter(platform, model));
        if let Ok(mut meters) = self.meters.write() {
            return meters.entry(key).or_insert(meter).clone();
        }
        meter
    }

    /// Answers that were given with 200. Found once: a search for its label locks, and hashes.
    pub(super) fn ok(&self) -> &IntCounter {
        self.ok.get_or_init(|| self.requests.with_label_values(&["200"]))
    }

    fn new_meter(&self, platform: &str, model: &str) -> Meter {
        let labels = ["chat", platform, model];
        let of_type = |kind| self.token_usage.with_label_values(&["chat", platform, model, kind]);
        Meter {
            input: of_type("input"),
            output: of_type("output"),
            duration: self.duration.with_label_values(&labels),
            first_token: self.first_token.with_label_values(&labels),
            per_output_token: self.per_output_token.with_label_values(&labels),
            overhead: self.overhead.clone(),
            granted: self.leases.with_label_values(&[platform, "granted"]),
            succeeded: self.attempts.with_label_values(&[platform, "ok"]),
            charged_exact: self.charged.with_label_values(&[platform, "exact"]),
            charged_estimated: self.charged.with_label_values(&[platform, "estimated"]),
            points: self.points.with_label_values(&[platform]),
            open_streams: self.open_streams.clone(),
            platform: platform.to_owned(),
            attempts: self.attempts.clone(),
        }
    }

    pub(super) fn refused(&self, platform: &str, answer: &str) {
        self.leases.with_label_values(&[platform, answer]).inc();
    }

    /// The text that Prometheus scrapes, and its content type.
    pub fn exposition(&self) -> (Vec<u8>, &'static str) {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("writing to memory does not fail");
        (text, prometheus::TEXT_FORMAT)
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<C>,
) -> C {
    let metric = metric.expect("a metric's name and labels are constants");
    registry.register(Box::new(metric.clone())).expect("each metric is registered once");
    metric
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    const HEAD: &str = "\
# Metrics

Written by a test from the registry. `GET /metrics` on the operator's listener, in
Prometheus' text format. Counters begin at 0 with the process. `gen_ai_*` follows
OpenTelemetry's semantic conventions for generative AI. Platforms and models are the
catalogue's; any other model's name counts as `other`.

| metric | kind | labels | is |
| --- | --- | --- | --- |
";

    fn written() -> String {
        let metrics = Metrics::new();
        metrics.meter("qwen", "qwen-plus");
        metrics.refused("qwen", "busy");
        metrics.requests.with_label_values(&["200"]);
        metrics.points_asked.with_label_values(&["held"]);
        metrics.callers_limited.with_label_values(&["rate"]);
        metrics.notices.with_label_values(&["quota"]);
        metrics.notices_sent.with_label_values(&["mail", "sent"]);
        metrics.clock_skew.with_label_values(&["spark"]);
        let mut text = HEAD.to_owned();
        for family in metrics.registry.gather() {
            let kind = format!("{:?}", family.get_field_type()).to_lowercase();
            let labels = family.get_metric()[0].get_label();
            let labels: Vec<_> = labels.iter().map(|label| format!("`{}`", label.name())).collect();
            let (name, help) = (family.name(), family.help());
            writeln!(text, "| `{name}` | {kind} | {} | {help} |", labels.join(", ")).unwrap();
        }
        text
    }

    #[test]
    fn the_reference_is_what_the_registry_holds() {
        let file = include_str!("../../docs/metrics.md");
        assert!(file == written(), "docs/metrics.md should be:\n{}", written());
    }
}
