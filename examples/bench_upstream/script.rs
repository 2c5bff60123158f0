//! What the upstream answers, rendered once for each model.
//!
//! The shapes are OpenAI's: `chat.completion`, and `chat.completion.chunk` events of
//! about 200 bytes, each in an HTTP chunk of its own, with the finish reason, the
//! usage and `[DONE]` at the end.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

const PROMPT_TOKENS: usize = 200;
const WORDS: [&str; 8] =
    [" river", " source", " stream", " delta", " bank", " water", " gauge", " mouth"];
const STREAM_HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

/// How the events of a stream follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as the reader takes them.
    Saturated,
    /// One after each such pause.
    Every(Duration),
}

/// One model's answers as they stand on the wire, heads included.
pub struct Script {
    /// How the stream is written.
    pub pace: Pace,
    /// The answer to a request without `"stream":true`.
    pub whole: Vec<u8>,
    /// The whole answer to a request with it.
    pub stream: Vec<u8>,
    writes: Vec<Range<usize>>,
}

impl Script {
    /// Renders the answers of `model`, whose name says how its stream goes.
    pub fn render(model: &str) -> Self {
        let (pace, count) = plan(model);
        let mut stream = String::from(STREAM_HEAD);
        let mut writes = Vec::with_capacity(count);
        for index in 0..count {
            let begin = if index == 0 { 0 } else { stream.len() };
            let role = if index == 0 { r#""role":"assistant","# } else { "" };
            let word = WORDS[index % WORDS.len()];
            let delta = format!(r#"{{{role}"content":"{word}"}}"#);
            push_chunk(&mut stream, &event(model, &choice(&delta, "null"), ""));
            writes.push(begin..stream.len());
        }
        let begin = stream.len();
        push_chunk(&mut stream, &event(model, &choice("{}", r#""stop""#), ""));
        push_chunk(&mut stream, &event(model, "", &usage(count)));
        push_chunk(&mut stream, "data: [DONE]\n\n");
        stream.push_str("0\r\n\r\n");
        writes.push(begin..stream.len());
        Self { pace, whole: whole(model).into_bytes(), stream: stream.into_bytes(), writes }
    }

    /// The stream in the pieces that are written at one instant each.
    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        self.writes.iter().map(|write| &self.stream[write.clone()])
    }
}

/// `saturated-COUNT`, `paced-MILLISms-COUNT`, or eight events at once.
fn plan(model: &str) -> (Pace, usize) {
    let saturated = || Some((Pace::Saturated, model.strip_prefix("saturated-")?.parse().ok()?));
    let paced = || {
        let (gap, count) = model.strip_prefix("paced-")?.split_once("ms-")?;
        Some((Pace::Every(Duration::from_millis(gap.parse().ok()?)), count.parse().ok()?))
    };
    saturated().or_else(paced).unwrap_or((Pace::Saturated, 8))
}

fn whole(model: &str) -> String {
    let words: String = WORDS.iter().cycle().take(100).copied().collect();
    let body = format!(
        r#"{{"id":"chatcmpl-bench00000000000000000000","object":"chat.completion","created":1767225600,"model":"{model}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{words}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],{}}}"#,
        usage(100)
    );
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

fn event(model: &str, choices: &str, usage: &str) -> String {
    let comma = if usage.is_empty() { "" } else { "," };
    format!(
        "data: {{\"id\":\"chatcmpl-bench00000000000000000000\",\"object\":\"chat.completion.chunk\",\
         \"created\":1767225600,\"model\":\"{model}\",\"choices\":[{choices}]{comma}{usage}}}\n\n"
    )
}

fn choice(delta: &str, finish: &str) -> String {
    format!(r#"{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}"#)
}

fn usage(completion: usize) -> String {
    let total = PROMPT_TOKENS + completion;
    format!(
        r#""usage":{{"prompt_tokens":{PROMPT_TOKENS},"completion_tokens":{completion},"total_tokens":{total}}}"#
    )
}

fn push_chunk(stream: &mut String, chunk: &str) {
    write!(stream, "{:x}\r\n{chunk}\r\n", chunk.len()).expect("a String takes any text");
}
