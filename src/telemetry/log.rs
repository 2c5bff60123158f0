//! Logs, on standard error.
//!
//! Libraries that see headers and bodies are held at `info` whatever the filter
//! asks for: at `trace` they print them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterExt, LevelFilter, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

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
    let _ = subscriber(settings, std::io::stderr)?.try_init(); // Only a second one is refused.
    std::panic::set_hook(Box::new(|panic| {
        // The message may hold data; the place is enough to find the fault.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
    Ok(())
}

fn subscriber<W>(settings: &Settings, writer: W) -> Result<impl Subscriber + Send + Sync, String>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| error.to_string())?;
    let lines = fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match settings.format {
        Format::Text => lines.with_ansi(false).boxed(),
        Format::Json => lines.json().boxed(),
    };
    // A directive such as `h2::codec=trace` is more exact than any `h2=info` beside it, so
    // holding takes a filter of its own, which no directive can outdo. Both in one: of two
    // that follow each other, each event would ask anew.
    let may_speak = filter_fn(may_speak).with_max_level_hint(LevelFilter::TRACE);
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter.and(may_speak))))
}

/// Whether an event's or a span's library may say it at its level.
fn may_speak(what: &Metadata<'_>) -> bool {
    let library = what.target().split("::").next().unwrap_or_default();
    *what.level() <= Level::INFO || !HELD_AT_INFO.contains(&library)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(filter: &str, format: Format) -> String {
        let page = Page::default();
        let writer = page.clone();
        let settings = Settings { filter: filter.into(), format };
        let subscriber = subscriber(&settings, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "h2::codec::framed_read", "a frame's bytes");
            tracing::debug!(target: "hyper_util::client", "a header");
            tracing::info!(target: "h2", "news");
            tracing::trace!(target: "tributary", "ours");
        });
        let page = page.0.lock().unwrap();
        String::from_utf8(page.clone()).unwrap()
    }

    #[test]
    fn libraries_that_see_bodies_are_held_whatever_the_filter_asks_for() {
        for format in [Format::Text, Format::Json] {
            let filter = "trace,h2::codec=trace,h2::codec::framed_read=trace,hyper_util=debug";
            let said = said(filter, format);
            assert!(!said.contains("bytes") && !said.contains("header"), "{said}");
            assert!(said.contains("news") && said.contains("ours"), "{said}");
        }
    }

    #[test]
    fn the_filter_holds_for_the_rest() {
        assert_eq!(said("warn", Format::Text), "");
    }
}
