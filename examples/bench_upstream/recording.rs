//! Recorded streams of platforms, which the harness hands over as events.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

/// Recordings by name, as a request says it: `recorded:NAME:PLAN`.
pub type Recordings = HashMap<String, Recording>;

/// A platform's stream in its own words.
#[derive(Deserialize)]
pub struct Recording {
    /// What comes before an answer's text.
    pub opening: Vec<String>,
    /// What adds text; as many of these as the plan says, in turns.
    pub repeated: Vec<String>,
    /// What comes after it.
    pub closing: Vec<String>,
    /// Messages of a WebSocket, and no SSE.
    pub socket: bool,
}

/// Reads what the harness wrote.
///
/// # Errors
/// What is wrong with the file, its path included.
pub fn read(path: &Path) -> Result<Recordings, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}
