//! A prompt, kept so that a tokenizer can count it should the platform not.
//!
//! While nothing has come back the whole request is at hand anyway. A stream, which may
//! last for minutes, keeps a prompt of up to [`MOST_KEPT`] bytes whole and a sample of a
//! longer one; so does the count of one longer than [`MOST_COUNTED`]. What is left out is
//! counted by class, at the rate that the sample shows.

use bytes::Bytes;
use serde_json::Value;

use super::estimate::{IMAGE, weigh_text};
use crate::front::{ByteCensus, ChatRequest, plain, text_runs};
use crate::platforms::Tokenizer;

const MOST_KEPT: usize = 4 << 10;
const MOST_COUNTED: usize = 64 << 10;
/// Pieces of a sample, evenly spread.
const PIECES: usize = 8;

/// A message's frame: its marks, its role, its line feed. OpenAI's is four, as
/// its cookbook counts; others' are three to five.
const A_MESSAGE: u64 = 4;
/// The frame of the answer that is to come.
const THE_ANSWER: u64 = 3;

/// What a request asks.
#[derive(Clone)]
pub(super) struct Prompt {
    census: ByteCensus,
    messages: Bytes,
    tools: Bytes,
    is_sample: bool,
}

impl Prompt {
    pub(super) fn of(ask: &ChatRequest) -> Self {
        let part = |name| {
            let json = ask.field(name);
            json.map(|json| ask.body().slice_ref(json)).unwrap_or_default()
        };
        Self {
            census: ask.census(),
            messages: part("messages"),
            tools: part("tools"),
            is_sample: false,
        }
    }

    /// All of it by class.
    pub(super) fn census(&self) -> ByteCensus {
        self.census
    }

    /// Lets the request go, and keeps little of it.
    pub(super) fn shrink(&mut self) {
        if self.is_sample {
            return;
        }
        let (messages, tools) = (text_runs(&self.messages), text_runs(&self.tools));
        if length(&messages) + length(&tools) <= MOST_KEPT {
            (self.messages, self.tools) = (messages.concat().into(), tools.concat().into());
            return;
        }
        let all = [messages, tools].concat();
        self.messages = sample(&all, MOST_KEPT).into();
        self.tools = Bytes::new();
        self.is_sample = true;
    }

    /// How many tokens it is.
    pub(super) fn count(&self, tokenizer: Tokenizer) -> u64 {
        let (messages, tools) = (text_runs(&self.messages), text_runs(&self.tools));
        let fits = length(&messages) + length(&tools) <= MOST_COUNTED;
        let whole = !self.is_sample && fits;
        if whole && let Ok(read) = serde_json::from_slice::<Vec<Value>>(&messages.concat()) {
            let tools = tokenizer.count(&plain(&tools.concat()));
            return count_messages(&read, tokenizer) + tools + self.images();
        }
        let sample = sample(&[messages, tools].concat(), MOST_COUNTED);
        let weight = weigh_text(ByteCensus::of_json_text(&sample));
        let rate = tokenizer.count(&plain(&sample)) as f32 / weight.max(1.0);
        (weigh_text(self.census) * rate).ceil() as u64 + self.images()
    }

    fn images(&self) -> u64 {
        self.census.images * IMAGE as u64
    }
}

fn count_messages(messages: &[Value], tokenizer: Tokenizer) -> u64 {
    let message = |message| A_MESSAGE + count_texts(message, tokenizer);
    THE_ANSWER + messages.iter().map(message).sum::<u64>()
}

/// Counts every text but those that a model does not read as text.
fn count_texts(value: &Value, tokenizer: Tokenizer) -> u64 {
    match value {
        Value::String(text) => tokenizer.count(text),
        Value::Array(all) => all.iter().map(|one| count_texts(one, tokenizer)).sum(),
        Value::Object(fields) => {
            // The role is in the frame; an image counts as one.
            let is_text =
                |key: &str| !matches!(key, "role" | "type" | "image_url" | "input_audio" | "file");
            let texts = fields.iter().filter(|(key, _)| is_text(key));
            texts.map(|(_, value)| count_texts(value, tokenizer)).sum()
        }
        _ => 0,
    }
}

fn length(runs: &[&[u8]]) -> usize {
    runs.iter().map(|run| run.len()).sum()
}

/// So many bytes of some runs, from places that are evenly spread over them.
fn sample(runs: &[&[u8]], most: usize) -> Vec<u8> {
    let all = length(runs);
    if all <= most {
        return runs.concat();
    }
    let piece = most / PIECES;
    let mut sample = Vec::with_capacity(most);
    for number in 0..PIECES {
        let mut skip = (all - piece) / (PIECES - 1) * number;
        let end = sample.len() + piece;
        for run in runs {
            let rest = run.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(run.len());
            let room = end - sample.len();
            sample.extend_from_slice(&rest[..rest.len().min(room)]);
        }
    }
    sample
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const O200K: Tokenizer = Tokenizer::O200kBase;

    fn prompt(messages: Value, more: Value) -> Prompt {
        let mut body = json!({"model": "m", "messages": messages});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Prompt::of(&ChatRequest::parse(body.to_string().into()).unwrap())
    }

    #[test]
    fn a_short_prompt_is_counted_as_openai_counts_it() {
        // As the API answers to "hi": one token and seven of frames.
        let hi = prompt(json!([{"role": "user", "content": "hi"}]), json!({}));
        assert_eq!(hi.count(O200K), 8);
        let parts = json!([{"role": "user", "content": [
            {"type": "text", "text": "green water\nfields"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        ]}]);
        let mut parts = prompt(parts, json!({}));
        let count = parts.count(O200K);
        assert_eq!(count, 7 + 4 + IMAGE as u64);
        parts.shrink();
        assert_eq!(parts.count(O200K), count);
    }

    #[test]
    fn tools_count() {
        let tools = json!({"tools": [{"type": "function", "function": {"name": "f"}}]});
        let with = prompt(json!([{"role": "user", "content": "hi"}]), tools).count(O200K);
        assert!((12..40).contains(&with), "{with}");
    }

    #[test]
    fn a_long_prompt_keeps_little_and_is_counted_well() {
        let text =
            "The river ran quiet under the \"old\" stone bridge.\n今天天气很好。 ".repeat(2000);
        let blob = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let messages = json!([
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": blob}}]},
            {"role": "user", "content": text}
        ]);
        let mut long = prompt(messages, json!({}));
        let exact = (O200K.count(&text) + 11 + IMAGE as u64) as f64;
        let near = |count: u64| (0.96..1.04).contains(&(count as f64 / exact));
        let whole = long.count(O200K);
        assert!(near(whole), "{whole} of {exact}");
        long.shrink();
        assert!(long.messages.len() + long.tools.len() <= MOST_KEPT);
        let kept = long.count(O200K);
        assert!(near(kept), "{kept} of {exact}");
    }
}
