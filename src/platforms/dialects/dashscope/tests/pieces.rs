//! Streams of any text, cut anywhere.

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{begin, event, output};
use crate::front::sse::events;
use crate::platforms::StreamEnd;

/// Text as models write it: one to four bytes a letter, and what JSON and SSE make of some.
fn text() -> impl Strategy<Value = String> {
    let letters = [
        "a",
        "é",
        "你",
        "🙂",
        "👩\u{200d}👧",
        "\n",
        "\\",
        "\"",
        "\u{2028}",
        "data:",
        "\n\n",
        ":HTTP_STATUS/500",
    ];
    let letter = proptest::sample::select(letters.to_vec());
    proptest::collection::vec(letter, 0..6).prop_map(|letters| letters.concat())
}

/// What the caller gets of a stream that comes in these pieces: thinking, answer, arguments.
fn told(stream: &[u8], cuts: &[usize]) -> [String; 3] {
    let (mut exchange, _) = begin("qwen-plus", json!({"stream": true})).unwrap();
    let (mut out, mut end, mut start) = (Vec::new(), None, 0);
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let cut = cut.clamp(start, stream.len());
        let fed = exchange.feed(Bytes::copy_from_slice(&stream[start..cut]));
        start = cut;
        out.extend_from_slice(&fed.out);
        end = end.or(fed.end);
    }
    let fed = exchange.end();
    out.extend_from_slice(&fed.out);
    assert_eq!(end.or(fed.end), Some(StreamEnd::Done));
    let mut told = [String::new(), String::new(), String::new()];
    for event in events(&out) {
        let Ok(chunk) = serde_json::from_slice::<Value>(&event.data) else { continue };
        let delta = &chunk["choices"][0]["delta"];
        let arguments = &delta["tool_calls"][0]["function"]["arguments"];
        let parts = [&delta["reasoning_content"], &delta["content"], arguments];
        for (told, part) in told.iter_mut().zip(parts) {
            told.push_str(part.as_str().unwrap_or_default());
        }
    }
    told
}

fn stream(steps: &[[String; 3]]) -> String {
    let last = steps.len().saturating_sub(1);
    let mut opened = false;
    let mut event_of = |(number, [reasoning, content, arguments]): (usize, &[String; 3])| {
        let mut message =
            json!({"role": "assistant", "content": content, "reasoning_content": reasoning});
        if !arguments.is_empty() || opened {
            let name = if opened { Value::Null } else { json!("f") };
            let id = if opened { "" } else { "call_1" };
            opened = true;
            message["tool_calls"] = json!([{"index": 0, "id": id, "type": "function",
                "function": {"name": name, "arguments": arguments}}]);
        }
        let finish = if number == last { "stop" } else { "null" };
        let choice = json!({"message": message, "index": 0, "finish_reason": finish});
        event(&output(json!([choice]), number as u64))
    };
    steps.iter().enumerate().map(&mut event_of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_or_changed_wherever_a_stream_is_cut(
        steps in proptest::collection::vec([text(), text(), text()], 1..8),
        mut cuts in proptest::collection::vec(0usize..3000, 0..12),
    ) {
        cuts.sort_unstable();
        let stream = stream(&steps);
        let wanted = |part: usize| steps.iter().map(|step| step[part].as_str()).collect::<String>();
        let wanted = [wanted(0), wanted(1), wanted(2)];
        prop_assert_eq!(&told(stream.as_bytes(), &cuts), &wanted);
        let every_byte: Vec<usize> = (1..stream.len()).collect();
        prop_assert_eq!(&told(stream.as_bytes(), &every_byte), &wanted);
    }

    #[test]
    fn nothing_that_comes_makes_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        head in proptest::sample::select(vec![
            "data:", "data:{\"output\":", "event:error\n:HTTP_STATUS/", "",
        ]),
    ) {
        let (mut exchange, _) = begin("qwen-plus", json!({"stream": true})).unwrap();
        exchange.feed(Bytes::from([head.as_bytes(), &bytes, b"\n\n"].concat()));
        exchange.end();
        let (mut exchange, _) = begin("qwen-plus", json!({})).unwrap();
        let _ = exchange.whole(&http::HeaderMap::new(), Bytes::from(bytes));
    }
}
