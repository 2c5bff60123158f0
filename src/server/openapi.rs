//! `GET /openapi.json`: the callers' surface, from the route table and the types of what is
//! asked and answered.
//!
//! A handler without its row in [`described`] does not compile. OpenAPI 3.1's schemas are
//! JSON Schema 2020-12, which is what the types say of themselves.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::routes::{CallerHandler, Handler, OpenHandler, ROUTES, Role, Route};
use crate::api::schema::{
    AccountView, AuditView, AuthorizeAsk, BindAsk, ChangeAsk, CheckView, Me, NoticeView, Page,
    PlatformView, PointsView, RecordView, UsageView,
};

/// What a route's row in the document says, beside its path and its role.
pub(super) struct Described {
    /// What it does, in a line.
    pub(super) does: &'static str,
    /// Its query.
    query: &'static [Param],
    /// What its body must be.
    body: Option<Value>,
    /// How it answers: a status, and a schema by media type.
    answer: (u16, Option<Value>),
    /// Other media types of the same answer.
    also: &'static [&'static str],
    /// Refusals beside those that its role and its path bring.
    refuses: &'static [u16],
}

#[cfg(test)]
impl Described {
    /// The names of its query's parameters.
    pub(super) fn query_names(&self) -> String {
        let names: Vec<&str> = self.query.iter().map(|(name, ..)| *name).collect();
        names.join("&")
    }
}

type Param = (&'static str, &'static str, fn() -> Value);

fn text() -> Value {
    json!({"type": "string"})
}

fn date() -> Value {
    json!({"type": "string", "format": "date"})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50})
}

fn form() -> Value {
    json!({"type": "string", "enum": ["json", "csv"], "default": "json"})
}

fn truth() -> Value {
    json!({"type": "boolean", "default": false})
}

fn by() -> Value {
    let words = "(day|token|account|platform|model)";
    json!({"type": "string", "pattern": format!("^{words}(,{words})*$"),
        "default": "day,platform,model"})
}

const PAGE: &[Param] =
    &[("before", "The `next` of the page before", text), ("limit", "How many rows at most", count)];
const UNREAD_PAGE: &[Param] =
    &[PAGE[0], PAGE[1], ("unread", "Those alone that the caller has not read", truth)];
const PLATFORM: &[Param] = &[("platform", "On this platform alone", text)];
const REPORT: &[Param] = &[
    ("from", "The first day, in UTC; 30 days before the last", date),
    ("to", "The last day; today", date),
    ("by", "What rows are told apart by, with commas", by),
    ("format", "As what", form),
];
const EVENTS: &[&str] = &["text/event-stream"];
const SHEET: &[&str] = &["text/csv"];
/// What a call of a model may come to, beside its caller's own mistakes.
const OF_CALLS: &[u16] = &[400, 404, 413, 429, 500, 502, 503, 504];

