//! `docs/fields.md`: what each face does with each field that an OpenAI caller may send.
//!
//! Nothing in it is said a second time: each field is put into a request, and what then
//! goes upstream is compared with the request without it, on every model of the face.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

#[path = "fields/outcome.rs"]
mod outcome;
#[path = "fields/probes.rs"]
mod probes;

use std::fmt::Write;
use std::sync::Arc;

use outcome::{Outcome, told};
use probes::{Probe, probes};
use serde_json::{Value, json};
use tributary::front::ChatRequest;
use tributary::platforms::{Catalogue, Exchange, Face, Kind, Model, Platform};

const HEAD: &str = "\
# Fields

What becomes of each field that an OpenAI caller may send, on each face of each built-in
platform. Written by a test, which sends every field and compares what goes upstream with and
without it. A row says what the face's first model does, then where other models differ.

- *passed*: it goes upstream under its name; *as `x`*: with the same value under another one
- `x`: `value`: this is written instead
- *left out*: it changes nothing upstream. Such fields only tune an answer, or are said anyway
- *refused*: status 400, with the field as `param`. Another face or platform of the alias may
  still take the request

Values are told apart where they end differently: `2` → … is what becomes of a `2`.
";

/// What goes upstream, or what the caller is told.
fn sent(
    platform: &Arc<Platform>,
    face: &Arc<Face>,
    model: &Arc<Model>,
    body: &Value,
) -> Result<Value, String> {
    let ask = ChatRequest::parse(body.to_string().into()).unwrap();
    let (_, request) = Exchange::begin(platform, face, model, &ask, 1_790_000_000)
        .map_err(|refusal| refusal.message.replace(&model.name, "…"))?;
    Ok(serde_json::from_slice(&request.body).unwrap())
}

fn row(platform: &Arc<Platform>, face: &Arc<Face>, model: &Arc<Model>, probe: &Probe) -> String {
    let mut body = json!({"model": model.name, "messages": [{"role": "user", "content": "?"}]});
    let beside = probe.beside.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(beside);
    let without = sent(platform, face, model, &body);
    let outcomes = probe.values.iter().map(|value| {
        let mut body = body.clone();
        body[probe.field] = value.clone();
        let outcome = match (&without, sent(platform, face, model, &body)) {
            (_, Err(why)) => Outcome::Refused(why),
            // What stands beside the field is refused already, and it saves nothing.
            (Err(why), Ok(_)) => Outcome::Refused(why.clone()),
            (Ok(without), Ok(with)) => {
                Outcome::of(without, &with, probe.field, value, model.max_output)
            }
        };
        (value, outcome)
    });
    told(&outcomes.collect::<Vec<_>>())
}

/// One row's words, the models that differ at its end.
fn rows(platform: &Arc<Platform>, face: &Arc<Face>, models: &[&Arc<Model>], text: &mut String) {
    for probe in probes() {
        let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
        for model in models {
            let row = row(platform, face, model, &probe);
            match groups.iter_mut().find(|(said, _)| *said == row) {
                Some((_, names)) => names.push(&model.name),
                None => groups.push((row, vec![&model.name])),
            }
        }
        let mut said = groups.into_iter();
        let (mut cell, _) = said.next().unwrap();
        for (row, names) in said {
            write!(cell, "<br>{}: {row}", names.join(", ")).unwrap();
        }
        writeln!(text, "| {} | {} |", probe.name, cell.replace('|', "\\|")).unwrap();
    }
}

fn written() -> String {
    let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
    let mut text = HEAD.to_owned();
    for platform in catalogue.platforms() {
        for own in &platform.faces {
            for (face, login) in [(own, ""), (Face::of(own, Kind::Oauth), ", people's logins")] {
                if !login.is_empty() && Arc::ptr_eq(face, own) {
                    continue;
                }
                let reached = |model: &&Arc<Model>| model.reach(face.dialect).is_some();
                let mut models: Vec<_> = platform.models.iter().filter(reached).collect();
                models.sort_by_key(|model| Some(&model.name) != platform.default_model.as_ref());
                let first = &models.first().expect("a face has a model").name;
                let (name, dialect) = (&platform.id, face.dialect.as_str());
                write!(text, "\n## {name} by `{dialect}`{login}\n\n").unwrap();
                write!(text, "| field | {first} |\n| --- | --- |\n").unwrap();
                rows(platform, face, &models, &mut text);
            }
        }
    }
    text
}

#[test]
fn the_table_is_what_the_faces_do() {
    let file = include_str!("../docs/fields.md");
    let written = written();
    assert!(file == written, "docs/fields.md should be:\n{written}");
}
