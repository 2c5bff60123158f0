//! However long a platform goes on, little of it is kept. Memory is a process's, so this is
//! measured in one of its own.

use std::fs;
use std::process::Command;

use crate::laws::endless::feed;

/// So much of each event is sent.
const SENT: usize = 18 << 20;

/// And so much may be kept of it: thinking that may have to go back, or a last event.
const KEPT: usize = 12 << 20;

/// Dialect, and an event; `@` stands for some text.
const EVENTS: [(&str, &str); 14] = [
    // Text, thinking, openings, usage.
    ("openai_chat", r#"{"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":null}]}"#),
    ("openai_chat", r#"{"choices":[{"index":0,"delta":{"content":""}}],"obfuscation":"@"}"#),
    ("openai_chat", r#"{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"x":"@"}}"#),
    ("dashscope", r#"{"output":{"choices":[{"message":{"content":"@"}}]},"usage":{}}"#),
    (
        "anthropic_messages",
        r#"{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":"@"}}"#,
    ),
    ("anthropic_messages", r#"{"type":"message_start","message":{"id":"@"}}"#),
    ("openai_responses", r#"{"type":"response.output_text.delta","delta":"@"}"#),
    ("openai_responses", r#"{"type":"response.created","response":{"model":"@"}}"#),
    ("spark_ws", r#"{"header":{"sid":"@"},"payload":{"choices":{"text":[{"content":"@"}]}}}"#),
    // Arguments whose name never comes, thinking that is never shown, calls without end.
    (
        "openai_chat",
        r#"{"choices":[{"delta":{"tool_calls":[{"id":"a","function":{"arguments":"@"}}]}}]}"#,
    ),
    (
        "anthropic_messages",
        r#"{"type":"content_block_start","content_block":{"type":"redacted_thinking","data":"@"}}"#,
    ),
    (
        "anthropic_messages",
        r#"{"type":"content_block_start","content_block":{"type":"tool_use","id":"a","name":"f","input":{"a":"@"}}}"#,
    ),
    (
        "openai_responses",
        r#"{"type":"response.output_item.done","item":{"type":"reasoning","encrypted_content":"@"}}"#,
    ),
    (
        "openai_responses",
        r#"{"type":"response.output_item.added","item":{"type":"function_call","id":"a","name":"@"}}"#,
    ),
];

#[test]
fn of_an_endless_stream_little_is_kept() {
    let test = std::env::current_exe().unwrap();
    let child = ["--exact", "endless::keeps_little", "--ignored", "--nocapture"];
    let output = Command::new(test).args(child).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
}

#[test]
#[ignore = "the test above runs it, in a process of its own"]
fn keeps_little() {
    for (dialect, pattern) in EVENTS {
        let event = pattern.replace('@', &"长城 ".repeat(600));
        let event = if dialect == "spark_ws" { event } else { format!("data: {event}\n\n") };
        let mut before = 0;
        feed(dialect, event.as_bytes(), SENT, |name, is_fed| {
            if !is_fed {
                before = resident();
                return;
            }
            let kept = resident().saturating_sub(before);
            // What is gathered is all of it, up to a bound of its own.
            let most = if name.contains("\"stream\": false") { SENT * 4 } else { KEPT };
            assert!(kept <= most, "{name}: {kept} bytes are kept of {pattern}");
        });
    }
}

/// The bytes of memory that this process has.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10
}
