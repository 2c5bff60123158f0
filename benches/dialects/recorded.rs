//! Recorded streams, and the attempts that they answer.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tributary::front::ChatRequest;
use tributary::front::sse::events;
use tributary::platforms::{Catalogue, DialectName, Exchange, Face, Kind, Model, Platform};

/// Name, fixture, dialect of the face.
const STREAMS: [(&str, &str, DialectName); 9] = [
    ("openai_chat, passed on", "openai/text_stream", DialectName::OpenaiChat),
    ("openai_chat, tidied", "qwen/text_stream", DialectName::OpenaiChat),
    ("openai_chat, anew (glm)", "glm/text_stream", DialectName::OpenaiChat),
    ("openai_chat, anew (ernie)", "ernie/text_stream", DialectName::OpenaiChat),
    ("openai_chat, anew (spark)", "spark/http_text_stream", DialectName::OpenaiChat),
    ("dashscope", "qwen/dashscope_text_stream", DialectName::Dashscope),
    ("anthropic_messages", "claude/text_stream", DialectName::AnthropicMessages),
    ("openai_responses", "openai/responses_text_stream", DialectName::OpenaiResponses),
    ("spark_ws", "spark/text_stream", DialectName::SparkWs),
];

/// A stream, and the attempt that it answers.
pub struct Recorded {
    pub name: &'static str,
    pub bytes: Bytes,
    pub events: usize,
    platform: Arc<Platform>,
    face: Arc<Face>,
    model: Arc<Model>,
    ask: ChatRequest,
}

impl Recorded {
    pub fn begin(&self) -> Exchange {
        let created = 1_790_000_000;
        Exchange::begin(&self.platform, &self.face, &self.model, &self.ask, created).unwrap().0
    }
}

/// Every dialect's stream, what adds text in it repeated so often.
pub fn recorded(repeats: usize) -> Vec<Recorded> {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let one = |(name, case, dialect): (&'static str, &str, DialectName)| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case);
        let platform = catalogue.platform(case.split('/').next().unwrap()).unwrap();
        let ask = fs::read(folder.join("openai_request.json")).unwrap();
        let ask = ChatRequest::parse(ask.into()).unwrap();
        let mut stream = Recorded {
            name,
            bytes: Bytes::new(),
            events: 0,
            platform: Arc::clone(platform),
            face: Arc::clone(Face::of(platform.face(Some(dialect)).unwrap(), Kind::Key)),
            model: catalogue.resolve_on(platform, ask.model().unwrap()).model,
            ask,
        };
        let came = fs::read(folder.join("platform_stream.sse"))
            .or_else(|_| fs::read(folder.join("platform_frames.jsonl")))
            .unwrap();
        let parts = parts(&came, dialect);
        let adds = adding(&stream, &parts);
        let (before, after) = (&parts[..adds.start], &parts[adds.end..]);
        let middle = &parts[adds];
        stream.events = before.len() + middle.len() * repeats + after.len();
        stream.bytes =
            [before.concat(), middle.concat().repeat(repeats), after.concat()].concat().into();
        stream
    };
    STREAMS.into_iter().map(one).collect()
}

/// Events or frames, each whole.
fn parts(came: &[u8], dialect: DialectName) -> Vec<&[u8]> {
    match dialect {
        DialectName::SparkWs => came.split_inclusive(|byte| *byte == b'\n').collect(),
        _ => events(came).map(|event| &came[event.place]).collect(),
    }
}

/// The run of events that add text to an answer that has begun.
fn adding(stream: &Recorded, parts: &[&[u8]]) -> std::ops::Range<usize> {
    let mut exchange = stream.begin();
    let mut adds = |part: &&[u8]| {
        let out = exchange.feed(Bytes::copy_from_slice(part)).out;
        let out = String::from_utf8_lossy(&out).into_owned();
        out.contains("\"content\":\"") && !out.contains("\"role\"") && !out.contains("[DONE]")
    };
    let adds: Vec<bool> = parts.iter().map(&mut adds).collect();
    let start = adds.iter().position(|adds| *adds).unwrap();
    let length = adds[start..].iter().take_while(|adds| **adds).count();
    start..start + length
}
