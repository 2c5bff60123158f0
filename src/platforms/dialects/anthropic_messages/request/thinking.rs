//! `reasoning_effort`, and what thinking does not go together with.

use super::format::Format;
use crate::front::BadRequest;
use crate::front::object::{Object, read_text, text_to_json};
use crate::platforms::rules::{ForcedTools, Thinking, ThinkingAsked, ThinkingOff};

/// The front's efforts, and the tokens that each may think where a budget is asked for.
const EFFORTS: [(&str, u64); 7] = [
    ("none", 0),
    ("minimal", 1024),
    ("low", 4096),
    ("medium", 16_384),
    ("high", 32_768),
    ("xhigh", 32_768),
    ("max", 32_768),
];

/// The least budget (the official SDK's `thinking_config_enabled_param`).
const LEAST_BUDGET: u64 = 1024;

/// What is said of thinking.
#[derive(Default)]
pub(super) struct Plan {
    /// Thinking was asked for.
    pub(super) is_on: bool,
    pub(super) forced_tools: ForcedTools,
    /// The field `thinking`.
    thinking: Option<String>,
    /// `output_config.effort`.
    effort: Option<String>,
}

/// Says the caller's effort in the model's words.
///
/// `unthought`: the conversation ends in results of calls that came without their thinking,
/// which a model with a budget doesn't take.
pub(super) fn plan(
    rules: Option<&Thinking>,
    effort: Option<&str>,
    max_tokens: u64,
    unthought: bool,
) -> Result<Plan, BadRequest> {
    let usual = Thinking::default();
    let rules = rules.unwrap_or(&usual);
    let mut plan = Plan { forced_tools: rules.forced_tools, ..Plan::default() };
    let Some(json) = effort.filter(|json| *json != "null") else { return Ok(plan) };
    let level = read_text(json).unwrap_or_default();
    let Some((level, budget)) = EFFORTS.iter().find(|(known, _)| *known == level) else {
        let known = EFFORTS.map(|(name, _)| name).join(", ");
        let message = format!("Invalid 'reasoning_effort': expected one of {known}.");
        return Err(BadRequest::field("reasoning_effort", message));
    };
    if *level == "none" {
        match rules.off {
            ThinkingOff::Omitted => {}
            ThinkingOff::Disabled => plan.thinking = Some(r#"{"type":"disabled"}"#.to_owned()),
            ThinkingOff::BetweenTools => {
                plan.thinking = Some(r#"{"type":"between_tools"}"#.to_owned());
            }
            ThinkingOff::LeastEffort => plan.effort = Some("low".to_owned()),
        }
        return Ok(plan);
    }
    match rules.asked {
        ThinkingAsked::Adaptive => {
            plan.is_on = true;
            // From 4.7 on models leave the text out unless it is asked for.
            plan.thinking = Some(r#"{"type":"adaptive","display":"summarized"}"#.to_owned());
            let name = rules.names.get(*level).map_or(*level, String::as_str);
            plan.effort = Some(name.to_owned());
        }
        ThinkingAsked::Budget if max_tokens > LEAST_BUDGET && !unthought => {
            plan.is_on = true;
            let budget = (*budget).min(max_tokens - 1);
            plan.thinking = Some(format!(r#"{{"type":"enabled","budget_tokens":{budget}}}"#));
        }
        ThinkingAsked::Budget => {}
    }
    Ok(plan)
}

impl Plan {
    /// Writes `thinking` and `output_config`, where the caller didn't write them himself.
    pub(super) fn write(self, fields: &mut Object<'_>, format: &Format) {
        if let Some(thinking) = self.thinking
            && fields.given("thinking").is_none()
        {
            fields.set("thinking", thinking);
        }
        let own = fields.remove("output_config").unwrap_or_default();
        let mut output = Object::parse(&own).unwrap_or_default();
        if let Some(effort) = self.effort
            && output.given("effort").is_none()
        {
            output.set("effort", text_to_json(&effort));
        }
        if let Format::Schema(schema) = format {
            output.set("format", format!(r#"{{"type":"json_schema","schema":{schema}}}"#));
        }
        if !output.is_empty() {
            let json = output.to_json();
            fields.set("output_config", json);
        }
    }
}
