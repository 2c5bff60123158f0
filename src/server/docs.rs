//! `GET /docs`: `/openapi.json` for people, written on the server: no script, nothing from
//! elsewhere, one stylesheet.

use std::fmt::Write;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::openapi;

/// The page's stylesheet.
pub(super) const STYLE: &str = include_str!("docs.css");

const ERRORS: &str = include_str!("../../docs/errors.md");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The page.
pub(super) fn page() -> &'static str {
    static PAGE: LazyLock<String> = LazyLock::new(|| {
        let document = serde_json::from_str(openapi::document()).unwrap_or_default();
        let mut html = String::new();
        write(&mut html, &document).expect("a text takes all");
        html
    });
    &PAGE
}

fn write(html: &mut String, document: &Value) -> std::fmt::Result {
    let info = &document["info"];
    write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title}: calls</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n\
         </head>\n<body>\n<header>\n<h1>{title} {version}</h1>\n<p>{about}</p>\n\
         <p>Callers send <code>Authorization: Bearer TOKEN</code>, or <code>x-api-key</code>. \
         <a href=\"/openapi.json\">The same for machines</a>.</p>\n</header>\n",
        title = escaped(&info["title"]),
        version = escaped(&info["version"]),
        about = escaped(&info["description"]),
    )?;
    let calls: Vec<Call> =
        document["paths"].as_object().into_iter().flatten().flat_map(calls).collect();
    html.push_str("<nav>\n<ul>\n");
    for call in &calls {
        writeln!(html, "<li><a href=\"#{}\"><code>{}</code></a></li>", call.anchor(), call.line())?;
    }
    html.push_str("</ul>\n</nav>\n<main>\n");
    for call in &calls {
        call.write(html)?;
    }
    html.push_str("<h2 id=\"fields\">Fields</h2>\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let shown = escape(name);
        writeln!(html, "<section id=\"schema-{shown}\">\n<h3>{shown}</h3>")?;
        about(html, schema)?;
        fields(html, schema)?;
        html.push_str("</section>\n");
    }
    errors(html)?;
    html.push_str("</main>\n</body>\n</html>\n");
    Ok(())
}

/// A path's method.
struct Call<'d> {
    path: &'d str,
    method: &'static str,
    operation: &'d Value,
}

fn calls<'d>((path, item): (&'d String, &'d Value)) -> impl Iterator<Item = Call<'d>> {
    METHODS
        .into_iter()
        .filter_map(move |method| Some(Call { path, method, operation: item.get(method)? }))
}

impl Call<'_> {
    fn anchor(&self) -> String {
        escaped(&self.operation["operationId"])
    }

    fn line(&self) -> String {
        format!("{} {}", self.method.to_uppercase(), escape(self.path))
    }

    fn write(&self, html: &mut String) -> std::fmt::Result {
        let operation = self.operation;
        writeln!(
            html,
            "<section id=\"{}\">\n<h2><code>{}</code></h2>",
            self.anchor(),
            self.line()
        )?;
        writeln!(html, "<p>{}.</p>", escaped(&operation["summary"]))?;
        let token = match (&operation["security"], &operation["x-scope"]) {
            (Value::Null, _) => "No token is needed.".to_owned(),
            (_, Value::String(scope)) => format!("Scope: <code>{}</code>.", escape(scope)),
            _ => "Any token.".to_owned(),
        };
        writeln!(html, "<p>{token}</p>")?;
        if let Some(parameters) = operation["parameters"].as_array() {
            html.push_str("<h3>Parameters</h3>\n<table>\n");
            for parameter in parameters {
                row(
                    html,
                    &escaped(&parameter["name"]),
                    &format!(
                        "{}, in the {}",
                        kind(&parameter["schema"]),
                        escaped(&parameter["in"])
                    ),
                    &escaped(&parameter["description"]),
                )?;
            }
            html.push_str("</table>\n");
        }
        for (media, content) in
            operation["requestBody"]["content"].as_object().into_iter().flatten()
        {
            writeln!(
                html,
                "<h3>Body</h3>\n<p><code>{}</code>: {}</p>",
                escape(media),
                kind(&content["schema"])
            )?;
            fields(html, &content["schema"])?;
        }
        html.push_str("<h3>Answers</h3>\n<table>\n");
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            let of_media = |(media, content): (&String, &Value)| {
                format!("<code>{}</code>: {}", escape(media), kind(&content["schema"]))
            };
            let content = answer["content"].as_object().into_iter().flatten();
            let content: Vec<String> = content.map(of_media).collect();
            row(html, &escape(status), &content.join("<br>"), &escaped(&answer["description"]))?;
        }
        html.push_str("</table>\n</section>\n");
        Ok(())
    }
}

fn row(html: &mut String, name: &str, kind: &str, about: &str) -> std::fmt::Result {
    writeln!(
        html,
        "<tr><th scope=\"row\"><code>{name}</code></th><td>{kind}</td><td>{about}</td></tr>"
    )
}

