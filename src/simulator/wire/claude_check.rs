//! What Anthropic refuses in a Messages request, beside its messages.

use http::HeaderMap;
use serde_json::Value;

use crate::simulator::ask::{Body, given};
use crate::simulator::check;
use crate::simulator::complaint::{Complaint, Range, Rule};
use crate::simulator::models::Model;

pub(super) const FIRST_VERSION: &str = "2023-06-01";
const SECOND_VERSION: &str = "2026-10-21";

/// Every parameter of a message (the SDK's `message_create_params`).
const KNOWN: &[&str] = &[
    "cache_control",
    "container",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];

/// What a model takes of what others don't.
pub(super) struct Peculiar {
    /// Sampling parameters.
    pub samples: bool,
    /// Thinking is asked for by a budget.
    pub budget: bool,
    /// Thinking's text comes unless it is omitted.
    pub shows: bool,
    /// The types of `thinking` that turn it off.
    off: &'static [&'static str],
    /// A forced tool, unless it thinks where it samples.
    forced: bool,
    /// An assistant's message at the end.
    prefill: bool,
}

/// The pages of the models and the migration guides.
pub(super) fn peculiar(model: &str) -> Peculiar {
    let old = ["-4-5", "-4-6"].iter().any(|version| model.ends_with(version));
    let budget = model.ends_with("-4-5");
    let off: &[&str] = match model {
        "claude-sonnet-5-5" => &["between_tools"],
        "claude-haiku-5-5" | "claude-opus-5" | "claude-sonnet-5" => &["disabled"],
        name if name.contains("-4-") => &["disabled"],
        _ => &[],
    };
    let unforced = ["-5-5", "fable-5-1", "fable-5-2"].iter().any(|end| model.ends_with(end));
    Peculiar { samples: old, budget, shows: old, off, forced: !unforced, prefill: budget }
}

/// What the headers must say.
pub(super) fn admits(headers: &HeaderMap, body: &Body) -> Result<(), Complaint> {
    let version = headers.get("anthropic-version").and_then(|value| value.to_str().ok());
    match version {
        None => Err(Complaint::words("anthropic-version", "header is required")),
        Some(FIRST_VERSION) => Ok(()),
        Some(SECOND_VERSION) => match SAMPLING.iter().find(|name| given(body, name).is_some()) {
            Some(name) => Err(Complaint::invalid(*name, Rule::Unknown)),
            None => Ok(()),
        },
        Some(other) => {
            let words = format!("\"{other}\" is not a valid version");
            Err(Complaint::words("anthropic-version", words))
        }
    }?;
    let json = headers.get("content-type").and_then(|value| value.to_str().ok());
    if json.is_some_and(|kind| kind.starts_with("application/json")) {
        return Ok(());
    }
    Err(Complaint::words("content-type", "must be application/json"))
}

pub(super) fn check(body: &Body, model: &Model) -> Result<(), Complaint> {
    if let Some(unknown) = body.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(Complaint::invalid(unknown, Rule::Unknown));
    }
    let max_tokens = match body.get("max_tokens") {
        None => return Err(Complaint::invalid("max_tokens", Rule::Missing)),
        Some(value) => value.as_u64(),
    };
    let Some(max_tokens) = max_tokens else {
        return Err(Complaint::invalid("max_tokens", Rule::Type("integer")));
    };
    if max_tokens > model.max_output {
        let words = format!(
            "{max_tokens} > {}, which is the maximum allowed number of output tokens for {}",
            model.max_output, model.snapshot
        );
        return Err(Complaint::words("max_tokens", words));
    }
    check::ranges(
        body,
        &[
            ("temperature", Range::new(0.0, 1.0)),
            ("top_p", Range::new(0.0, 1.0)),
            ("top_k", Range::whole(0, u64::MAX)),
        ],
    )?;
    stops(body)?;
    let peculiar = peculiar(model.name);
    sampling(body, &peculiar)?;
    thinking(body, &peculiar, max_tokens)?;
    forced(body, &peculiar)?;
    prefill(body, &peculiar)?;
    tier(body)
}