/// A handler's row.
pub(super) fn described(handler: Handler, types: &mut SchemaGenerator) -> Option<Described> {
    let row = |does, status, answer| Described {
        does,
        query: &[],
        body: None,
        answer: (status, answer),
        also: &[],
        refuses: &[],
    };
    let handler = match handler {
        Handler::Caller(_, handler) => handler,
        Handler::Open(OpenHandler::OpenApi) => {
            let document = json!({"type": "object"});
            return Some(row("This surface, machine-readable", 200, Some(document)));
        }
        Handler::Operator(_) => return None,
    };
    use CallerHandler as To;
    let mut of = Types(types);
    Some(match handler {
        To::ChatCompletions => Described {
            body: Some(chat(&["model", "messages"])),
            also: EVENTS,
            refuses: OF_CALLS,
            ..row("OpenAI's chat completions, whole or streamed", 200, Some(completion()))
        },
        To::OauthChatCompletions => Described {
            body: Some(chat(&["messages"])),
            also: EVENTS,
            refuses: OF_CALLS,
            ..row(
                "The same on one account (`account_id`); `model` may be left out",
                200,
                Some(completion()),
            )
        },
        To::ListModels => row("What the caller can name, accounts included", 200, Some(models())),
        To::ShowModel => Described {
            refuses: &[404],
            ..row("One model by any name that a call could use", 200, Some(model()))
        },
        To::ShowMe => row("The token: its limits, what it used, its resets", 200, of.one::<Me>()),
        To::ShowUsage => Described {
            query: REPORT,
            also: SHEET,
            refuses: &[400],
            ..row("What the caller's calls add up to", 200, of.one::<UsageView>())
        },
        To::ShowPoints => Described {
            query: PAGE,
            refuses: &[400],
            ..row("The caller's balance of points, and its ledger", 200, of.one::<PointsView>())
        },
        To::ShowNotices => Described {
            query: UNREAD_PAGE,
            refuses: &[400],
            ..row(
                "What the caller should know of its accounts, newest first",
                200,
                of.one::<Page<NoticeView>>(),
            )
        },
        To::ReadNotice => {
            Described { refuses: &[404], ..row("Marks a notice as read by the caller", 204, None) }
        }
        To::ShowAudit => Described {
            query: PAGE,
            refuses: &[400],
            ..row(
                "Who did what to the caller's things, newest first",
                200,
                of.one::<Page<AuditView>>(),
            )
        },
        To::ListPlatforms => {
            row("Platforms, and what binds an account on them", 200, of.one::<Page<PlatformView>>())
        }
        To::ListAccounts => Described {
            query: PLATFORM,
            refuses: &[400],
            ..row("The caller's accounts", 200, of.one::<Page<AccountView>>())
        },
        To::BindAccount => Described {
            body: of.one::<BindAsk<'static>>(),
            refuses: &[400, 404, 409, 413, 500],
            ..row("Binds an account by a documented key", 201, of.one::<AccountView>())
        },
        To::AuthorizeAccount => Described {
            body: of.one::<AuthorizeAsk>(),
            ..row("Binds an account by a login: no platform offers one here", 400, refusal())
        },
        To::ShowAccount => row("One account", 200, of.one::<AccountView>()),
        To::ChangeAccount => Described {
            body: of.one::<ChangeAsk>(),
            refuses: &[400, 409, 413],
            ..row("Renames, enables, disables, limits an account", 200, of.one::<AccountView>())
        },
        To::DeleteAccount => row("Deletes an account with all its records", 204, None),
        To::CheckAccount => Described {
            ..row("Tries its credential where that is free", 200, of.one::<CheckView>())
        },
        To::AccountUsage => Described {
            query: PAGE,
            refuses: &[400],
            ..row(
                "The caller's calls on an account, newest first",
                200,
                of.one::<Page<RecordView>>(),
            )
        },
        To::ReauthorizeAccount => {
            row("Binds the same account anew by a login: none is offered here", 400, refusal())
        }
        To::ShowSession => row("A login's state: there is none", 404, refusal()),
        To::EndSession => row("Gives a login up: there is none", 404, refusal()),
    })
}

/// The schemas of types, each written once and named.
struct Types<'g>(&'g mut SchemaGenerator);

impl Types<'_> {
    fn one<T: JsonSchema>(&mut self) -> Option<Value> {
        Some(self.0.subschema_for::<T>().into())
    }
}

fn refusal() -> Option<Value> {
    Some(json!({"$ref": "#/components/schemas/Error"}))
}

fn chat(required: &[&str]) -> Value {
    json!({
        "type": "object",
        "required": required,
        "properties": {
            "model": {"type": "string"},
            "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            "stream": {"type": "boolean"},
            "account_id": {"type": "integer", "description": "This account or none; the header `X-Account-Id` says the same"},
        },
    })
}

fn completion() -> Value {
    json!({
        "type": "object",
        "required": ["id", "object", "created", "model", "choices"],
        "properties": {"object": {"const": "chat.completion"}, "choices": {"type": "array"}},
    })
}

fn model() -> Value {
    json!({
        "type": "object",
        "required": ["id", "object", "created", "owned_by"],
        "properties": {
            "id": {"type": "string"},
            "object": {"const": "model"},
            "created": {"type": "integer"},
            "owned_by": {"type": "string", "description": "A platform, or `OAuth accounts`"},
            "name": {"type": "string", "description": "For display, of an account's models"},
            "context_length": {"type": "integer"},
            "max_output_tokens": {"type": "integer"},
        },
    })
}

fn models() -> Value {
    json!({
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": model()}},
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }},
    })
}

/// The document, as text.
pub(super) fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| written().to_string());
    &DOCUMENT
}

/// A generator whose named schemas lie where OpenAPI has them.
pub(super) fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12();
    settings.with(|settings| settings.definitions_path = "/components/schemas".into()).into()
}

