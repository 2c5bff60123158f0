//! Everything that can be wrong, found in one go.

use serde::Deserialize;
use toml::{Table, Value};
use tracing_subscriber::EnvFilter;

use super::bounds::{Broken, broken};
use super::layers::{Layers, dotted, section_names};
use super::operator_keys::misplaced;
use super::sections::{OPEN_SECTIONS, SECTIONS, Section};
use super::suggest::instead_of;
use super::{Mistake, Settings, paths};
use crate::platforms::Catalogue;
use crate::{store, upstream};

/// The settings and the catalogue, as far as they could be read; what is wrong goes into
/// `mistakes`.
pub(super) fn check(layers: &Layers, mistakes: &mut Vec<Mistake>) -> Option<(Settings, Catalogue)> {
    let mut checked = Checked { layers, mistakes, sound: layers.table.clone() };
    checked.sections();
    checked.zones();
    let catalogue = checked.catalogue();
    let settings = Settings::deserialize(std::mem::take(&mut checked.sound));
    let mut settings = settings.expect("every key was tried, and what did not fit is gone");
    paths::resolve(&mut settings, layers);
    checked.meanings(&settings);
    let oidc = super::oidc::misplaced(&settings);
    for (key, what, fix) in super::notices::misplaced(&settings).into_iter().chain(oidc) {
        checked.wrong(key, what, fix);
    }
    if let Some(catalogue) = &catalogue {
        for (number, what, fix) in misplaced(&settings, catalogue) {
            checked.wrong(&format!("points.keys.{number}"), what, fix);
        }
    }
    Some((settings, catalogue?))
}

struct Checked<'l, 'm> {
    layers: &'l Layers,
    mistakes: &'m mut Vec<Mistake>,
    /// The table without what is wrong.
    sound: Table,
}

impl Checked<'_, '_> {
    fn wrong(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        let at = self.layers.place(key);
        let (what, fix) = (what.into(), fix.into());
        self.mistakes.push(Mistake { at, key: key.to_owned(), what, fix });
    }

    /// Tries every key of every section alone, so that one mistake hides no other.
    fn sections(&mut self) {
        for (name, value) in std::mem::take(&mut self.sound) {
            let is_open = OPEN_SECTIONS.contains(&name.as_str());
            match (Section::named(&name), value) {
                (Some(section), Value::Table(table)) => self.section(section, table),
                (None, Value::Table(table)) if is_open => {
                    self.sound.insert(name, Value::Table(table));
                }
                (Some(_), _) => self.wrong(&name, "is no table", format!("write `[{name}]`")),
                (None, _) if is_open => {
                    self.wrong(&name, "is no table", format!("write `[{name}]`"));
                }
                (None, Value::Table(_)) => {
                    let fix = instead_of(&name, &section_names());
                    self.wrong(&name, "there is no such section", fix);
                }
                (None, _) => self.wrong(&name, "there is no such setting", home_of(&name)),
            }
        }
    }

    fn section(&mut self, section: &Section, table: Table) {
        let known = section.known();
        let mut sound = Table::new();
        for (key, value) in table {
            let path = dotted(section.name, &key);
            if !known.contains(&key) {
                self.wrong(&path, "there is no such setting", instead_of(&key, &known));
            } else if let Err(why) = section.try_key(&key, value.clone()) {
                self.wrong(&path, why, as_by_default(section, &key));
            } else if is_negative(&value) {
                self.wrong(&path, "is negative", as_by_default(section, &key));
            } else {
                sound.insert(key, value);
            }
        }
        self.sound.insert(section.name.to_owned(), Value::Table(sound));
    }

    /// Time zones that the database does not know: their windows would never reset.
    fn zones(&mut self) {
        let platforms = self.sound.get("platforms").and_then(Value::as_table);
        let mut unknown = Vec::new();
        for (name, platform) in platforms.into_iter().flatten() {
            let windows = platform.get("windows").and_then(Value::as_array);
            for (index, window) in windows.into_iter().flatten().enumerate() {
                let zone = window.get("zone").and_then(Value::as_str);
                if zone.is_some_and(|zone| jiff::tz::TimeZone::get(zone).is_err()) {
                    unknown.push(format!("platforms.{name}.windows.{index}.zone"));
                }
            }
        }
        for key in unknown {
            self.wrong(&key, "is no time zone", "write an IANA name, as `Asia/Shanghai`");
        }
    }

    fn catalogue(&mut self) -> Option<Catalogue> {
        let theirs = OPEN_SECTIONS
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), self.sound.get(*name)?.clone())));
        match Catalogue::load(&theirs.collect()) {
            Ok(catalogue) => Some(catalogue),
            Err(errors) => {
                for error in errors {
                    let what = error.message.lines().collect::<Vec<_>>().join(" ");
                    self.wrong(&error.path, what, "");
                }
                None
            }
        }
    }

    /// What fits its type but means nothing, or something that can't be.
    fn meanings(&mut self, settings: &Settings) {
        if let Err(error) = EnvFilter::try_new(&settings.log.filter) {
            self.wrong("log.filter", error.to_string(), "write a level, or `tributary=debug,info`");
        }
        for Broken { key, what, fix } in broken(settings) {
            self.wrong(key, what, fix);
        }
        let (public, operator) = (settings.server.listen, settings.operator.listen);
        if public == operator && public.port() != 0 {
            let fix = "give it another port, on loopback: callers must not reach it";
            self.wrong("operator.listen", "is the address of [server] listen too", fix);
        }
        if let Err(error) = store::holder(&settings.store) {
            self.wrong("store.url", error.to_string(), "");
        }
        if store::holds_password(&settings.store.url)
            && !self.layers.is_from_environment("store.url")
        {
            let fix = "set the URL by the variable TRIBUTARY_STORE__URL instead";
            self.wrong("store.url", "has a password, and files get copied", fix);
        }
        if let Some(file) = &settings.store.ca_file
            && let Err(error) = std::fs::metadata(file)
        {
            let why = format!("{}: {error}", file.display());
            self.wrong("store.ca_file", why, "name a PEM file of certificates");
        }
        if settings.upstream.ca_file.is_some()
            && let Err(error) = upstream::Client::new(&settings.upstream)
        {
            let why = error.strip_prefix("[upstream] ca_file ").unwrap_or(&error);
            self.wrong("upstream.ca_file", why, "name a PEM file of certificates");
        }
    }
}

fn as_by_default(section: &Section, key: &str) -> String {
    match section.default(key) {
        Some(default) => format!("the default is `{key} = {default}`"),
        None => "leave it out for the default".to_owned(),
    }
}

/// The section that a key at the file's top belongs to.
fn home_of(key: &str) -> String {
    let home = SECTIONS.iter().find(|section| section.known().iter().any(|known| known == key));
    match home {
        Some(section) => format!("it belongs under `[{}]`", section.name),
        None => format!("settings stand in sections: {}", section_names().join(", ")),
    }
}

/// A duration below zero, or a list or number of them.
fn is_negative(value: &Value) -> bool {
    let text = value.as_str().and_then(|text| text.parse::<jiff::SignedDuration>().ok());
    text.is_some_and(|duration| duration.is_negative())
}
