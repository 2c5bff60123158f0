//! What the worked examples don't reach.

mod answer;
mod pieces;
mod request;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::front::sse::events;
use crate::front::{BadRequest, ChatRequest};
use crate::platforms::{Catalogue, DialectName, Exchange, StreamEnd, UpstreamRequest};

type Begun = Result<(Exchange, UpstreamRequest), BadRequest>;

fn begin(model: &str, more: Value) -> Begun {
    static CATALOGUE: LazyLock<Catalogue> =
        LazyLock::new(|| Catalogue::load(&toml::Table::new()).unwrap());
    let platform = Arc::clone(CATALOGUE.platform("qwen").unwrap());
    let hop = CATALOGUE.resolve_on(&platform, model);
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ask = ChatRequest::parse(Bytes::from(body.to_string())).unwrap();
    let face = platform.face(Some(DialectName::Dashscope)).unwrap();
    Exchange::begin(&platform, face, &hop.model, &ask, 7)
}

/// An event as the platform writes it.
fn event(data: &Value) -> String {
    format!("id:1\nevent:result\n:HTTP_STATUS/200\ndata:{data}\n\n")
}

fn output(choices: Value, output_tokens: u64) -> Value {
    json!({"output": {"choices": choices}, "request_id": "r-1",
        "usage": {"input_tokens": 5, "output_tokens": output_tokens}})
}

fn says(text: &str, finish: &str, output_tokens: u64) -> Value {
    let message = json!({"role": "assistant", "content": text});
    output(json!([{"message": message, "index": 0, "finish_reason": finish}]), output_tokens)
}

/// The choices of the chunks, and how the stream ended.
fn streamed(model: &str, more: Value, sent: &str) -> (Vec<Value>, StreamEnd, Exchange) {
    let mut ask = json!({"stream": true});
    ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (mut exchange, _) = begin(model, ask).unwrap();
    let fed = exchange.feed(Bytes::copy_from_slice(sent.as_bytes()));
    let rest = exchange.end();
    let out = [fed.out, rest.out].concat();
    let chunks = events(&out).filter_map(|event| serde_json::from_slice::<Value>(&event.data).ok());
    let choices = chunks.map(|chunk| chunk["choices"][0].clone()).collect();
    (choices, fed.end.or(rest.end).unwrap(), exchange)
}
