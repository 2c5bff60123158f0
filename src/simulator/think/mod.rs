//! What a simulated platform answers: deterministic, and derived from the request.
//!
//! - A question is answered in its language, quoting what was asked, earlier
//!   turns, instructions and what the images are: so a caller sees that
//!   everything arrived.
//! - Tools are called when the last message is the user's and one of them fits
//!   (or must be called); after a tool's message the answer quotes its result.
//! - A JSON schema is obeyed, in `response_format` or in a system message that
//!   says `conforms to this JSON Schema:`.
//! - `say N words` and `repeat: …` in the user's text are done to the letter.

mod choose;
mod hints;
mod pattern;
mod pictures;
mod schema;
mod speak;
mod words;

use serde_json::Value;

use super::ask::{Ask, Choice, Format, Role, Thinking};
use super::tokens;
use hints::Hints;

/// What one choice of an answer holds.
#[derive(Debug)]
pub(super) struct Answer {
    pub reasoning: String,
    pub content: String,
    pub calls: Vec<Call>,
    pub finish: Finish,
    /// The one of the request's stops that cut it.
    pub stopped: Option<String>,
    /// Thinking that is billed and not shown.
    pub hidden_tokens: u64,
    pub reasoning_tokens: u64,
    /// All that the choice produced, thinking included.
    pub tokens: u64,
}

/// One call of a function.
#[derive(Debug)]
pub(super) struct Call {
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    ToolCalls,
}

impl Finish {
    /// The word that all platforms use.
    pub(super) fn word(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
        }
    }
}

/// How a platform writes JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    /// `{"a":1}`
    Compact,
    /// `{"a": 1}`, as Python does.
    Python,
}

/// Answers `ask`; `choice` counts from 0 where a caller wants several.
pub(super) fn answer(ask: &Ask, choice: usize, spacing: Spacing) -> Answer {
    let question = ask.question();
    let hints = Hints::of(question);
    let calls = calls(ask, &hints, spacing);
    let content = match (&ask.format, calls.is_empty()) {
        (_, false) if ask.announces && calls.len() > 1 => speak::announcement(question).to_owned(),
        (_, false) => String::new(),
        (Format::Text, true) => speak::text(ask, choice),
        (Format::Object, true) => {
            let instructions: String = ask.turns.iter().map(|turn| turn.text.as_str()).collect();
            json(&schema::some_object(&instructions, &speak::text(ask, choice), &hints), spacing)
        }
        (Format::Schema(schema), true) => json(&schema::instance(schema, &hints), spacing),
    };
    let reasoning = match ask.thinking {
        Thinking::Off => String::new(),
        Thinking::Hidden | Thinking::Shown => speak::thoughts(question, &calls),
    };
    let mut answer = Answer {
        reasoning,
        content,
        finish: if calls.is_empty() { Finish::Stop } else { Finish::ToolCalls },
        calls,
        stopped: None,
        hidden_tokens: 0,
        reasoning_tokens: 0,
        tokens: 0,
    };
    stop(&mut answer, &ask.stops);
    limit(&mut answer, ask.answer_limit, ask.whole_limit);
    if ask.thinking == Thinking::Hidden {
        answer.hidden_tokens = answer.reasoning_tokens;
        answer.reasoning.clear();
    }
    answer
}

/// The schema that a system message asks to conform to.
pub(super) fn schema_in_instructions(ask: &Ask) -> Option<Value> {
    const MARK: &str = "conforms to this JSON Schema:\n";
    let systems = ask.turns.iter().filter(|turn| turn.role == Role::System);
    let text =
        systems.filter_map(|turn| turn.text.split_once(MARK)).map(|(_, text)| text).next()?;
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
}

fn calls(ask: &Ask, hints: &Hints<'_>, spacing: Spacing) -> Vec<Call> {
    let asked_by_user = ask.turns.last().is_some_and(|turn| turn.role == Role::User);
    let forced = matches!(ask.choice, Choice::Required | Choice::Named(_));
    let literal = speak::is_literal(hints.text);
    if !forced && (!asked_by_user || literal || ask.choice == Choice::None) {
        return Vec::new();
    }
    let chosen = choose::tools(ask, hints);
    chosen
        .into_iter()
        .map(|(tool, about)| Call {
            name: tool.name.clone(),
            arguments: match schema::instance(&tool.parameters, &hints.about(about)) {
                arguments @ Value::Object(_) => json(&arguments, spacing),
                _ => "{}".to_owned(),
            },
        })
        .collect()
}

/// Cuts the text before the first of the stops.
fn stop(answer: &mut Answer, stops: &[String]) {
    let found = stops.iter().filter(|stop| !stop.is_empty());
    let found = found.filter_map(|stop| Some((answer.content.find(stop.as_str())?, stop)));
    if let Some((at, stop)) = found.min() {
        answer.content.truncate(at);
        answer.stopped = Some(stop.clone());
    }
}

