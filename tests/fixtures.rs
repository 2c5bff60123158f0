//! Every worked example of every platform, both sides of one call.
//!
//! `tests/fixtures/PLATFORM/CASE/` holds what the caller sent and must get, and what the
//! platform must get and answered. Requests are compared as values; streams event by
//! event as values, fed whole, cut at every byte, and in random pieces. A failing case
//! prints its name and what differs; the matrix shows which cases a platform lacks.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

mod front_rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use front_rules::{Asked, check_answer, check_stream};
use http::{HeaderMap, HeaderName, StatusCode};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tributary::front::ChatRequest;
use tributary::front::sse::events;
use tributary::platforms::{
    Catalogue, Credential, DialectName, Exchange, Face, Kind, PlatformError, Reader, StreamEnd,
};

/// What the cases of a face that is not its platform's usual one begin with, and whose they are.
const FACES: [(&str, DialectName, Kind); 3] = [
    ("dashscope_", DialectName::Dashscope, Kind::Key),
    ("responses_", DialectName::OpenaiResponses, Kind::Key),
    ("siwc_", DialectName::OpenaiResponses, Kind::Oauth),
];

/// The clock of every example.
const CREATED: i64 = 1_790_000_000;

/// Whose app the examples of Spark's frames name.
const TRIPLE: &str = r#"{"app_id": "5f0a1b2c", "api_key": "key", "api_secret": "secret"}"#;

/// What the caller gets, in a form that can be compared.
#[derive(Debug, PartialEq)]
enum Got {
    Answer(Value),
    /// The data of each event; JSON for an error that came after output.
    Stream(Vec<String>),
    Refusal(Value),
}

struct Case {
    name: String,
    folder: PathBuf,
    platform: String,
}

impl Case {
    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.folder.join(file)).ok()
    }

    fn json(&self, file: &str) -> Option<Value> {
        let text = self.text(file)?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", self.name)))
    }

    fn ask(&self) -> ChatRequest {
        let text = self.text("openai_request.json").expect("every case has the caller's request");
        ChatRequest::parse(text.into()).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn begin(&self, catalogue: &Catalogue, ask: &ChatRequest) -> (Exchange, Value) {
        let platform = catalogue.platform(&self.platform).expect("the platform is built in");
        let (.., dialect, kind) = self.short();
        let face = Face::of(platform.face(dialect).expect("it has the face"), kind);
        let name = ask.model().unwrap_or_default();
        let hop = catalogue.resolve_on(platform, name);
        let model = match hop.successor_of {
            // Some examples show what a platform says to a name that we no longer send.
            Some(_) => Arc::new(platform.unlisted(name)),
            None => hop.model,
        };
        let (exchange, mut request) = Exchange::begin(platform, face, &model, ask, CREATED)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        if face.dialect == DialectName::SparkWs {
            // The frame names the credential's app.
            let at = jiff::Timestamp::from_second(CREATED).unwrap();
            Credential::parse(face, TRIPLE).unwrap().prove(face, at, &mut request).unwrap();
        }
        let body = serde_json::from_slice(&request.body)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        (exchange, body)
    }

    /// Its name without its face's prefix, that prefix, that face, and the credential's kind.
    fn short(&self) -> (&str, Option<&'static str>, Option<DialectName>, Kind) {
        let name = self.name.split('/').next_back().unwrap_or_default();
        let face = FACES.iter().find_map(|(prefix, dialect, kind)| {
            Some((name.strip_prefix(prefix)?, Some(*prefix), Some(*dialect), *kind))
        });
        let usual = || match name.strip_prefix("http_") {
            Some(short) => (short, Some("http_"), None, Kind::Key),
            None if self.platform == "spark" => (name, None, Some(DialectName::SparkWs), Kind::Key),
            None => (name, None, None, Kind::Key),
        };
        face.unwrap_or_else(usual)
    }

    /// Runs the platform's answer through the dialect, a stream in these pieces.
    fn run(&self, catalogue: &Catalogue, cuts: &[usize]) -> Got {
        let ask = self.ask();
        let (mut exchange, _) = self.begin(catalogue, &ask);
        if let Some(stream) = self.came() {
            return stream_through(&mut exchange, stream.as_bytes(), cuts);
        }
        let answer = self.json("platform_response.json").expect("every case has an answer");
        let (status, headers, body) = opened(&answer);
        if !status.is_success() {
            return refused(&exchange.classify(status, &headers, &body));
        }
        match exchange.whole(&headers, body.into()) {
            Ok(answer) => Got::Answer(serde_json::from_slice(&answer.body).unwrap()),
            Err(error) => refused(&error),
        }
    }

    /// What the platform sends bit by bit: events, or the frames of a WebSocket.
    fn came(&self) -> Option<String> {
        self.text("platform_stream.sse").or_else(|| self.text("platform_frames.jsonl"))
    }

    fn wanted(&self) -> Got {
        if let Some(stream) = self.text("openai_stream.sse") {
            return Got::Stream(data(stream.as_bytes()));
        }
        let answer = self.json("openai_response.json").expect("every case has what we answer");
        if answer.get("status").is_some() { Got::Refusal(answer) } else { Got::Answer(answer) }
    }
}

