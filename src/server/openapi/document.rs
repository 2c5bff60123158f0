//! The document, written from the route table and what is said of its rows.

use std::sync::LazyLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::super::routes::{ROUTES, Role, Route};
use super::{Described, described, integer, refusal, text};

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
pub(in super::super) fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| written().to_string());
    &DOCUMENT
}

/// A generator whose named schemas lie where OpenAPI has them.
pub(in super::super) fn generator() -> SchemaGenerator {
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
    let session = json!({"type": "apiKey", "in": "cookie", "name": "__Host-tb_sid",
        "description": "A console session"});
    let csrf = json!({"type": "apiKey", "in": "header", "name": "x-csrf-token",
        "description": "With every call of a session that is no GET"});
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
            "securitySchemes":
                {"token": bearer, "key": header, "session": session, "csrf": csrf},
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
    operation["security"] = match route.role() {
        Role::Anyone => json!([]),
        Role::Session | Role::Admin => json!([{"session": [], "csrf": []}]),
        _ if route.takes_sessions() => {
            json!([{"token": []}, {"key": []}, {"session": [], "csrf": []}])
        }
        _ => json!([{"token": []}, {"key": []}]),
    };
    if let Role::Scoped(scope) = route.role() {
        operation["x-scope"] = json!(scope);
    }
    operation
}

fn parameters(route: &Route, row: &Described) -> Vec<Value> {
    let names = route.path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    let in_path = names.map(|(name, _)| {
        let mut kinds = ["/accounts/", "/tokens/", "/pools/"].iter();
        let is_number = name == "id" && kinds.any(|part| route.path.contains(part));
        let schema = if is_number { integer() } else { text() };
        json!({"name": name.trim_start_matches('*'), "in": "path", "required": true,
            "schema": schema})
    });
    let query = row.query.iter().map(|(name, about, schema)| {
        json!({"name": name, "in": "query", "description": about, "schema": schema()})
    });
    in_path.chain(query).collect()
}

fn responses(route: &Route, row: &Described) -> Map<String, Value> {
    let mut statuses = row.refuses.to_vec();
    if route.role() != Role::Anyone {
        statuses.extend([401, 503]);
    }
    let has_sessions = route.takes_sessions() && route.method != http::Method::GET;
    if has_sessions || matches!(route.role(), Role::Scoped(_) | Role::Admin) {
        statuses.push(403);
    }
    if has_sessions {
        statuses.push(415);
    }
    let names = ["{id}", "{user_id}", "{session}"];
    if names.iter().any(|name| route.path.contains(name)) {
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
    let mut answer = json!({"description": if *status < 400 { "Done" } else { "Refused" }});
    if let Some(schema) = schema {
        answer["content"] = json!({row.kind: {"schema": schema}});
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
