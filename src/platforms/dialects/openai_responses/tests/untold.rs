//! Servers that leave out what OpenAI sends: the pieces of a text, or what an event is about.

use serde_json::{Value, json};

use super::{call, created, end, item, streamed, text};
use crate::platforms::StreamEnd;

#[test]
fn what_comes_in_no_piece_comes_whole_and_nothing_comes_twice() {
    let event = |kind: &str, more: Value| {
        let mut event = json!({"type": kind, "item_id": "msg_1", "output_index": 0});
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant",
        "content": [{"type": "output_text", "text": "ab"}, {"type": "refusal", "refusal": "no"}]});
    let thought = json!({"type": "reasoning", "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}]});
    let mut last = end("completed");
    last["response"]["output"] = json!([message, thought, call("{}")]);
    let delta = |kind: &str, at: u64, said: &str| {
        event(&format!("response.{kind}.delta"), json!({"content_index": at, "delta": said}))
    };
    let done = |kind: &str, field: &str, at: u64, said: &str| {
        event(&format!("response.{kind}.done"), json!({"content_index": at, field: said}))
    };
    let summary = |kind: &str, field: &str| {
        json!({"type": format!("response.reasoning_summary_text.{kind}"), "item_id": "rs_1",
            "output_index": 1, "summary_index": 0, field: "hm"})
    };
    let pieces = vec![
        delta("output_text", 0, "a"),
        delta("output_text", 0, "b"),
        delta("refusal", 1, "no"),
        summary("delta", "delta"),
    ];
    let texts = vec![
        done("output_text", "text", 0, "ab"),
        done("refusal", "refusal", 1, "no"),
        summary("done", "text"),
    ];
    let parts = vec![
        event(
            "response.content_part.done",
            json!({"content_index": 0, "part": message["content"][0]}),
        ),
        event(
            "response.content_part.done",
            json!({"content_index": 1, "part": message["content"][1]}),
        ),
    ];
    let items =
        vec![item("done", 0, message), item("done", 1, thought), item("done", 2, call("{}"))];
    let all = [pieces.clone(), texts.clone(), parts.clone(), items.clone()].concat();
    for sent in [pieces, texts, parts, items, all, Vec::new()] {
        let sent = [&[created()][..], &sent, std::slice::from_ref(&last)].concat();
        let (chunks, end, exchange) = streamed(json!({}), &sent);
        let said = |field: &str| -> String {
            chunks.iter().filter_map(|chunk| chunk[field].as_str()).collect()
        };
        assert_eq!(said("content"), "ab", "{sent:?}");
        assert_eq!((said("refusal"), said("reasoning_content")), ("no".into(), "hm".into()));
        let calls = chunks.iter().filter_map(|chunk| chunk["tool_calls"][0]["id"].as_str());
        assert_eq!(calls.collect::<Vec<_>>(), ["c"], "{sent:?}");
        assert_eq!((chunks.last().unwrap(), end), (&json!("tool_calls"), Some(StreamEnd::Done)));
        assert_eq!(exchange.produced().ascii, 8, "{sent:?}");
    }
}

#[test]
fn a_later_part_that_comes_whole_is_no_repetition_of_one_that_came_in_pieces() {
    let whole = |at: u64, said: &str| {
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": at,
            "text": said})
    };
    let sent = [text("a"), whole(0, "a"), whole(1, "b"), whole(1, "b"), end("completed")];
    let (chunks, ..) = streamed(json!({}), &sent);
    assert_eq!(chunks[1..3], [json!({"content": "a"}), json!({"content": "b"})]);
    assert_eq!(chunks[3], "stop");
    // Without numbers it may be the same, and nothing is said twice.
    let bare = json!({"type": "response.output_text.done", "text": "a"});
    let (chunks, ..) = streamed(json!({}), &[text("a"), bare, end("completed")]);
    assert_eq!(chunks[2], "stop");
}

#[test]
fn pieces_with_ids_of_their_own_are_of_one_part_all_the_same() {
    let piece = |kind: &str, at: u64, id: u64, said: &str| {
        json!({"type": format!("response.{kind}"), "item_id": format!("made-up-{id}"),
            "output_index": at, "summary_index": 0, "delta": said, "text": "ab"})
    };
    let summary = "reasoning_summary_text";
    let sent = [
        piece(&format!("{summary}.delta"), 0, 1, "a"),
        piece(&format!("{summary}.delta"), 0, 2, "b"),
        piece(&format!("{summary}.done"), 0, 3, ""),
        piece(&format!("{summary}.delta"), 1, 4, "c"),
        end("completed"),
    ];
    let (chunks, ..) = streamed(json!({}), &sent);
    let thought: String =
        chunks.iter().filter_map(|chunk| chunk["reasoning_content"].as_str()).collect();
    assert_eq!(thought, "ab\n\nc");
}

