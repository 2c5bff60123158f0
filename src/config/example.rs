//! `gateway.toml` at the repository's root is written from the types: every key with its
//! default, under the line that its room says of it.

use std::fmt::Write;

use serde_json::Value as Json;

use super::{Config, Environment, Settings};

const HEAD: &str = "\
# Tributary's configuration. It runs as it stands: every key is here with its default.
# Environment variables override it: TRIBUTARY_STORE__URL is [store] url. Secrets come
# from the environment alone: TRIBUTARY_MASTER_KEYS, or TRIBUTARY_MASTER_KEYS_FILE. The
# former may be `command:PROGRAM ARGUMENT…`, whose standard output is the key ring.
# Relative paths are relative to this file. `tributary check-config` tells mistakes.
";

const PLATFORMS: &str = r#"[platforms.deepseek]
dialect = "openai_chat"
base_url = "https://api.deepseek.com/v1"
models = [{ name = "deepseek-chat", context = 128000, max_output = 8192 }]
windows = [{ period = "day", limit = 1000000, zone = "Asia/Shanghai" }]
# Headers of its answers that tell of limits: of a window's with a period, else of a rate.
limits = [{ period = "5h", limit = "x-limit", remaining = "x-left", reset = "x-reset" }]
"#;

const ALIASES: &str = r#"smart = ["qwen/qwen-max", "glm/glm-4.6", "openai/gpt-4.1"]
"#;

/// The file as the types would have it.
fn written() -> String {
    let schema = Settings::schema();
    let defaults = toml::Table::try_from(Settings::default()).unwrap();
    let mut text = HEAD.to_owned();
    for (section, about) in properties(&schema, &schema) {
        let said = comment(about["description"].as_str().unwrap());
        write!(text, "\n{said}").unwrap();
        for (open, example) in [("platforms", PLATFORMS), ("aliases", ALIASES)] {
            if section == open {
                write!(text, "# For example:\n#\n{}", comment(example)).unwrap();
            }
        }
        writeln!(text, "[{section}]").unwrap();
        for (key, about) in properties(&schema, about) {
            let default = defaults[section].get(key);
            let line = match default {
                Some(default) => format!("{key} = {default}"),
                None => format!("# {key} ="),
            };
            writeln!(text, "{}{line}", comment(about["description"].as_str().unwrap())).unwrap();
        }
    }
    text
}

/// A schema's properties, through its reference.
fn properties<'s>(root: &'s Json, schema: &'s Json) -> impl Iterator<Item = (&'s str, &'s Json)> {
    let target = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let known = target["properties"].as_object();
    known.into_iter().flatten().map(|(key, about)| (key.as_str(), about))
}

fn comment(text: &str) -> String {
    text.lines().map(|line| format!("# {line}\n")).collect()
}

#[test]
fn the_file_at_the_root_is_what_the_types_say() {
    let file = include_str!("../../gateway.toml");
    assert!(file == written(), "gateway.toml should be:\n{}", written());
}

#[test]
fn the_file_at_the_root_sets_every_default() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = Config::load(Some(&root.join("gateway.toml")), &Environment::default()).unwrap();
    let mut settings = config.settings;
    // The one default that is a path: relative to the file.
    let url = settings.store.url.replace(&format!("{}/", root.display()), "");
    settings.store.url = url;
    assert!(settings == Settings::default());
}

#[test]
fn the_files_examples_are_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, format!("{PLATFORMS}[aliases]\n{ALIASES}")).unwrap();
    Config::load(Some(&file), &Environment::default()).unwrap();
}