/// Cuts to the limits and counts what is left.
fn limit(answer: &mut Answer, answer_limit: u64, whole_limit: u64) {
    let mut cut = |text: &mut String, left: &mut u64| {
        let (end, taken) = tokens::take(text, *left);
        let whole = end == text.len();
        text.truncate(end);
        *left -= taken;
        if !whole {
            answer.finish = Finish::Length;
        }
        (taken, whole)
    };
    let mut left = whole_limit;
    let (reasoned, mut whole) = cut(&mut answer.reasoning, &mut left);
    let mut produced = reasoned;
    left = left.min(answer_limit);
    if whole {
        let taken;
        (taken, whole) = cut(&mut answer.content, &mut left);
        produced += taken;
    } else {
        answer.content.clear();
    }
    let mut kept = 0;
    for call in &mut answer.calls {
        let named = tokens::count(&call.name);
        if !whole || named > left {
            break;
        }
        kept += 1;
        left -= named;
        let taken;
        (taken, whole) = cut(&mut call.arguments, &mut left);
        produced += named + taken;
    }
    if kept < answer.calls.len() {
        answer.calls.truncate(kept);
        answer.finish = Finish::Length;
    }
    answer.reasoning_tokens = reasoned;
    answer.tokens = produced;
}

fn json(value: &Value, spacing: Spacing) -> String {
    match spacing {
        Spacing::Compact => value.to_string(),
        Spacing::Python => {
            let mut out = String::new();
            spaced(value, &mut out);
            out
        }
    }
}

fn spaced(value: &Value, out: &mut String) {
    let separate = |out: &mut String, at: usize| {
        if at > 0 {
            out.push_str(", ");
        }
    };
    match value {
        Value::Object(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                separate(out, at);
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(": ");
                spaced(value, out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (at, value) in list.iter().enumerate() {
                separate(out, at);
                spaced(value, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::models::Model;
    use super::*;

    static MODEL: Model = Model::new("tester", 100_000, 10_000);

    fn ask(body: Value) -> Ask {
        let Value::Object(body) = body else { panic!("an object") };
        Ask::read(&body, &MODEL).expect("a good request")
    }

    fn weather_and_time(question: &str) -> Value {
        let tool = |name: &str, said: &str, key: &str| {
            json!({"type": "function", "function": {"name": name, "description": said,
                "parameters": {"type": "object", "properties": {key: {"type": "string"}},
                "required": [key]}}})
        };
        json!({"messages": [{"role": "user", "content": question}], "tools": [
            tool("get_weather", "查询一个城市现在的天气", "city"),
            tool("get_time", "查询一个时区现在的时间", "tz")]})
    }

    #[test]
    fn literal_requests_are_done_to_the_letter() {
        let body = json!({"messages": [{"role": "user", "content": "Please say 5 words."}]});
        let made = answer(&ask(body), 0, Spacing::Compact);
        assert_eq!(made.content.split_whitespace().count(), 5);
        assert_eq!(made.tokens, 5);
        let body = json!({"messages": [{"role": "user", "content": "repeat: 你好, \n world 🙂"}]});
        assert_eq!(answer(&ask(body), 0, Spacing::Compact).content, "你好, \n world 🙂");
    }

    #[test]
    fn limits_and_stops_cut() {
        let mut asked = ask(
            json!({"messages": [{"role": "user", "content": "repeat: a b c d"}], "stop": " d"}),
        );
        assert_eq!(answer(&asked, 0, Spacing::Compact).content, "a b c");
        asked.whole_limit = 2;
        let made = answer(&asked, 0, Spacing::Compact);
        assert_eq!((made.content.as_str(), made.finish, made.tokens), ("a b", Finish::Length, 2));
    }

    #[test]
    fn fitting_tools_are_called_and_their_results_quoted() {
        let both = answer(&ask(weather_and_time("合肥的天气和现在的时间?")), 0, Spacing::Python);
        let called: Vec<_> = both.calls.iter().map(|call| call.arguments.as_str()).collect();
        assert_eq!(called, ["{\"city\": \"合肥\"}", "{\"tz\": \"Asia/Shanghai\"}"]);
        let one = answer(&ask(weather_and_time("合肥今天天气怎么样?")), 0, Spacing::Compact);
        assert_eq!(one.calls.len(), 1);
        let mut body = weather_and_time("合肥今天天气怎么样?");
        for message in [
            json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type":
                "function", "function": {"name": "get_weather", "arguments": "{}"}}]}),
            json!({"role": "tool", "tool_call_id": "c", "content": "26°C, 多云"}),
        ] {
            body["messages"].as_array_mut().expect("messages").push(message);
        }
        let told = answer(&ask(body), 0, Spacing::Compact);
        assert!(told.calls.is_empty() && told.content.contains("26°C, 多云"), "{}", told.content);
    }
}
