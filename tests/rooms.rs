//! A room imports only rooms below it, and the simulator none at all.

#![allow(clippy::unwrap_used, reason = "a test that can't read the sources shall fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the highest to the lowest.
const ROOMS: [&str; 17] = [
    "main",
    "cli",
    "config",
    "server",
    "api",
    "console",
    "relay",
    "authorize",
    "oidc",
    "upstream",
    "identity",
    "store",
    "platforms",
    "front",
    "accounts",
    "vault",
    "telemetry",
];
const ALONE: &str = "simulator";
/// `demo` is the one command that starts the simulated platforms.
const MAY_START_THE_SIMULATOR: &str = "cli";

#[test]
fn every_import_points_down() {
    let mut wrong = Vec::new();
    for file in sources() {
        let room = room_of(&file);
        let text = fs::read_to_string(&file).unwrap();
        for import in imports(&text) {
            if import != room && !may_import(&room, &import) {
                wrong.push(format!("{} imports {import}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports that point up:\n{}", wrong.join("\n"));
}

#[test]
fn the_law_sees_an_import_that_points_up() {
    assert!(!may_import("vault", "store"));
    assert!(!may_import("simulator", "front"));
    assert!(!may_import("relay", "simulator"));
    assert!(may_import("relay", "store"));
    assert!(may_import("cli", "simulator"));
    assert_eq!(imports("use crate::{front::X, store::{Y, Z}};"), ["front", "store"]);
    assert_eq!(imports("let x = crate::relay::Y;"), ["relay"]);
    assert_eq!(imports("pub(in crate::vault) fn f() {}"), ["vault"]);
}

#[test]
fn every_folder_and_file_of_src_is_a_room() {
    for file in sources() {
        let room = room_of(&file);
        let known = room == "lib" || room == ALONE || ROOMS.contains(&room.as_str());
        assert!(known, "{} is in no room", file.display());
    }
}

#[test]
fn no_source_file_is_longer_than_25_kilobytes() {
    for file in sources() {
        let bytes = fs::metadata(&file).unwrap().len();
        assert!(bytes <= 25_000, "{} has {bytes} bytes: it is two ideas", file.display());
    }
}

fn may_import(room: &str, import: &str) -> bool {
    if room == "lib" {
        return true;
    }
    if import == ALONE {
        return room == MAY_START_THE_SIMULATOR;
    }
    match (place(room), place(import)) {
        (Some(above), Some(below)) => above < below,
        _ => false,
    }
}

fn place(room: &str) -> Option<usize> {
    ROOMS.iter().position(|&known| known == room)
}

fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&source_folder(), &mut found);
    assert!(found.len() > 50, "the sources were not found");
    found
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(source_folder()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The rooms that a file names after `crate::` (or `tributary::` in `main.rs`).
fn imports(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    for start in ["crate::", "tributary::"] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            match rest.strip_prefix('{') {
                Some(group) => rooms.extend(top_names(group)),
                None => rooms.extend(name(rest)),
            }
        }
    }
    rooms
}

/// The names at the top of `a::X, b::{Y, Z}}`.
fn top_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut begins = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            _ if begins && !letter.is_whitespace() => {
                names.extend(name(&group[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> Option<String> {
    let end = text.find(|letter: char| !letter.is_ascii_lowercase() && letter != '_')?;
    (end > 0).then(|| text[..end].to_owned())
}