fn stops(body: &Body) -> Result<(), Complaint> {
    let Some(stops) = given(body, "stop_sequences") else { return Ok(()) };
    let Some(list) = stops.as_array() else {
        return Err(Complaint::invalid("stop_sequences", Rule::Type("list")));
    };
    if list.iter().all(|stop| stop.as_str().is_some_and(|stop| !stop.trim().is_empty())) {
        return Ok(());
    }
    Err(Complaint::words("stop_sequences", "each stop sequence must contain non-whitespace"))
}

fn sampling(body: &Body, peculiar: &Peculiar) -> Result<(), Complaint> {
    let named = SAMPLING.iter().find(|name| given(body, name).is_some());
    match named {
        Some(name) if !peculiar.samples => {
            Err(Complaint::words(*name, format!("`{name}` is deprecated for this model.")))
        }
        Some(_) if given(body, "temperature").is_some() && given(body, "top_p").is_some() => {
            let words = "`temperature` and `top_p` cannot both be specified for this model. Please \
                         use only one.";
            Err(Complaint::words("temperature", words))
        }
        _ => Ok(()),
    }
}

fn thinking(body: &Body, peculiar: &Peculiar, max_tokens: u64) -> Result<(), Complaint> {
    let effort = body.get("output_config").and_then(|output| output.get("effort"));
    if let Some(effort) = effort.filter(|effort| !effort.is_null()) {
        let known = ["low", "medium", "high", "xhigh", "max"];
        if peculiar.budget || !effort.as_str().is_some_and(|effort| known.contains(&effort)) {
            return Err(Complaint::invalid("output_config.effort", Rule::Unsupported(None)));
        }
    }
    let Some(asked) = given(body, "thinking") else { return Ok(()) };
    let refused = |words: &str| Err(Complaint::words("thinking", words));
    match asked.get("type").and_then(Value::as_str) {
        Some("enabled") if peculiar.samples => {
            let budget = asked.get("budget_tokens").and_then(Value::as_u64).unwrap_or(0);
            if budget < 1024 {
                return refused(
                    "enabled.budget_tokens: Input should be greater than or equal to 1024",
                );
            }
            if budget >= max_tokens {
                return refused("`max_tokens` must be greater than `thinking.budget_tokens`");
            }
        }
        Some("adaptive") if !peculiar.budget => {}
        Some(kind) if peculiar.off.contains(&kind) => return Ok(()),
        Some(kind) => {
            let rule = Rule::Unsupported(Some(format!("`{kind}`")));
            return Err(Complaint::invalid("thinking.type", rule));
        }
        None => return Err(Complaint::invalid("thinking.type", Rule::Missing)),
    }
    if let Some(name) = SAMPLING.iter().find(|name| given(body, name).is_some()) {
        let words = format!("`{name}` may not be set when thinking is enabled");
        return Err(Complaint::words(*name, words));
    }
    Ok(())
}

fn forced(body: &Body, peculiar: &Peculiar) -> Result<(), Complaint> {
    let kind = body.get("tool_choice").and_then(|choice| choice.get("type"));
    if !kind.and_then(Value::as_str).is_some_and(|kind| matches!(kind, "any" | "tool")) {
        return Ok(());
    }
    let thinks = ["enabled", "adaptive"].contains(&check::thinking_type(body).unwrap_or_default());
    if peculiar.forced && !(thinks && peculiar.samples) {
        return Ok(());
    }
    let words = if peculiar.forced {
        "Thinking may not be enabled when tool_choice forces tool use."
    } else {
        "tool_choice that forces tool use is not supported on this model."
    };
    Err(Complaint::words("tool_choice", words))
}

fn prefill(body: &Body, peculiar: &Peculiar) -> Result<(), Complaint> {
    let last = check::messages(body).last().map(|(_, message)| message);
    let by_assistant = last.is_some_and(|last| last.get("role") == Some(&"assistant".into()));
    if !by_assistant || peculiar.prefill {
        return Ok(());
    }
    Err(Complaint::words(
        "messages",
        "This model does not support assistant message prefill. The conversation must end with a \
         user message.",
    ))
}

fn tier(body: &Body) -> Result<(), Complaint> {
    match given(body, "service_tier").map(Value::as_str) {
        None | Some(Some("auto" | "standard_only")) => Ok(()),
        Some(_) => {
            Err(Complaint::words("service_tier", "Input should be 'auto' or 'standard_only'"))
        }
    }
}
