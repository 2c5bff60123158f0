//! What a model name leads to.
//!
//! Built once: a request costs one look. Only a bare `PLATFORM/MODEL` that nobody
//! listed is made on the spot.

use std::collections::HashMap;
use std::sync::Arc;

use toml::Value;

use super::{CatalogueError, Model, Platform};

/// What a model name leads to.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// These, in order of preference.
    Hops(Arc<[Hop]>),
    /// Nothing.
    Unknown,
}

/// One platform and model to try.
#[derive(Debug, Clone)]
pub struct Hop {
    /// The platform.
    pub platform: Arc<Platform>,
    /// The model.
    pub model: Arc<Model>,
    /// The retired name that was asked for, if this is its successor.
    pub successor_of: Option<Arc<str>>,
}

/// Every name that leads somewhere.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashMap<String, Arc<[Hop]>>,
    aliases: Vec<String>,
}

impl Names {
    pub(super) fn build(
        platforms: &[Arc<Platform>],
        aliases: Option<&Value>,
        mistakes: &mut Vec<CatalogueError>,
    ) -> Names {
        let mut names = Names::default();
        let mut listed: HashMap<String, Vec<Hop>> = HashMap::new();
        for platform in platforms {
            for model in &platform.models {
                let hop = hop(platform, model);
                let full = format!("{}/{}", platform.id, model.name);
                names.known.insert(full, Arc::from([hop.clone()]));
                listed.entry(model.name.clone()).or_default().push(hop);
            }
        }
        for (name, mut hops) in listed {
            // A vendor's own platform before those that host its model too.
            hops.sort_by_key(|hop| hop.model.guest);
            names.known.insert(name, hops.into());
        }
        names.add_aliases(platforms, aliases, mistakes);
        names.add_retired(platforms);
        names
    }

    pub(super) fn resolve(&self, platforms: &[Arc<Platform>], name: &str) -> Resolution {
        if let Some(hops) = self.known.get(name) {
            return Resolution::Hops(Arc::clone(hops));
        }
        match spelled(platforms, name) {
            Some(hop) => Resolution::Hops(Arc::from([hop])),
            None => Resolution::Unknown,
        }
    }

    pub(super) fn aliases(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().map(String::as_str)
    }

    fn add_retired(&mut self, platforms: &[Arc<Platform>]) {
        let mut retired: HashMap<&str, Vec<Hop>> = HashMap::new();
        for platform in platforms {
            for (name, model) in &platform.retired {
                let hop = Hop { successor_of: Some(Arc::clone(name)), ..hop(platform, model) };
                retired.entry(name).or_default().push(hop);
            }
        }
        for (name, hops) in retired {
            self.known.entry(name.to_owned()).or_insert_with(|| hops.into());
        }
    }

    fn add_aliases(
        &mut self,
        platforms: &[Arc<Platform>],
        aliases: Option<&Value>,
        mistakes: &mut Vec<CatalogueError>,
    ) {
        let Some(aliases) = aliases else { return };
        let Some(aliases) = aliases.as_table() else {
            let message = "expected a table of names".to_owned();
            return mistakes.push(CatalogueError { path: "aliases".to_owned(), message });
        };
        // Against the listed names alone, so that no alias leads to another: a chain is
        // read in one place.
        let mut chains = Vec::new();
        for (name, chain) in aliases {
            match self.chain(platforms, name, chain) {
                Ok(hops) => chains.push((name.clone(), hops)),
                Err(message) => {
                    mistakes.push(CatalogueError { path: format!("aliases.{name}"), message });
                }
            }
        }
        for (name, hops) in chains {
            self.known.insert(name.clone(), hops.into());
            self.aliases.push(name);
        }
    }

    fn chain(
        &self,
        platforms: &[Arc<Platform>],
        name: &str,
        chain: &Value,
    ) -> Result<Vec<Hop>, String> {
        if self.known.contains_key(name) {
            return Err("a model has this name, and would always win".to_owned());
        }
        if name.starts_with("account:") {
            return Err("`account:` names an account".to_owned());
        }
        let links: Option<Vec<&str>> = match chain {
            Value::String(one) => Some(vec![one]),
            Value::Array(many) => many.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let links = links.ok_or("expected a model's name, or a list of them")?;
        if links.is_empty() {
            return Err("leads nowhere".to_owned());
        }
        let mut hops = Vec::new();
        for link in links {
            let known = self.known.get(link).map(|hops| hops.to_vec());
            let made = || Some(vec![spelled(platforms, link).or(retired(platforms, link))?]);
            hops.extend(known.or_else(made).ok_or_else(|| format!("no model is named `{link}`"))?);
        }
        Ok(hops)
    }
}

/// `PLATFORM/MODEL`; the rest may hold slashes.
fn spelled(platforms: &[Arc<Platform>], name: &str) -> Option<Hop> {
    let (id, rest) = name.split_once('/')?;
    let platform = platforms.iter().find(|platform| platform.id == id)?;
    (!rest.is_empty()).then(|| on_platform(platform, rest))
}

fn retired(platforms: &[Arc<Platform>], name: &str) -> Option<Hop> {
    let known = |platform: &&Arc<Platform>| platform.retired.iter().any(|(old, _)| &**old == name);
    platforms.iter().find(known).map(|platform| on_platform(platform, name))
}

/// What a name means on one platform: a listed model, a successor, else the name itself.
pub(super) fn on_platform(platform: &Arc<Platform>, name: &str) -> Hop {
    if let Some(model) = platform.model(name) {
        return hop(platform, model);
    }
    match platform.retired.iter().find(|(old, _)| &**old == name) {
        Some((old, model)) => Hop { successor_of: Some(Arc::clone(old)), ..hop(platform, model) },
        None => hop(platform, &Arc::new(platform.unlisted(name))),
    }
}

fn hop(platform: &Arc<Platform>, model: &Arc<Model>) -> Hop {
    Hop { platform: Arc::clone(platform), model: Arc::clone(model), successor_of: None }
}