fn stream_through(exchange: &mut Exchange, stream: &[u8], cuts: &[usize]) -> Got {
    let (mut out, mut end, mut start) = (Vec::new(), None, 0);
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(start, stream.len());
        let fed = exchange.feed(Bytes::copy_from_slice(&stream[start..cut]));
        start = cut;
        assert!(end.is_none() || fed.out.is_empty(), "output after the end");
        out.extend_from_slice(&fed.out);
        end = end.or(fed.end);
    }
    let fed = exchange.end();
    out.extend_from_slice(&fed.out);
    match end.or(fed.end).expect("a stream ends") {
        StreamEnd::Done => {
            // The caller wanted it whole, and the platform only streams.
            if let Some(answer) = exchange.gathered() {
                assert!(out.is_empty(), "output before a gathered answer");
                return Got::Answer(serde_json::from_slice(&answer.body).unwrap());
            }
        }
        StreamEnd::Failed(error) if exchange.began() => {
            out.extend_from_slice(&error.refusal(Reader::Owner).body.event());
        }
        StreamEnd::Failed(error) => return refused(&error),
    }
    assert!(out.ends_with(b"\n\n"));
    Got::Stream(data(&out))
}

fn data(stream: &[u8]) -> Vec<String> {
    events(stream).map(|event| String::from_utf8(event.data.into_owned()).unwrap()).collect()
}

/// A platform's answer: a bare body, or one with status and headers.
fn opened(answer: &Value) -> (StatusCode, HeaderMap, Vec<u8>) {
    let Some(status) = answer.get("status").and_then(Value::as_u64) else {
        return (StatusCode::OK, HeaderMap::new(), answer.to_string().into());
    };
    let mut headers = HeaderMap::new();
    for (name, value) in answer["headers"].as_object().unwrap() {
        let name: HeaderName = name.parse().unwrap();
        headers.insert(name, value.as_str().unwrap().parse().unwrap());
    }
    let body = match &answer["body"] {
        Value::String(text) => text.clone().into(),
        body => body.to_string().into(),
    };
    (StatusCode::from_u16(status as u16).unwrap(), headers, body)
}

/// The error as the caller would see it.
fn refused(error: &PlatformError) -> Got {
    let refusal = error.refusal(Reader::Owner);
    let mut headers = json!({"content-type": "application/json"});
    if let Some(wait) = refusal.retry_after {
        headers["retry-after"] = json!(wait.as_secs_f64().ceil().to_string());
    }
    if refusal.never_retry {
        headers["x-should-retry"] = json!("false");
    }
    let body: Value = serde_json::from_slice(&refusal.body.envelope()).unwrap();
    Got::Refusal(json!({"status": refusal.status.as_u16(), "headers": headers, "body": body}))
}

