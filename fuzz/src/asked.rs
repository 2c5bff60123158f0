//! Whom the inputs answer: requests that differ in how the answer is written.

use std::sync::{Arc, LazyLock};

use tributary::front::ChatRequest;
use tributary::platforms::{Catalogue, DialectName, Exchange, Face, Kind, Model, Platform};

/// Our clock in every attempt.
const CREATED: i64 = 1_790_000_000;

/// A request to one platform's face.
pub struct Asked {
    /// For what a broken law says.
    pub name: String,
    /// Whether every event is written by us, and not passed on.
    pub written: bool,
    platform: Arc<Platform>,
    face: Arc<Face>,
    model: Arc<Model>,
    request: ChatRequest,
}

impl Asked {
    /// Begins an attempt.
    pub fn begin(&self) -> Exchange {
        let begun =
            Exchange::begin(&self.platform, &self.face, &self.model, &self.request, CREATED);
        begun.unwrap_or_else(|error| panic!("{}: {error}", self.name)).0
    }
}

/// What was asked in this dialect.
pub fn in_dialect(dialect: &str) -> impl Iterator<Item = &'static Asked> {
    ALL.iter().filter(move |asked| asked.face.dialect.as_str() == dialect)
}

const PLAIN: &str = r#""stream": true"#;
const COUNTED: &str = r#""stream": true, "stream_options": {"include_usage": true}"#;
const TOOLS: &str = r#""stream": true, "stream_options": {"include_usage": true}, "tools": [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#;
const ONE_CALL: &str = r#""stream": true, "parallel_tool_calls": false, "tools": [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#;
const LEGACY: &str = r#""stream": true, "functions": [
    {"name": "f", "parameters": {"type": "object"}}]"#;
const GATHERED: &str = r#""stream": false, "tools": [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]"#;

/// Platform, dialect, model, request, and whether every event is written by us.
const TABLE: [(&str, &str, &str, &str, bool); 25] = [
    ("openai", "openai_chat", "gpt-5.4-mini", PLAIN, false),
    ("openai", "openai_chat", "gpt-5.4-mini", COUNTED, false),
    ("openai", "openai_chat", "gpt-5.4-mini", LEGACY, false),
    ("openai", "openai_chat", "gpt-5.4-mini", GATHERED, false),
    ("qwen", "openai_chat", "qwen-plus", PLAIN, false),
    ("qwen", "openai_chat", "qwen-plus", TOOLS, false),
    ("qwen", "openai_chat", "qwen-plus", LEGACY, true),
    ("ernie", "openai_chat", "ernie-4.5-turbo-128k", TOOLS, true),
    ("ernie", "openai_chat", "ernie-4.5-turbo-128k", GATHERED, true),
    ("glm", "openai_chat", "glm-4.7", TOOLS, true),
    ("glm", "openai_chat", "glm-4.7", ONE_CALL, true),
    ("spark", "openai_chat", "generalv3.5", PLAIN, true),
    ("spark", "openai_chat", "generalv3.5", TOOLS, true),
    ("claude", "anthropic_messages", "claude-sonnet-4-5", PLAIN, true),
    ("claude", "anthropic_messages", "claude-sonnet-4-5", TOOLS, true),
    ("claude", "anthropic_messages", "claude-sonnet-4-5", LEGACY, true),
    ("qwen", "dashscope", "qwen-plus", PLAIN, true),
    ("qwen", "dashscope", "qwen-plus", TOOLS, true),
    ("qwen", "dashscope", "qwen-plus", GATHERED, true),
    ("openai", "openai_responses", "gpt-5.4-mini", COUNTED, true),
    ("openai", "openai_responses", "gpt-5.4-mini", TOOLS, true),
    ("openai", "openai_responses", "gpt-5.4-mini", GATHERED, true),
    ("spark", "spark_ws", "generalv3.5", TOOLS, true),
    ("spark", "spark_ws", "generalv3.5", LEGACY, true),
    ("spark", "spark_ws", "generalv3.5", GATHERED, true),
];

static ALL: LazyLock<Vec<Asked>> = LazyLock::new(|| {
    let catalogue = Catalogue::load(&toml::Table::new()).expect("the built-in catalogue loads");
    let asked = |(platform, dialect, model, fields, written): &(&str, &str, &str, &str, bool)| {
        let platform = catalogue.platform(platform).expect("the platform is built in");
        let face = platform.face(DialectName::named(dialect)).expect("it has the face");
        let body = format!(
            r#"{{"model": "{model}", "messages": [{{"role": "user", "content": "?"}}], {fields}}}"#
        );
        Asked {
            name: format!("{} {dialect} {fields}", platform.id),
            written: *written,
            platform: Arc::clone(platform),
            face: Arc::clone(Face::of(face, Kind::Key)),
            model: catalogue.resolve_on(platform, model).model,
            request: ChatRequest::parse(body.into()).expect("the request is well formed"),
        }
    };
    TABLE.iter().map(asked).collect()
});
