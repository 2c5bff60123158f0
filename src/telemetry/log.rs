//! Logs, on standard error.
//!
//! Libraries that see headers and bodies are held at `info` whatever the filter
//! asks for: at `trace` they print them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// A level, or a filter such as `tributary=debug,info`.
    pub filter: String,
    /// How a line is written.
    pub format: Format,
}

/// How a log line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self { filter: "info".into(), format: Format::Text }
    }
}

const HELD_AT_INFO: [&str; 8] =
    ["hyper", "hyper_util", "hyper_rustls", "rustls", "h2", "redis", "tokio", "mio"];

/// Begins to log. A second call changes nothing.
///
/// # Errors
/// When the filter can't be read: the message says where.
pub fn start(settings: &Settings) -> Result<(), String> {
    let mut filter = EnvFilter::try_new(&settings.filter).map_err(|error| error.to_string())?;
    for library in HELD_AT_INFO {
        let held: Directive = format!("{library}=info").parse().expect("a constant directive");
        filter = filter.add_directive(held);
    }
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match settings.format {
        Format::Text => lines.with_ansi(false).try_init(),
        Format::Json => lines.json().try_init(),
    };
    let _ = begun; // Only a subscriber that is set already refuses.
    std::panic::set_hook(Box::new(|panic| {
        // The message may hold data; the place is enough to find the fault.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    Ok(())
}
