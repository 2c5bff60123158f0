//! A whole answer in the tidied form: read in one pass, put right where it breaks the front's
//! rules, and written anew only then.

use super::Context;
use super::tidy::finished;
use crate::front::object::{Object, elements, text_to_json};
use crate::front::skim::Skim;
use crate::platforms::PlatformError;

const CHOICES: &str = "choices";
const MESSAGE: &str = "message";

/// A whole answer, taken apart as far as its messages.
pub(super) struct Completion<'a> {
    /// Its fields, but for the choices.
    pub(super) top: Object<'a>,
    choices: Vec<Choice<'a>>,
    is_changed: bool,
}

struct Choice<'a> {
    /// Its fields, but for the message.
    fields: Object<'a>,
    message: Object<'a>,
}

impl<'a> Completion<'a> {
    /// Reads an answer; `None` when it has no choices, or one that is none.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        let mut skim = Skim::new(json);
        let (top, choices) = Object::skim_parted(&mut skim, CHOICES, |skim| {
            let mut choices = Vec::with_capacity(1);
            skim.array(|skim| Choice::skim(skim).map(|choice| choices.push(choice)))?;
            Some(choices)
        })?;
        skim.end()?;
        let choices = choices.filter(|choices| !choices.is_empty())?;
        Some(Self { top, choices, is_changed: false })
    }

    /// Puts right what breaks the front's rules.
    pub(super) fn tidy(&mut self, context: &Context) -> Result<(), PlatformError> {
        let Self { top, choices, is_changed } = self;
        for choice in choices {
            *is_changed |= choice.tidy(context)?;
        }
        let created = context.created;
        let mut need = |name: &'static str, value: &dyn Fn() -> String| {
            if top.given(name).is_none() {
                top.set(name, value());
                *is_changed = true;
            }
        };
        need("id", &|| format!("\"chatcmpl-{created:x}\""));
        need("object", &|| "\"chat.completion\"".to_owned());
        need("created", &|| created.to_string());
        need("model", &|| text_to_json(&context.model.upstream));
        Ok(())
    }

    /// Whether anything is not as it came.
    pub(super) fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The answer as JSON text; `room`: as long as it will be, or nearly.
    pub(super) fn to_json(&self, room: usize) -> String {
        let mut out = String::with_capacity(room);
        self.top.write_each(&mut out, |out, name, json| match name {
            CHOICES => self.write_choices(out),
            _ => out.push_str(json),
        });
        out
    }

    fn write_choices(&self, out: &mut String) {
        out.push('[');
        for (number, Choice { fields, message }) in self.choices.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            fields.write_each(out, |out, name, json| match name {
                MESSAGE => message.write(out),
                _ => out.push_str(json),
            });
        }
        out.push(']');
    }
}

impl<'a> Choice<'a> {
    fn skim(skim: &mut Skim<'a>) -> Option<Self> {
        let (mut fields, message) = Object::skim_parted(skim, MESSAGE, Object::skim)?;
        if message.is_none() {
            fields.set(MESSAGE, "");
        }
        Some(Self { fields, message: message.unwrap_or_default() })
    }
}

impl Choice<'_> {
    /// Puts it right; tells whether anything was wrong.
    fn tidy(&mut self, context: &Context) -> Result<bool, PlatformError> {
        let Self { fields, message } = self;
        let (has_calls, mut is_changed) = tidy_calls(message);
        let mut need = |object: &mut Object<'_>, name: &'static str, json: &'static str| {
            let may_be_null = !matches!(name, "index" | "finish_reason");
            let found = if may_be_null { object.get(name) } else { object.given(name) };
            if found.is_none() {
                object.set(name, json);
                is_changed = true;
            }
        };
        need(message, "role", "\"assistant\"");
        need(message, "content", "null");
        need(message, "refusal", "null");
        need(fields, "index", "0");
        need(fields, "logprobs", "null");
        let reason = finished(fields, has_calls, context)?;
        need(fields, "finish_reason", "\"stop\"");
        if let Some(reason) = reason {
            fields.set("finish_reason", text_to_json(&reason));
            is_changed = true;
        }
        Ok(is_changed)
    }
}