/// What a server names an event's item by: its number, its id in the event of this step.
struct Names {
    what: &'static str,
    number: fn(u64) -> Option<u64>,
    id: fn(step: u64, call: u64) -> Option<String>,
}

const BOTH: Names =
    Names { what: "numbers and ids", number: Some, id: |_, call| Some(format!("fc_{call}")) };

impl Names {
    /// A call's first event, a piece of its arguments, all of them, and its last event.
    fn event(&self, step: u64, call: u64) -> Value {
        let arguments = format!("{{\"at\":{call}}}");
        let whole = |arguments: &str| {
            json!({"type": "function_call",
            "call_id": format!("call_{call}"), "name": "f", "arguments": arguments})
        };
        let arguments_event = |kind: &str, field: &str| json!({"type": format!("response.function_call_arguments.{kind}"), field: arguments});
        let mut event = match step {
            0 => json!({"type": "response.output_item.added", "item": whole("")}),
            1 => arguments_event("delta", "delta"),
            2 => arguments_event("done", "arguments"),
            _ => json!({"type": "response.output_item.done", "item": whole(&arguments)}),
        };
        if let Some(number) = (self.number)(call) {
            event["output_index"] = number.into();
        }
        if let Some(id) = (self.id)(step, call) {
            match event.get_mut("item") {
                Some(item) => item["id"] = id.into(),
                None => event["item_id"] = id.into(),
            }
        }
        event
    }
}

/// Ids and arguments of the calls, in their ids' order.
fn called(sent: &[Value]) -> Vec<(String, String)> {
    let (chunks, ended, _) = streamed(json!({}), sent);
    assert_eq!(ended, Some(StreamEnd::Done));
    let mut calls: Vec<(String, String)> = Vec::new();
    for call in chunks.iter().filter_map(|chunk| chunk["tool_calls"].get(0)) {
        let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
        match call["id"].as_str() {
            Some(id) => calls.push((id.to_owned(), String::new())),
            None => calls[at].1 += call["function"]["arguments"].as_str().unwrap(),
        }
    }
    calls.sort();
    calls
}

#[test]
fn parallel_calls_are_told_apart_by_whatever_names_them() {
    let wanted = [0, 1].map(|at| (format!("call_{at}"), format!("{{\"at\":{at}}}")));
    let mixed = [(0, 0), (0, 1), (1, 1), (1, 0), (2, 0), (2, 1), (3, 1), (3, 0)];
    let in_turn = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (2, 1), (3, 1)];
    for (names, orders) in [
        (BOTH, &[mixed, in_turn][..]),
        (Names { what: "ids", number: |_| None, ..BOTH }, &[mixed, in_turn]),
        (Names { what: "numbers", id: |_, _| None, ..BOTH }, &[mixed, in_turn]),
        (Names { what: "one number for all", number: |_| Some(0), ..BOTH }, &[mixed, in_turn]),
        (
            Names {
                what: "ids made up for each event",
                id: |step, call| Some(format!("{step}.{call}")),
                ..BOTH
            },
            &[mixed, in_turn],
        ),
        (Names { what: "nothing", number: |_| None, id: |_, _| None }, &[in_turn]),
    ] {
        for order in orders {
            for steps in [&[0, 1, 2, 3][..], &[0, 1], &[0, 2], &[0, 3], &[3], &[0, 1, 3]] {
                let events = order.iter().filter(|(step, _)| steps.contains(step));
                let events = events.map(|(step, call)| names.event(*step, *call));
                let sent: Vec<Value> = events.chain([end("completed")]).collect();
                assert_eq!(called(&sent), wanted, "{}: {steps:?} of {order:?}", names.what);
            }
        }
    }
}

#[test]
fn numbers_with_the_items_and_ids_with_their_pieces_go_together() {
    let order = [(0, 0), (0, 1), (1, 1), (1, 0)];
    let events = order.iter().map(|(step, call)| {
        let mut event = BOTH.event(*step, *call);
        if event.get("item").is_none() {
            event.as_object_mut().unwrap().remove("output_index");
        }
        event
    });
    let sent: Vec<Value> = events.chain([end("completed")]).collect();
    let wanted = [0, 1].map(|at| (format!("call_{at}"), format!("{{\"at\":{at}}}")));
    assert_eq!(called(&sent), wanted);
}
