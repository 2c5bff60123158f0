//! `GET /api/v1/oauth/platforms`: where accounts may live, and what binds one.

use std::sync::Arc;

use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::answer::typed;
use super::ask::refused;
use super::page::Page;
use super::{ApiError, App, Response};
use crate::accounts::{Tokens, WindowSpec};
use crate::platforms::{CredentialSpec, Face, Model, Platform};
use crate::relay::Caller;

/// A platform.
#[derive(Serialize, JsonSchema)]
pub struct PlatformView {
    id: String,
    name: String,
    /// How an account is bound.
    methods: Vec<MethodView>,
    /// The model of requests that name none.
    default_model: Option<String>,
    models: Vec<ModelView>,
    /// The token limits of an account that has none of its own.
    windows: Vec<FreeWindow>,
}

/// A way to bind an account: by a key of one kind, for one wire format.
#[derive(Serialize, JsonSchema)]
pub struct MethodView {
    /// `key`: `POST /api/v1/oauth/accounts`.
    method: &'static str,
    dialect: &'static str,
    /// The `scheme` that `credentials` may name; null for the usual one.
    scheme: Option<String>,
    /// What `credentials` must hold.
    fields: Vec<String>,
    /// What it may hold beside.
    optional: Vec<String>,
    /// What the key is.
    help: String,
    /// Where a person gets it.
    get: String,
}

/// A model.
#[derive(Serialize, JsonSchema)]
pub struct ModelView {
    id: String,
    context_length: Option<u64>,
    max_output_tokens: Option<u64>,
}

/// A window as the catalogue has it.
#[derive(Serialize, JsonSchema)]
pub struct FreeWindow {
    period: String,
    zone: Option<String>,
    #[schemars(with = "Option<u64>")]
    limit: Option<Tokens>,
}

/// The platforms that the caller's token is for.
pub fn list_platforms(app: &App, caller: &Caller) -> Response {
    let all = app.gateway.parts.catalogue.platforms();
    let own = all.filter(|platform| caller.may_reach(&platform.id));
    typed(StatusCode::OK, &Page::whole(own.map(|platform| PlatformView::of(platform)).collect()))
}

/// A platform that there is for the caller.
pub(super) fn known<'a>(
    app: &'a App,
    caller: &Caller,
    id: &str,
) -> Result<&'a Arc<Platform>, ApiError> {
    let known = app.gateway.parts.catalogue.platform(id);
    known.filter(|known| caller.may_reach(&known.id)).ok_or_else(|| {
        let said = "There is no such platform. GET /api/v1/oauth/platforms lists them.";
        refused("unknown_platform", "platform", said)
    })
}

impl PlatformView {
    fn of(platform: &Platform) -> Self {
        let methods = platform
            .faces
            .iter()
            .flat_map(|face| face.credential.rows().map(move |row| MethodView::of(face, row)));
        Self {
            id: platform.id.clone(),
            name: platform.name.clone(),
            methods: methods.collect(),
            default_model: platform.default_model.clone(),
            models: platform.models.iter().map(|model| ModelView::of(model)).collect(),
            windows: platform.windows.iter().map(FreeWindow::of).collect(),
        }
    }
}

impl MethodView {
    fn of(face: &Face, row: &CredentialSpec) -> Self {
        Self {
            method: "key",
            dialect: face.dialect.as_str(),
            scheme: Some(row.name.clone()).filter(|name| !name.is_empty()),
            fields: row.fields().iter().map(ToString::to_string).collect(),
            optional: row.optional.keys().cloned().collect(),
            help: row.help.clone(),
            get: row.get.clone(),
        }
    }
}

impl ModelView {
    fn of(model: &Model) -> Self {
        Self {
            id: model.name.clone(),
            context_length: model.context,
            max_output_tokens: model.max_output,
        }
    }
}

impl FreeWindow {
    fn of(spec: &WindowSpec) -> Self {
        Self {
            period: spec.period.to_string(),
            zone: spec.period.zone().map(str::to_owned),
            limit: spec.limit,
        }
    }
}