/// Takes what only belongs into deltas out of a message's calls; tells whether there are any,
/// and whether anything was taken out.
fn tidy_calls(message: &mut Object<'_>) -> (bool, bool) {
    let Some(json) = message.get("tool_calls") else { return (false, false) };
    let json = json.to_owned();
    let all = elements(&json).unwrap_or_default();
    let count = all.len();
    let mut calls: Vec<Object<'_>> =
        all.into_iter().filter_map(|call| Object::parse(call).ok()).collect();
    if calls.is_empty() {
        message.remove("tool_calls");
        return (false, true);
    }
    let taken = calls.iter_mut().filter_map(|call| call.remove("index")).count();
    if taken == 0 && calls.len() == count {
        return (true, false);
    }
    let written: Vec<String> = calls.iter().map(Object::to_json).collect();
    message.set("tool_calls", format!("[{}]", written.join(",")));
    (true, true)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::front::ChatRequest;
    use crate::platforms::{Catalogue, DialectName, Exchange};

    const SOUND: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a \" b","refusal":null},"logprobs":null,"finish_reason":"stop"}],"more":{"choices":[1]}}"#;

    #[test]
    fn an_answer_is_read_to_its_messages_and_written_as_it_was() {
        let answer = Completion::read(SOUND).unwrap();
        assert!(!answer.is_changed());
        assert_eq!(answer.to_json(0), SOUND);
        assert_eq!(answer.top.get("more"), Some(r#"{"choices":[1]}"#));
    }

    /// What a caller gets of a platform whose answers are tidied.
    fn tidied(sent: &str) -> String {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let qwen = catalogue.platform("qwen").unwrap().clone();
        let hop = catalogue.resolve_on(&qwen, "qwen-plus");
        let ask = Bytes::from_static(br#"{"messages":[{"role":"user","content":"hi"}]}"#);
        let ask = ChatRequest::parse(ask).unwrap();
        let face = qwen.face(Some(DialectName::OpenaiChat)).unwrap();
        let mut exchange = Exchange::begin(&qwen, face, &hop.model, &ask, 7).unwrap().0;
        let sent = Bytes::copy_from_slice(sent.as_bytes());
        String::from_utf8(exchange.whole(&HeaderMap::new(), sent).unwrap().body.to_vec()).unwrap()
    }

    #[test]
    fn what_breaks_no_rule_goes_on_as_it_came() {
        let blanks = SOUND.replace(r#""choices":["#, "\"choices\": [\n");
        let calls = r#""refusal":null,"tool_calls":[{"id":"c","type":"function"}]"#;
        let called = SOUND.replace(r#""refusal":null"#, calls).replace("stop", "tool_calls");
        for sent in [SOUND, &blanks, &called] {
            assert_eq!(tidied(sent), sent);
        }
    }

    #[test]
    fn each_key_that_is_missing_is_put_in() {
        for (key, put) in [
            (r#""id":"c","#, r#""id":"chatcmpl-7""#),
            (r#""object":"chat.completion","#, r#""object":"chat.completion""#),
            (r#""created":1,"#, r#""created":7"#),
            (r#""model":"m","#, r#""model":"qwen-plus""#),
            (r#""index":0,"#, r#""index":0"#),
            (r#""role":"assistant","#, r#""role":"assistant""#),
            (r#","refusal":null"#, r#""refusal":null"#),
            (r#""logprobs":null,"#, r#""logprobs":null"#),
            (r#","finish_reason":"stop""#, r#""finish_reason":"stop""#),
        ] {
            let sent = SOUND.replace(key, "");
            assert_ne!(sent, SOUND);
            let got = tidied(&sent);
            assert!(got.contains(put) && got.contains(r#""content":"a \" b""#), "{got}");
        }
    }

    #[test]
    fn what_has_no_choice_is_no_answer() {
        for json in [
            r#"{"choices":[]}"#,
            r#"{"choices":{}}"#,
            r#"{"choices":null}"#,
            r#"{"choices":[{"message":null}]}"#,
            r#"{"choices":[1]}"#,
            r#"{"id":"c"}"#,
            r#"{"choices":[{}]} x"#,
            "[]",
        ] {
            assert!(Completion::read(json).is_none(), "{json}");
        }
    }

    #[test]
    fn of_choices_that_come_twice_the_last_count() {
        let twice = r#"{"choices":[{"message":{"content":"a"}}],"x":1,"choices":[{}]}"#;
        let answer = Completion::read(twice).unwrap();
        assert_eq!(answer.to_json(0), r#"{"choices":[{"message":{}}],"x":1}"#);
    }
}