/// What differs, or nothing.
fn difference(got: &Got, wanted: &Got) -> Option<String> {
    match (got, wanted) {
        (Got::Stream(got), Got::Stream(wanted)) => {
            let value = |event: Option<&String>| {
                event.map(|event| serde_json::from_str(event).unwrap_or(json!(event)))
            };
            (0..got.len().max(wanted.len())).find_map(|number| {
                let (got, wanted): (Option<Value>, Option<Value>) =
                    (value(got.get(number)), value(wanted.get(number)));
                (got != wanted).then(|| {
                    let show = |value: Option<Value>| {
                        value.map_or("nothing".to_owned(), |value| value.to_string())
                    };
                    format!("event {number}\n     got {}\n  wanted {}", show(got), show(wanted))
                })
            })
        }
        _ => (got != wanted).then(|| format!("\n     got {got:?}\n  wanted {wanted:?}")),
    }
}

fn cases() -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let folders = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect::<BTreeSet<_>>()
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut cases = Vec::new();
    for platform in folders(&root) {
        for folder in folders(&platform) {
            let (platform, case) = (name(&platform), name(&folder));
            cases.push(Case { name: format!("{platform}/{case}"), folder, platform });
        }
    }
    cases
}

fn catalogue() -> Arc<Catalogue> {
    Arc::new(Catalogue::load(&toml::Table::new()).unwrap())
}

#[test]
fn every_example_goes_through_both_ways() {
    let catalogue = catalogue();
    let (mut wrong, mut matrix) = (Vec::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for case in cases() {
        let (short, prefix, ..) = case.short();
        let face = prefix.map_or(case.platform.as_str(), |prefix| prefix.trim_end_matches('_'));
        matrix.entry(short.to_owned()).or_default().insert(face.to_owned());
        let ask = case.ask();
        let (_, request) = case.begin(&catalogue, &ask);
        let wanted = case.json("platform_request.json").unwrap();
        if request != wanted {
            wrong.push(format!("{}: request\n     got {request}\n  wanted {wanted}", case.name));
        }
        let wanted = case.wanted();
        let length = case.came().map_or(0, |stream| stream.len());
        let every_byte: Vec<usize> = (1..length).collect();
        for (how, cuts) in [("whole", &[][..]), ("cut at every byte", &every_byte)] {
            let got = case.run(&catalogue, cuts);
            if let Some(difference) = difference(&got, &wanted) {
                wrong.push(format!("{} {how}: {difference}", case.name));
                continue;
            }
            match &got {
                Got::Stream(events) => {
                    check_stream(&case.name, events, &Asked { usage: ask.wants_usage() });
                }
                Got::Answer(answer) => check_answer(&case.name, answer),
                Got::Refusal(_) => {}
            }
        }
    }
    let faces: BTreeSet<&String> = matrix.values().flatten().collect();
    println!("{:28} {}", "", faces.iter().map(|name| format!("{name:10}")).collect::<String>());
    for (case, there) in &matrix {
        let mark = |name: &&&String| if there.contains(**name) { "x" } else { "-" };
        let marks: String = faces.iter().map(|name| format!("{:10}", mark(&name))).collect();
        println!("{case:28} {marks}");
    }
    assert!(wrong.is_empty(), "{} of them are wrong\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn pieces_change_nothing() {
    let catalogue = catalogue();
    let streams: Vec<Case> = cases().into_iter().filter(|case| case.came().is_some()).collect();
    let cuts = (0..streams.len(), proptest::collection::vec(0usize..6000, 0..12));
    let mut runner = TestRunner::default();
    runner
        .run(&cuts, |(number, mut cuts)| {
            cuts.sort_unstable();
            let case = &streams[number];
            let difference = difference(&case.run(&catalogue, &cuts), &case.wanted());
            prop_assert!(difference.is_none(), "{}: {}", case.name, difference.unwrap());
            Ok(())
        })
        .unwrap();
}
