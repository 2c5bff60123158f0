//! How a platform's requests differ from the front's form.
//!
//! A face's [`RequestRules`] hold for all its models; a model's [`Traits`] say
//! what differs from model to model, and families of names give traits to models
//! that nobody listed yet.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Number, Value};

use super::Thinking;
use crate::platforms::DialectName;

/// What is changed in a request before it is sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestRules {
    /// Whether and how the platform is asked for usage in a stream.
    pub usage: UsageAsked,
    /// What becomes of `functions` and `function_call`.
    pub legacy: Legacy,
    /// Fields that the platform lacks and that only tune: left out.
    pub drop: Vec<String>,
    /// Fields that the platform lacks and without which the answer would be another: refused
    /// unless null. The value says why.
    pub refuse: BTreeMap<String, String>,
    /// Rules for single fields.
    pub fields: BTreeMap<String, FieldRule>,
    /// Messages.
    pub messages: MessageRules,
    /// Tools and their choice.
    pub tools: ToolRules,
    /// `web_search_options`.
    pub search: SearchRules,
    /// What holds where neither the model nor a family says otherwise.
    pub traits: Traits,
}

/// What differs from model to model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traits {
    /// The only dialect that it is reached in.
    pub only: Option<DialectName>,
    /// Whether it takes images.
    pub sees: Option<bool>,
    /// How many functions it calls at once, where that is known.
    pub calls: Option<Calls>,
    /// Whether it searches the web unless told not to.
    pub searches: Option<bool>,
    /// Whether it thinks when the caller says nothing.
    pub thinks: Option<Thinks>,
    /// What `reasoning_effort` becomes.
    pub effort: Option<Effort>,
    /// The same, in Anthropic's words.
    pub thinking: Option<Thinking>,
    /// What a JSON schema becomes.
    pub json_schema: Option<JsonSchema>,
    /// What JSON mode becomes.
    pub json_object: Option<JsonObject>,
    /// When it answers only as a stream.
    pub streams_only: Option<StreamsOnly>,
    /// Fields to set when functions are sent and the answer is streamed.
    pub with_streamed_functions: Option<Map<String, Value>>,
    /// Rules for single fields, over the face's.
    pub fields: BTreeMap<String, FieldRule>,
}

/// Whether and how a platform is asked for usage in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageAsked {
    /// By `stream_options.include_usage`.
    #[default]
    Asked,
    /// It always comes; `stream_options` is unknown there.
    Comes,
}

/// What becomes of `functions` and `function_call`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Legacy {
    /// The platform takes them.
    #[default]
    Passed,
    /// They are read as `tools`; the answer then speaks the old form too.
    AsTools,
}

/// What is done to one field, in this order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FieldRule {
    /// Left out.
    pub drop: bool,
    /// Refused above this number.
    pub refuse_above: Option<f64>,
    /// What to do instead when it is 0 or less.
    pub when_zero: Option<WhenZero>,
    /// Least value.
    pub min: Option<NumberBound>,
    /// Most: a number, or `"max_output"` for the model's.
    pub max: Option<NumberBound>,
    /// Decimals kept.
    pub round: Option<u32>,
    /// Bits kept of an integer.
    pub mask: Option<u64>,
    /// A single value becomes a list.
    pub list: bool,
    /// Entries kept of a list.
    pub first: Option<usize>,
    /// Least and most characters of a text; dropped outside.
    pub length: Option<(usize, usize)>,
    /// Another name, over what stands there.
    pub rename: Option<String>,
}

/// What to do with a number that is 0 or less.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WhenZero {
    /// Fields to set.
    pub set: Map<String, Value>,
    /// Fields to leave out.
    pub drop: Vec<String>,
}

/// A bound of a number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum NumberBound {
    /// This number.
    Number(Number),
    /// The model's longest answer.
    Model(ModelBound),
}

/// A bound that the model's entry gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelBound {
    /// Its longest answer.
    MaxOutput,
}

/// What is changed in messages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessageRules {
    /// Roles that have another name there.
    pub roles: BTreeMap<String, String>,
    /// Leading system messages become one, with this between.
    pub merge_leading_system: Option<String>,
    /// A content of text parts alone becomes one text, with this between.
    pub join_text_parts: Option<String>,
    /// What stands for a content that is null or missing.
    pub null_content: Option<String>,
    /// Image parts.
    pub images: ImageRules,
}

/// What is changed in image parts.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageRules {
    /// `detail` is unknown there.
    pub drop_detail: bool,
    /// Base64 stands without its `data:…;base64,`.
    pub bare_base64: bool,
}

/// What is changed in tools and their choice.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolRules {
    /// The only keys of a function that the platform knows; empty: all.
    pub function_keys: Vec<String>,
    /// A function without description or parameters gets its name, and an empty object.
    pub fill_function: bool,
    /// `tool_choice: required`.
    pub required: ForcedChoice,
    /// A named tool, or some allowed ones.
    pub named: NamedChoice,
    /// `tool_choice: none`.
    pub none: NoChoice,
    /// Fields to set when functions are sent.
    pub with_functions: Map<String, Value>,
    /// Forced tools and JSON answers do not go together with thinking.
    pub excludes_thinking: bool,
    /// Responses: functions stand in the input, and are chosen by mode alone.
    pub as_input: bool,
}