fn written() -> Value {
    let mut types = generator();
    let mut paths = Map::new();
    for route in ROUTES {
        let Some(row) = described(route.handler, &mut types) else { continue };
        let path = route.path.replace("{*", "{");
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[route.method.as_str().to_lowercase()] = operation(route, &row);
    }
    let mut schemas = types.take_definitions(true);
    schemas.insert("Error".into(), error());
    let bearer = json!({"type": "http", "scheme": "bearer", "description": "A gateway token"});
    let header = json!({"type": "apiKey", "in": "header", "name": "x-api-key"});
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tributary",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "One OpenAI endpoint over the AI accounts that you already have.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": bearer, "key": header},
        },
    })
}

fn operation(route: &Route, row: &Described) -> Value {
    let name = format!("{:?}", route.handler);
    let name = name.trim_end_matches(')').rsplit(['(', ' ']).next().unwrap_or_default().to_owned();
    let mut operation = json!({
        "operationId": name,
        "summary": row.does,
        "responses": responses(route, row),
    });
    let parameters = parameters(route, row);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(schema) = &row.body {
        let content = json!({"application/json": {"schema": schema}});
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    if route.role() != Role::Anyone {
        operation["security"] = json!([{"token": []}, {"key": []}]);
    }
    if let Role::Scoped(scope) = route.role() {
        operation["x-scope"] = json!(scope);
    }
    operation
}

fn parameters(route: &Route, row: &Described) -> Vec<Value> {
    let name = route.path.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    let in_path = name.map(|(name, _)| {
        let is_account = route.path.contains("/accounts/");
        let schema = match is_account {
            true => json!({"type": "integer", "format": "int64", "minimum": 1}),
            false => text(),
        };
        json!({"name": name.trim_start_matches('*'), "in": "path", "required": true,
            "schema": schema})
    });
    let query = row.query.iter().map(|(name, about, schema)| {
        json!({"name": name, "in": "query", "description": about, "schema": schema()})
    });
    in_path.into_iter().chain(query).collect()
}

fn responses(route: &Route, row: &Described) -> Map<String, Value> {
    let mut statuses = row.refuses.to_vec();
    if route.role() != Role::Anyone {
        statuses.extend([401, 503]);
    }
    if let Role::Scoped(_) = route.role() {
        statuses.push(403);
    }
    if route.path.contains("{id}") {
        statuses.push(404);
    }
    // A header with an underscore in its name, a body that does not come.
    if route.path.starts_with("/api/") {
        statuses.push(400);
    }
    if row.body.is_some() {
        statuses.extend([400, 408, 413]);
    }
    let (status, schema) = &row.answer;
    statuses.retain(|refused| refused != status);
    statuses.sort_unstable();
    statuses.dedup();
    let mut responses = Map::new();
    let mut answer = json!({"description": if *status < 300 { "Done" } else { "Refused" }});
    if let Some(schema) = schema {
        answer["content"] = json!({"application/json": {"schema": schema}});
        for kind in row.also {
            answer["content"][*kind] = json!({"schema": text()});
        }
    }
    responses.insert(status.to_string(), answer);
    for status in statuses {
        let content = json!({"application/json": {"schema": refusal()}});
        responses.insert(status.to_string(), json!({"description": "Refused", "content": content}));
    }
    responses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_of_callers_is_in_the_document_and_every_name_is_found() {
        let document = written();
        let mut names = Vec::new();
        for route in ROUTES {
            let path = route.path.replace("{*", "{");
            let method = route.method.as_str().to_lowercase();
            let operation = &document["paths"][path][method];
            assert_eq!(operation.is_object(), route.role() != Role::Operator, "{}", route.path);
            names.extend(operation["operationId"].as_str().map(str::to_owned));
        }
        let before = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), before);
        let text = document.to_string();
        let mut references = 0;
        for (at, begin) in text.match_indices("\"#/") {
            let pointer = &text[at + begin.len() - 1..];
            let pointer = &pointer[..pointer.find('"').unwrap()];
            assert!(document.pointer(pointer).is_some(), "{pointer}");
            references += 1;
        }
        assert!(references > 50);
    }

    #[test]
    fn an_account_has_the_fields_that_it_is_known_by() {
        let document = written();
        let account = &document["components"]["schemas"]["AccountView"]["properties"];
        for field in ["id", "account_name", "status", "quota_used", "quota_total", "expires_at"] {
            assert!(account[field].is_object(), "{field} in {account}");
        }
    }
}
