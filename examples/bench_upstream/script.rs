//! What the upstream answers, rendered once for each name.
//!
//! The shapes of its own are OpenAI's: `chat.completion`, and `chat.completion.chunk`
//! events of about 200 bytes, with the finish reason, the usage and `[DONE]` at the end.
//! Each event has an HTTP chunk of its own, or a WebSocket's frame.

use std::io::Write as _;
use std::ops::Range;
use std::time::Duration;

use crate::recording::Recording;

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

/// What each event is put in.
#[derive(Clone, Copy)]
enum Frame {
    HttpChunk,
    SocketMessage,
}

/// One name's answers as they stand on the wire, heads included.
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
    /// Renders the chat completions of `model`, whose name says how its stream goes.
    pub fn chat(model: &str) -> Self {
        let (pace, count) = plan(model);
        let adding = |index: usize| {
            let role = if index == 0 { r#""role":"assistant","# } else { "" };
            let word = WORDS[index % WORDS.len()];
            let delta = format!(r#"{{{role}"content":"{word}"}}"#);
            event(model, &choice(&delta, "null"), "")
        };
        let events: Vec<_> = (0..count).map(adding).collect();
        let (opening, repeated) = events.split_at(events.len().min(1));
        let closing = [
            event(model, &choice("{}", r#""stop""#), ""),
            event(model, "", &usage(count)),
            "data: [DONE]\n\n".to_owned(),
        ];
        let whole = whole(model).into_bytes();
        Self::stream(Frame::HttpChunk, pace, opening, repeated, &closing, whole)
    }

    /// Renders a recording, with as many events that add text as the plan says.
    pub fn recorded(recording: &Recording, plan_name: &str) -> Self {
        let (pace, count) = plan(plan_name);
        let repeated: Vec<_> = recording.repeated.iter().cycle().take(count).collect();
        let frame = if recording.socket { Frame::SocketMessage } else { Frame::HttpChunk };
        let (opening, closing) = (&recording.opening, &recording.closing);
        Self::stream(frame, pace, opening, &repeated, closing, Vec::new())
    }

    /// What opens a stream is one write, each repeated event another, what closes it the last.
    fn stream(
        frame: Frame,
        pace: Pace,
        opening: &[impl AsRef<str>],
        repeated: &[impl AsRef<str>],
        closing: &[impl AsRef<str>],
        whole: Vec<u8>,
    ) -> Self {
        let mut stream = frame.head().to_vec();
        let mut writes = Vec::with_capacity(repeated.len() + 2);
        let mut written = 0;
        let mut write_ends = |stream: &[u8]| {
            writes.push(written..stream.len());
            written = stream.len();
        };
        opening.iter().for_each(|event| frame.push(&mut stream, event.as_ref()));
        write_ends(&stream);
        for event in repeated {
            frame.push(&mut stream, event.as_ref());
            write_ends(&stream);
        }
        closing.iter().for_each(|event| frame.push(&mut stream, event.as_ref()));
        stream.extend_from_slice(frame.end());
        write_ends(&stream);
        Self { pace, whole, stream, writes }
    }

    /// The stream in the pieces that are written at one instant each.
    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        self.writes.iter().map(|write| &self.stream[write.clone()])
    }
}

impl Frame {
    /// What comes before the first.
    fn head(self) -> &'static [u8] {
        match self {
            Self::HttpChunk => STREAM_HEAD.as_bytes(),
            // The handshake is answered before a question comes.
            Self::SocketMessage => b"",
        }
    }

    fn push(self, stream: &mut Vec<u8>, event: &str) {
        match self {
            Self::HttpChunk => {
                write!(stream, "{:x}\r\n{event}\r\n", event.len()).expect("a Vec takes any bytes");
            }
            Self::SocketMessage => {
                let length = u16::try_from(event.len()).expect("a recorded message is short");
                stream.push(0x81); // text, and all of it
                match length {
                    0..126 => stream.push(length as u8),
                    _ => stream.extend([&[126][..], &length.to_be_bytes()].concat()),
                }
                stream.extend_from_slice(event.as_bytes());
            }
        }
    }

    /// What comes after the last.
    fn end(self) -> &'static [u8] {
        match self {
            Self::HttpChunk => b"0\r\n\r\n",
            Self::SocketMessage => b"\x88\x02\x03\xe8", // closed, 1000
        }
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::WebSocket;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::*;

    fn recording(socket: bool) -> Recording {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let long = "x".repeat(200);
        Recording {
            opening: texts(&["a"]),
            repeated: texts(&["b", &long]),
            closing: texts(&["c", "d"]),
            socket,
        }
    }

    #[test]
    fn a_recording_is_repeated_between_its_ends_in_messages_that_a_client_reads() {
        let script = Script::recorded(&recording(true), "saturated-3");
        let mut client = WebSocket::from_raw_socket(Cursor::new(script.stream), Role::Client, None);
        let mut read = Vec::new();
        while let Ok(message) = client.read() {
            if message.is_text() {
                read.push(message.into_text().expect("it is text").len());
            }
        }
        assert_eq!(read, [1, 1, 200, 1, 1, 1]);
        assert!(!client.can_read(), "it was closed");
    }

    #[test]
    fn a_paced_stream_is_a_write_for_each_repeated_event_and_for_both_ends() {
        let script = Script::recorded(&recording(false), "paced-150ms-3");
        let writes: Vec<_> = script.events().map(String::from_utf8_lossy).collect();
        assert_eq!(writes[0], format!("{STREAM_HEAD}1\r\na\r\n"));
        assert_eq!(writes[1], "1\r\nb\r\n");
        assert_eq!(writes[3..], ["1\r\nb\r\n", "1\r\nc\r\n1\r\nd\r\n0\r\n\r\n"]);
        assert_eq!(writes.concat().as_bytes(), script.stream);
    }
}
