//! The `response` object: who answers, how it ended, what it used.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::counts;
use super::finish::finish;
use crate::front::UsageReport;
use crate::front::object::Object;
use crate::platforms::dialects::openai_responses::Context;
use crate::platforms::dialects::pivot::{Sink, answer_id, word};

/// A `response` object, as far as it is used.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Response<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

impl Response<'_> {
    /// Reads one.
    pub(super) fn read(json: &[u8]) -> Option<Response<'_>> {
        serde_json::from_slice(json).ok()
    }

    /// Who answers.
    pub(super) fn head(&self, context: &Context) -> Head {
        let unnamed = Head::unnamed(context);
        // Seconds, with a fraction at times.
        let created = self.created_at.and_then(|json| json.get().parse::<f64>().ok());
        Head {
            id: word(self.id).map_or(unnamed.id, |id| answer_id(&id)),
            model: word(self.model).unwrap_or(unnamed.model),
            created: created.map_or(unnamed.created, |seconds| seconds as i64),
        }
    }

    /// Its status in a word.
    pub(super) fn status(&self) -> String {
        word(self.status).unwrap_or_default()
    }

    /// The front's finish reason.
    pub(super) fn finish(&self, calls: bool) -> &'static str {
        let details = self.incomplete_details.and_then(|json| Object::parse(json.get()).ok());
        let details = details.unwrap_or_default();
        let reason = details.get("reason").map(|json| json.trim_matches('"')).unwrap_or_default();
        finish(&self.status(), reason, calls)
    }

    /// What it used, if it tells.
    pub(super) fn report(&self) -> Option<UsageReport> {
        counts::report(self.usage?.get())
    }

    /// Its items, each as an object.
    pub(super) fn items(&self) -> Option<Vec<Object<'_>>> {
        serde_json::from_str(self.output?.get()).ok()
    }
}

/// Who answers.
pub(super) struct Head {
    id: String,
    model: String,
    created: i64,
}

impl Head {
    /// For an answer that doesn't say.
    pub(super) fn unnamed(context: &Context) -> Head {
        Head {
            id: format!("chatcmpl-{:x}", context.created),
            model: context.model.upstream.to_string(),
            created: context.created,
        }
    }

    /// Begins the caller's answer.
    pub(super) fn begin(&self, sink: &mut impl Sink) {
        sink.begin(&self.id, self.created, &self.model);
        sink.open(0);
    }
}
