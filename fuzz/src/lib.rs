//! What holds for whatever bytes a platform sends, one function a target.
//!
//! `cargo fuzz` calls them from `fuzz_targets/`, and `tests/fuzz.rs` calls them on stable, with
//! fixtures, mutations of them and the kept inputs of `corpus/`. An input is what a platform
//! sends and nothing else: where it is cut follows from its bytes, so that a kept input can be
//! read, and fails again. A law that is broken panics, and says which.

mod asked;
mod cuts;
pub mod endless;
mod framing;
mod law;
mod run;

/// A target, and what runs an input through it.
pub type Target = (&'static str, fn(&[u8]));

/// Every target by its name, which is that of its folder of kept inputs.
pub const TARGETS: [Target; 6] = [
    ("sse", sse),
    ("openai_chat", openai_chat),
    ("anthropic_messages", anthropic_messages),
    ("dashscope", dashscope),
    ("openai_responses", openai_responses),
    ("spark_ws", spark_ws),
];

/// Longer inputs show nothing more, and take long.
const LONGEST_INPUT: usize = 64 << 10;

/// The reader of server-sent events.
pub fn sse(input: &[u8]) {
    if input.len() <= LONGEST_INPUT {
        framing::check(input);
    }
}

/// Chat completions: passed on, put right, written anew, gathered.
pub fn openai_chat(input: &[u8]) {
    check("openai_chat", input);
}

/// Anthropic's Messages.
pub fn anthropic_messages(input: &[u8]) {
    check("anthropic_messages", input);
}

/// Alibaba's own envelope.
pub fn dashscope(input: &[u8]) {
    check("dashscope", input);
}

/// OpenAI's Responses.
pub fn openai_responses(input: &[u8]) {
    check("openai_responses", input);
}

/// The frames of Spark's WebSocket.
pub fn spark_ws(input: &[u8]) {
    check("spark_ws", input);
}

fn check(dialect: &str, input: &[u8]) {
    if input.len() <= LONGEST_INPUT {
        for asked in asked::in_dialect(dialect) {
            law::check(asked, input);
        }
    }
}
