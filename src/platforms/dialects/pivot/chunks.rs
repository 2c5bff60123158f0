//! Writing chunks in the front's form.

use bytes::{BufMut, BytesMut};

use super::{CallStep, Delta, Sink, answer_model};
use crate::front::UsageReport;
use crate::front::object::write_text;
use crate::front::sse::DONE_EVENT;

/// Chunks as SSE events, waiting to be taken.
#[derive(Debug, Default)]
pub(crate) struct Chunks {
    out: BytesMut,
    /// Everything before the choices: the same in every chunk.
    head: String,
    /// The caller wants usage: `null` on every chunk, the figures on the last.
    usage_asked: bool,
    /// The caller speaks of `functions`.
    legacy: bool,
}

impl Chunks {
    pub(crate) fn new(usage_asked: bool, legacy: bool) -> Chunks {
        Chunks { usage_asked, legacy, ..Chunks::default() }
    }

    /// What was written since it was last taken.
    pub(crate) fn take(&mut self) -> BytesMut {
        self.out.split()
    }

    fn chunk(
        &mut self,
        choice: u32,
        delta: impl FnOnce(&mut BytesMut),
        logprobs: Option<&str>,
        reason: Option<&str>,
    ) {
        self.out.put_slice(self.head.as_bytes());
        self.out.put_slice(b"{\"index\":");
        put_number(&mut self.out, choice as usize);
        self.out.put_slice(b",\"delta\":{");
        delta(&mut self.out);
        if let Some(entries) = logprobs {
            self.out.put_slice(b"},\"logprobs\":{\"content\":[");
            self.out.put_slice(entries.as_bytes());
            self.out.put_slice(b"],\"refusal\":null");
        }
        self.out.put_slice(b"},\"finish_reason\":");
        match reason {
            Some(reason) => put_text(&mut self.out, reason),
            None => self.out.put_slice(b"null"),
        }
        self.out.put_slice(b"}]");
        if self.usage_asked {
            self.out.put_slice(b",\"usage\":null");
        }
        self.out.put_slice(b"}\n\n");
    }
}

impl Sink for Chunks {
    fn begin(&mut self, id: &str, created: i64, model: &str) {
        self.head.clear();
        self.head.push_str("data: {\"id\":");
        write_text(&mut self.head, id);
        self.head.push_str(",\"object\":\"chat.completion.chunk\",\"created\":");
        self.head.push_str(&created.to_string());
        self.head.push_str(",\"model\":");
        write_text(&mut self.head, answer_model(model));
        self.head.push_str(",\"choices\":[");
    }

    fn open(&mut self, choice: u32) {
        self.chunk(choice, |out| out.put_slice(br#""role":"assistant","content":"""#), None, None);
    }

    fn add(&mut self, choice: u32, delta: Delta<'_>) {
        let (legacy, logprobs) = (self.legacy, delta.logprobs);
        // The old form knows one call.
        let calls = if legacy { delta.calls.iter().find(|call| call.index == 0) } else { None };
        let says = [&delta.reasoning, &delta.content, &delta.refusal, &delta.thinking_blocks];
        if legacy && calls.is_none() && says.iter().all(|text| text.is_none()) {
            return;
        }
        let write = |out: &mut BytesMut| {
            let mut comma = "";
            let texts = [
                (&b"\"reasoning_content\":"[..], &delta.reasoning),
                (&b"\"content\":"[..], &delta.content),
                (&b"\"refusal\":"[..], &delta.refusal),
                (&b"\"thinking_blocks\":"[..], &delta.thinking_blocks),
            ];
            for (key, text) in texts {
                if let Some(text) = text {
                    out.put_slice(comma.as_bytes());
                    out.put_slice(key);
                    out.put_slice(text.as_bytes());
                    comma = ",";
                }
            }
            if let Some(call) = calls {
                out.put_slice(comma.as_bytes());
                out.put_slice(b"\"function_call\":");
                put_function(out, call);
            } else if !legacy && !delta.calls.is_empty() {
                out.put_slice(comma.as_bytes());
                put_calls(out, &delta.calls);
            }
        };
        self.chunk(choice, write, logprobs, None);
    }

    fn finish(&mut self, choice: u32, reason: &str) {
        self.chunk(choice, |_| {}, None, Some(reason));
    }

    fn end(&mut self, usage: Option<&UsageReport>) {
        if let (true, Some(usage)) = (self.usage_asked, usage) {
            self.out.put_slice(self.head.as_bytes());
            self.out.put_slice(b"],\"usage\":");
            let json = serde_json::to_vec(usage).expect("numbers always serialise");
            self.out.put_slice(&json);
            self.out.put_slice(b"}\n\n");
        }
        self.out.put_slice(DONE_EVENT);
    }
}

/// `"tool_calls":[…]` with deltas in the front's form.
pub(crate) fn put_calls(out: &mut impl BufMut, calls: &[CallStep<'_>]) {
    out.put_slice(b"\"tool_calls\":[");
    for (number, call) in calls.iter().enumerate() {
        if number > 0 {
            out.put_u8(b',');
        }
        out.put_slice(b"{\"index\":");
        put_number(out, call.index);
        if let Some((id, _)) = &call.opens {
            out.put_slice(b",\"id\":");
            put_text(out, id);
            out.put_slice(b",\"type\":\"function\"");
        }
        out.put_slice(b",\"function\":");
        put_function(out, call);
        out.put_u8(b'}');
    }
    out.put_u8(b']');
}

fn put_function(out: &mut impl BufMut, call: &CallStep<'_>) {
    out.put_u8(b'{');
    if let Some((_, name)) = &call.opens {
        out.put_slice(b"\"name\":");
        out.put_slice(name.as_bytes());
        out.put_u8(b',');
    }
    out.put_slice(b"\"arguments\":");
    out.put_slice(call.arguments.as_bytes());
    out.put_u8(b'}');
}

fn put_text(out: &mut impl BufMut, text: &str) {
    let mut json = String::with_capacity(text.len() + 2);
    write_text(&mut json, text);
    out.put_slice(json.as_bytes());
}

fn put_number(out: &mut impl BufMut, number: usize) {
    match u8::try_from(number) {
        Ok(digit @ 0..10) => out.put_u8(b'0' + digit),
        _ => out.put_slice(number.to_string().as_bytes()),
    }
}
