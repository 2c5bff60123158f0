//! What a test measured, for who runs the faults in full: `tests/run --only faults` gathers
//! these lines into one table.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;

/// Prints a line, and adds it to the file that `TRIBUTARY_TEST_FIGURES` names.
#[allow(clippy::disallowed_methods, reason = "it is about the tests alone")]
pub fn tell(what: &str, figures: &[(&str, &dyn Display)]) {
    let figures: Vec<String> =
        figures.iter().map(|(name, figure)| format!("{name} {figure}")).collect();
    let line = format!("{what}: {}\n", figures.join(", "));
    print!("{line}");
    if let Ok(file) = std::env::var("TRIBUTARY_TEST_FIGURES") {
        // One write, so that tests that run at once don't mix their lines.
        let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// How often a fault comes, and how long it lasts: `TRIBUTARY_FAULTS=long` makes
/// each longer, and repeats it.
#[allow(clippy::disallowed_methods, reason = "it is about the tests alone")]
pub fn fault() -> (usize, std::time::Duration) {
    match std::env::var("TRIBUTARY_FAULTS").as_deref() {
        Ok("long") => (5, std::time::Duration::from_secs(30)),
        _ => (1, std::time::Duration::from_secs(2)),
    }
}