fn about(html: &mut String, schema: &Value) -> std::fmt::Result {
    match schema["description"].as_str() {
        Some(text) => writeln!(html, "<p>{}</p>", escape(text)),
        None => Ok(()),
    }
}

/// The fields of an object, each with its type and what it is for.
fn fields(html: &mut String, schema: &Value) -> std::fmt::Result {
    let Some(fields) = schema["properties"].as_object() else { return Ok(()) };
    let needed = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    html.push_str("<table>\n");
    for (name, field) in fields {
        let kind = kind(field);
        let kind = if needed(name) { kind } else { format!("{kind}, may be missing") };
        row(html, &escape(name), &kind, &escaped(&field["description"]))?;
    }
    html.push_str("</table>\n");
    Ok(())
}

/// A schema's type in words.
fn kind(schema: &Value) -> String {
    let Some(schema) = schema.as_object() else { return "anything".to_owned() };
    if let Some(name) =
        schema.get("$ref").and_then(Value::as_str).and_then(|at| at.rsplit('/').next())
    {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        if let Some(all) = schema.get(word).and_then(Value::as_array) {
            return all.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escape(&value.to_string()));
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    let types = types.into_iter().map(|one| match one {
        "array" => {
            format!("list of {}", schema.get("items").map_or_else(|| "anything".into(), kind))
        }
        one => escape(one),
    });
    let mut words = types.collect::<Vec<_>>().join(" or ");
    for detail in details(schema) {
        words.push_str(", ");
        words.push_str(&detail);
    }
    words
}

/// What a value of a type must be, beside that.
fn details(schema: &Map<String, Value>) -> Vec<String> {
    let named = [
        ("format", ""),
        ("minimum", "at least "),
        ("maximum", "at most "),
        ("pattern", "as "),
        ("default", "else "),
    ];
    let mut details: Vec<String> = named
        .into_iter()
        .filter_map(|(name, before)| {
            Some(format!("{before}<code>{}</code>", escaped(schema.get(name)?)))
        })
        .collect();
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values = values.iter().map(|value| format!("<code>{}</code>", escaped(value)));
        details.push(values.collect::<Vec<_>>().join(" or "));
    }
    details
}

/// The reference of errors: its table.
fn errors(html: &mut String) -> std::fmt::Result {
    html.push_str("<section id=\"errors\">\n<h2>Errors</h2>\n<table>\n");
    for line in ERRORS.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")) {
        html.push_str("<tr>");
        for cell in line.trim_matches(['|', ' ']).split(" | ") {
            write!(html, "<td>{}</td>", with_code(cell.trim_matches(['|', ' '])))?;
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table>\n</section>\n");
    Ok(())
}

/// Text whose code stands between backquotes.
fn with_code(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| match number % 2 {
        0 => escape(part),
        _ => format!("<code>{}</code>", escape(part)),
    });
    parts.collect()
}

/// A value as it is shown.
fn escaped(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => escape(text),
        other => escape(&other.to_string()),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::routes::{ROUTES, Role};
    use super::*;

    #[test]
    fn every_call_of_the_table_stands_there_with_what_it_takes_and_answers() {
        let page = page();
        for route in ROUTES.iter().filter(|route| route.role() != Role::Operator) {
            let line = format!("{} {}", route.method, route.path.replace("{*", "{"));
            assert!(page.contains(&format!("<h2><code>{line}</code></h2>")), "{line}");
            assert_eq!(page.matches(&format!("<code>{line}</code>")).count(), 2, "{line}");
        }
        for shown in [
            "<th scope=\"row\"><code>platform</code></th><td>string, in the query</td>",
            "href=\"#schema-BindAsk\"",
            "<th scope=\"row\"><code>requests_per_minute</code></th>",
            "Scope: <code>accounts:write</code>.",
            "<td><code>account_not_found</code></td>",
            "<code>text/event-stream</code>",
        ] {
            assert!(page.contains(shown), "{shown}");
        }
    }

    #[test]
    fn the_page_leads_nowhere_else_and_every_link_of_it_is_found() {
        let page = page();
        for forbidden in ["<script", "<style", " style=", " on", "src=", "javascript:", "@import"] {
            let is_there = match forbidden {
                // As an attribute.
                " on" => page.split('<').any(|tag| tag.split('>').next().unwrap().contains(" on")),
                forbidden => page.contains(forbidden),
            };
            assert!(!is_there, "{forbidden}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        let mut links = 0;
        for (at, begin) in page.match_indices("href=\"") {
            let link = &page[at + begin.len()..];
            let link = &link[..link.find('"').unwrap()];
            match link.strip_prefix('#') {
                Some(id) => assert!(page.contains(&format!("id=\"{id}\"")), "{id}"),
                None => assert!(["/openapi.json", "/docs/style.css"].contains(&link), "{link}"),
            }
            links += 1;
        }
        assert!(links > 60, "{links}");
    }

    #[test]
    fn what_could_be_markup_is_text() {
        assert_eq!(escape("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
        assert_eq!(with_code("a `<b>` c"), "a <code>&lt;b&gt;</code> c");
    }
}