/// What `tool_choice: required` becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForcedChoice {
    /// As it came.
    #[default]
    Passed,
    /// `auto`.
    Auto,
    /// The tool by name, if there is one alone.
    NameTheOnlyOne,
}

/// What a named tool choice becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedChoice {
    /// As it came.
    #[default]
    Passed,
    /// Only the named tools are sent, with `auto`.
    NarrowTools,
}

/// What `tool_choice: none` becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoChoice {
    /// As it came.
    #[default]
    Passed,
    /// No tools are sent.
    LeaveOutTools,
}

/// What `web_search_options` becomes; without any of these it goes as it came.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchRules {
    /// Fields to set when the caller asks for a search.
    pub fields: Map<String, Value>,
    /// A tool to append when the caller asks for a search.
    pub tool: Option<Value>,
    /// A tool to append when nobody asks and the model would search all the same.
    pub silent_tool: Option<Value>,
    /// Keys of the tool's `web_search` when the caller wants a large context.
    pub large: Map<String, Value>,
}

/// What `reasoning_effort` becomes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Effort {
    /// Fields to set for `none` and `minimal`.
    pub off: Map<String, Value>,
    /// Fields to set for every other effort.
    pub on: Map<String, Value>,
    /// Fields that silence a model which thinks unless told not to.
    pub silence: Map<String, Value>,
    /// Whether the effort itself goes too.
    pub sent: EffortSent,
    /// Efforts that have another name there.
    pub names: BTreeMap<String, String>,
}

/// Whether `reasoning_effort` itself is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffortSent {
    /// Never.
    #[default]
    Never,
    /// Unless it is `none` or `minimal`.
    WhenOn,
    /// Always.
    Always,
}

/// Whether a model thinks when the caller says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinks {
    /// It can't.
    Never,
    /// Only when asked.
    WhenAsked,
    /// Unless told not to.
    UnlessToldNot,
    /// It can't be told not to.
    Always,
}

/// How many functions a model calls in one turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// None, ever.
    Never,
    /// One at most.
    One,
    /// As many as it likes.
    Several,
}

/// What a `json_schema` response format becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonSchema {
    /// As it came.
    #[default]
    Passed,
    /// JSON mode, and the schema as a system text.
    ObjectAndText,
    /// The schema as a system text alone.
    Text,
}

/// What a `json_object` response format becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JsonObject {
    /// As it came.
    #[default]
    Passed,
    /// A system text.
    Text,
}

/// When a model answers only as a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamsOnly {
    /// When it thinks.
    WhenThinking,
    /// Always.
    Always,
}

impl RequestRules {
    /// Whether nothing but `model`, `account_id` and `stream_options` is ever changed,
    /// so that a request can be spliced.
    pub fn is_plain(&self, traits: &Traits) -> bool {
        self.usage == UsageAsked::Asked
            && self.legacy == Legacy::Passed
            && self.drop.is_empty()
            && self.fields.is_empty()
            && self.messages.is_plain()
            && self.tools.is_plain()
            && self.search.is_plain()
            && traits.is_plain()
    }
}

impl MessageRules {
    /// Whether messages go as they came.
    pub fn is_plain(&self) -> bool {
        self.roles.is_empty()
            && self.merge_leading_system.is_none()
            && self.join_text_parts.is_none()
            && self.null_content.is_none()
            && !self.images.drop_detail
            && !self.images.bare_base64
    }
}

impl SearchRules {
    /// Whether the caller's wish goes as it came.
    pub fn is_plain(&self) -> bool {
        self.fields.is_empty() && self.tool.is_none() && self.silent_tool.is_none()
    }
}

impl ToolRules {
    fn is_plain(&self) -> bool {
        self.function_keys.is_empty()
            && !self.fill_function
            && self.required == ForcedChoice::Passed
            && self.named == NamedChoice::Passed
            && self.none == NoChoice::Passed
            && self.with_functions.is_empty()
            && !self.excludes_thinking
    }
}

impl Traits {
    fn is_plain(&self) -> bool {
        self.effort.is_none()
            && self.json_schema.unwrap_or_default() == JsonSchema::Passed
            && self.json_object.unwrap_or_default() == JsonObject::Passed
            && self.streams_only.is_none()
            && self.with_streamed_functions.is_none()
            && self.fields.is_empty()
    }

    /// Whether the model is reached in this dialect.
    pub fn reaches(&self, dialect: DialectName) -> bool {
        self.only.is_none_or(|only| only == dialect)
    }

    /// These traits, and from `base` what they leave open.
    #[must_use]
    pub fn over(&self, base: &Traits) -> Traits {
        let mut fields = base.fields.clone();
        fields.extend(self.fields.clone());
        Traits {
            only: self.only.or(base.only),
            sees: self.sees.or(base.sees),
            calls: self.calls.or(base.calls),
            searches: self.searches.or(base.searches),
            thinks: self.thinks.or(base.thinks),
            effort: self.effort.clone().or_else(|| base.effort.clone()),
            thinking: self.thinking.clone().or_else(|| base.thinking.clone()),
            json_schema: self.json_schema.or(base.json_schema),
            json_object: self.json_object.or(base.json_object),
            streams_only: self.streams_only.or(base.streams_only),
            with_streamed_functions: self
                .with_streamed_functions
                .clone()
                .or_else(|| base.with_streamed_functions.clone()),
            fields,
        }
    }
}
