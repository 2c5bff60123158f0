//! A platform as it is written in TOML.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Hangup;
use crate::platforms::credential::CredentialSpec;
use crate::platforms::rules::{
    AnswerRules, ErrorRule, LimitRule, RequestRules, Traits, one_or_many,
};
use crate::platforms::{DialectName, Price, Vocabulary};

/// `[platforms.NAME]`, after the operator's part was laid over the built-in one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformEntry {
    pub(super) name: Option<String>,
    pub(super) default_model: Option<String>,
    /// A credential is only ever sent to these; without them, to those of its own addresses.
    pub(super) api_origins: Option<Vec<String>>,
    pub(super) default_face: Option<DialectName>,
    #[serde(default)]
    pub(super) windows: Vec<WindowEntry>,
    /// Without one, the gateway's setting holds.
    pub(super) on_hangup: Option<Hangup>,
    /// Of models that name none.
    pub(super) tokenizer: Option<Vocabulary>,
    #[serde(default)]
    pub(super) faces: BTreeMap<DialectName, FaceEntry>,
    #[serde(default)]
    pub(super) models: Vec<ModelEntry>,
    #[serde(default)]
    pub(super) families: Vec<Family>,
    #[serde(default)]
    pub(super) retired: BTreeMap<String, String>,
}

/// `windows = [{ … }]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WindowEntry {
    /// `day`, or a length as `5h` or `7d`.
    pub(super) period: String,
    pub(super) limit: Option<u64>,
    pub(super) zone: Option<String>,
}

/// `[platforms.NAME.faces.DIALECT]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FaceEntry {
    pub(super) base_url: String,
    #[serde(default)]
    pub(super) credential: CredentialSpec,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) request: RequestRules,
    /// Laid over `request`, for accounts that are people's logins.
    pub(super) login: Option<RequestRules>,
    #[serde(default)]
    pub(super) answer: AnswerRules,
    /// Without one, OpenAI's table holds.
    pub(super) errors: Option<Vec<ErrorRule>>,
    /// The face whose table goes on where `errors` ends.
    pub(super) errors_as: Option<DialectName>,
    /// Without them, OpenAI's hold.
    pub(super) limits: Option<Vec<LimitRule>>,
    pub(super) own_codes: Option<bool>,
    #[serde(default)]
    pub(super) param_names: Vec<String>,
    /// Models that lie at another path under the base than the dialect's, by name.
    #[serde(default)]
    pub(super) paths: Vec<PathEntry>,
}

/// `paths = [{ … }]` of a face: the first row that fits counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PathEntry {
    /// What the platform is told, each perhaps with a `*` for anything.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) names: Vec<String>,
    pub(super) path: String,
}

/// `models = [{ … }]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelEntry {
    pub(super) name: String,
    /// What the platform is told, where it is another name.
    pub(super) upstream: Option<String>,
    pub(super) context: Option<u64>,
    pub(super) max_output: Option<u64>,
    pub(super) sees: Option<bool>,
    /// In points; without one it can't be bought.
    pub(super) price: Option<Price>,
    pub(super) tokenizer: Option<Vocabulary>,
    #[serde(default)]
    pub(super) guest: bool,
    #[serde(default)]
    pub(super) traits: Traits,
    /// Another address, for all faces.
    pub(super) base_url: Option<String>,
    /// Another path, joined to the base as a relative link is.
    pub(super) path: Option<String>,
    /// Another address or path, by face.
    #[serde(default)]
    pub(super) faces: BTreeMap<DialectName, ModelFaceEntry>,
}

/// `faces.DIALECT = { … }` of a model.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelFaceEntry {
    pub(super) base_url: Option<String>,
    pub(super) path: Option<String>,
}

/// `families = [{ … }]`: traits for names, listed or not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Family {
    /// Names, each perhaps with a `*` for anything.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) names: Vec<String>,
    pub(super) traits: Traits,
}
