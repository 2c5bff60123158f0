//! A whole answer in the front's form, gathered from a stream or read from an answer.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Delta, Sink, inside};
use crate::front::UsageReport;
use crate::front::object::write_text;

/// An answer on its way to the caller.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) model: String,
    choices: Vec<Choice>,
    usage: Option<UsageReport>,
    /// Bytes gathered, for the bound.
    size: usize,
}

/// One choice; texts are JSON strings without their quotes.
#[derive(Debug, Default)]
struct Choice {
    index: u32,
    content: String,
    reasoning: String,
    refusal: String,
    calls: Vec<Call>,
    /// A JSON list, or nothing.
    thinking_blocks: String,
    /// A JSON list's entries.
    logprobs: String,
    finish: String,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Draft {
    /// Bytes gathered so far.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// The answer as JSON; with `legacy`, calls in the old form.
    pub(crate) fn write(&self, legacy: bool) -> Bytes {
        let mut out = String::with_capacity(self.size + 512);
        out.push_str("{\"id\":");
        write_text(&mut out, &self.id);
        out.push_str(",\"object\":\"chat.completion\",\"created\":");
        out.push_str(&self.created.to_string());
        out.push_str(",\"model\":");
        write_text(&mut out, &self.model);
        out.push_str(",\"choices\":[");
        for (number, choice) in self.choices.iter().enumerate() {
            if number > 0 {
                out.push(',');
            }
            choice.write(&mut out, legacy);
        }
        out.push(']');
        if let Some(usage) = &self.usage {
            out.push_str(",\"usage\":");
            out.push_str(&serde_json::to_string(usage).expect("numbers always serialise"));
        }
        out.push('}');
        out.into()
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let at = match self.choices.iter().position(|choice| choice.index == index) {
            Some(at) => at,
            None => {
                self.choices.push(Choice { index, ..Choice::default() });
                self.choices.len() - 1
            }
        };
        &mut self.choices[at]
    }
}

impl Choice {
    fn write(&self, out: &mut String, legacy: bool) {
        out.push_str("{\"index\":");
        out.push_str(&self.index.to_string());
        out.push_str(",\"message\":{\"role\":\"assistant\",\"content\":");
        if self.content.is_empty() && !(self.calls.is_empty() && self.refusal.is_empty()) {
            out.push_str("null");
        } else {
            quoted(out, &self.content);
        }
        out.push_str(",\"refusal\":");
        if self.refusal.is_empty() {
            out.push_str("null");
        } else {
            quoted(out, &self.refusal);
        }
        if !self.reasoning.is_empty() {
            out.push_str(",\"reasoning_content\":");
            quoted(out, &self.reasoning);
        }
        match self.calls.first() {
            Some(call) if legacy => {
                out.push_str(",\"function_call\":");
                call.write_function(out);
            }
            Some(_) => {
                out.push_str(",\"tool_calls\":[");
                for (number, call) in self.calls.iter().enumerate() {
                    out.push_str(if number > 0 { ",{\"id\":" } else { "{\"id\":" });
                    write_text(out, &call.id);
                    out.push_str(",\"type\":\"function\",\"function\":");
                    call.write_function(out);
                    out.push('}');
                }
                out.push(']');
            }
            None => {}
        }
        if !self.thinking_blocks.is_empty() {
            out.push_str(",\"thinking_blocks\":");
            out.push_str(&self.thinking_blocks);
        }
        out.push_str("},\"logprobs\":");
        if self.logprobs.is_empty() {
            out.push_str("null");
        } else {
            out.push_str("{\"content\":[");
            out.push_str(&self.logprobs);
            out.push_str("],\"refusal\":null}");
        }
        out.push_str(",\"finish_reason\":");
        write_text(out, &self.finish);
        out.push('}');
    }
}

impl Call {
    fn write_function(&self, out: &mut String) {
        out.push_str("{\"name\":");
        quoted(out, &self.name);
        out.push_str(",\"arguments\":");
        quoted(out, &self.arguments);
        out.push('}');
    }
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    out.push_str(text);
    out.push('"');
}

impl Sink for Draft {
    fn begin(&mut self, id: &str, created: i64, model: &str) {
        id.clone_into(&mut self.id);
        self.created = created;
        model.clone_into(&mut self.model);
    }

    fn open(&mut self, choice: u32) {
        self.choice(choice);
    }

    fn add(&mut self, choice: u32, delta: Delta<'_>) {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map_or(0, str::len);
        let calls = delta.calls.iter().map(|call| call.arguments.len() + 64).sum::<usize>();
        self.size += text(&delta.content) + text(&delta.reasoning) + calls;
        self.size += delta.logprobs.map_or(0, str::len);
        let choice = self.choice(choice);
        choice.content.push_str(inside(delta.content.as_deref().unwrap_or_default()));
        choice.reasoning.push_str(inside(delta.reasoning.as_deref().unwrap_or_default()));
        choice.refusal.push_str(inside(delta.refusal.as_deref().unwrap_or_default()));
        choice.thinking_blocks.push_str(delta.thinking_blocks.as_deref().unwrap_or_default());
        if let Some(entries) = delta.logprobs {
            if !choice.logprobs.is_empty() {
                choice.logprobs.push(',');
            }
            choice.logprobs.push_str(entries);
        }
        for call in delta.calls {
            if let Some((id, name)) = call.opens {
                let name = inside(name).to_owned();
                choice.calls.push(Call { id, name, arguments: String::new() });
            }
            if let Some(known) = choice.calls.get_mut(call.index) {
                known.arguments.push_str(inside(&call.arguments));
            }
        }
    }

    fn finish(&mut self, choice: u32, reason: &str) {
        reason.clone_into(&mut self.choice(choice).finish);
    }

    fn end(&mut self, usage: Option<&UsageReport>) {
        self.usage = usage.copied();
    }
}
