//! Inputs to begin with: what the fixtures' platforms send, and what once broke a law.

use std::fs;
use std::path::{Path, PathBuf};

/// An input and its name.
pub type Seed = (String, Vec<u8>);

/// What is kept for this target.
pub fn kept(target: &str) -> Vec<Seed> {
    let folder = root().join("fuzz/corpus").join(target);
    files(&folder).into_iter().map(read).collect()
}

/// What the platforms of the fixtures send in this target's dialect; all of it for `sse`.
pub fn fixtures(target: &str) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for platform in files(&root().join("tests/fixtures")) {
        for case in files(&platform) {
            let dialect = dialect(name(&platform), name(&case));
            let sent = ["platform_stream.sse", "platform_frames.jsonl", "platform_response.json"];
            let files = sent.map(|file| case.join(file)).into_iter().filter(|file| file.exists());
            if target == dialect || (target == "sse" && dialect != "spark_ws") {
                seeds.extend(files.map(read));
            }
        }
    }
    assert!(!seeds.is_empty(), "no fixture is for {target}");
    seeds
}

fn dialect(platform: &str, case: &str) -> &'static str {
    match platform {
        "claude" => "anthropic_messages",
        "qwen" if case.starts_with("dashscope_") => "dashscope",
        "openai" if case.starts_with("responses_") || case.starts_with("siwc_") => {
            "openai_responses"
        }
        "spark" if !case.starts_with("http_") => "spark_ws",
        _ => "openai_chat",
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What stands in a folder, by name; nothing if there is none.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn read(file: PathBuf) -> Seed {
    let input = fs::read(&file).unwrap();
    (file.strip_prefix(root()).unwrap_or(&file).display().to_string(), input)
}
