//! Facts on standard output.

use std::io::{self, Write};

use serde::Serialize;

use super::Failure;

/// Prints facts as one JSON text.
pub(super) fn json(facts: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(facts).expect("facts are plain data");
    line(&text)
}

/// Prints a line, or lines. A reader that has gone wants no more of them.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done.map_err(|error| Failure::Io { what: "standard output".into(), error }),
    }
}
