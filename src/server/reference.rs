//! `docs/api.md` is what the route table says, between words that a person wrote.

use std::fmt::Write;

use super::openapi::{described, generator};
use super::routes::{ROUTES, Role};

const BEGIN: &str = "<!-- calls: written by a test from the route table -->\n";
const END: &str = "<!-- end of calls -->\n";

fn calls() -> String {
    let mut text = String::from("| call | scope of the token | does |\n| --- | --- | --- |\n");
    for route in ROUTES {
        let Some(row) = described(route.handler, &mut generator()) else { continue };
        let scope = match route.role() {
            Role::Anyone => "none: no token is needed".to_owned(),
            Role::Token => "any".to_owned(),
            Role::Scoped(scope) => serde_json::to_string(&scope).unwrap().replace('"', "`"),
            Role::Session => "a console session".to_owned(),
            Role::Admin => "an operator's console session".to_owned(),
            Role::Operator => continue,
        };
        let query = row.query_names();
        let query = if query.is_empty() { query } else { format!("?{query}") };
        let (method, path, does) = (&route.method, route.path, row.does);
        writeln!(text, "| `{method} {path}{query}` | {scope} | {does} |").unwrap();
    }
    text
}

#[test]
fn the_reference_has_the_calls_that_there_are() {
    let file = include_str!("../../docs/api.md");
    let (_, rest) = file.split_once(BEGIN).unwrap();
    let (written, _) = rest.split_once(END).unwrap();
    assert!(written == calls(), "between the marks of docs/api.md should be:\n{}", calls());
}
