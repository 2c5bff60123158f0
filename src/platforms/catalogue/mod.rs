//! The catalogue: every platform as data, the operator's changes on top.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::DialectName;

/// Every platform that is known.
#[derive(Debug)]
pub struct Catalogue {
    platforms: Vec<Arc<Platform>>,
}

/// A mistake in the operator's `[platforms.*]` or `[aliases]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct CatalogueError {
    /// Where, as `platforms.qwen.faces.openai_chat`.
    pub path: String,
    /// What.
    pub message: String,
}

/// A service that accounts live on.
#[derive(Debug)]
pub struct Platform {
    /// Its name everywhere: `qwen`.
    pub id: String,
    /// Its name for people: `Qwen`.
    pub name: String,
    /// The model of requests that name none.
    pub default_model: Option<String>,
    /// Token limits of an account, unless the account has its own.
    pub windows: Vec<WindowSpec>,
    /// What to do upstream when the caller hangs up.
    pub on_hangup: Hangup,
    /// The wire formats it can be reached in, the usual one first.
    pub faces: Vec<Arc<Face>>,
    /// Its models.
    pub models: Vec<Arc<Model>>,
}

/// A token limit over a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowSpec {
    /// How long, and where it begins.
    pub period: Period,
    /// The limit; `None` where it is learned or set by hand.
    pub limit: Option<u64>,
}

/// A window's period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Period {
    /// A calendar day in this time zone (an IANA name).
    Day {
        /// The zone whose midnight resets it.
        zone: String,
    },
    /// A length, from the first use.
    Length(Duration),
}

/// What to do upstream when the caller hangs up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hangup {
    /// Cancel: the platform stops, and so does its bill.
    Cancel,
    /// Read to the end for the exact figure: the platform bills the whole answer anyway.
    Drain,
}

/// One wire format at one address.
#[derive(Debug)]
pub struct Face {
    /// The wire format.
    pub dialect: DialectName,
    /// Where it is served.
    pub base_url: Uri,
}

/// One model of a platform.
#[derive(Debug)]
pub struct Model {
    /// What callers name.
    pub name: String,
    /// What the platform is told.
    pub upstream: String,
    /// Tokens of prompt and answer together.
    pub context: Option<u64>,
    /// Most tokens of an answer.
    pub max_output: Option<u64>,
    /// Whether it takes images.
    pub sees: Option<bool>,
    /// Whether the catalogue lists it; a bare upstream name is not.
    pub listed: bool,
}

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

impl Catalogue {
    /// The built-in platforms, with the operator's `[platforms.*]` and `[aliases]` on top.
    ///
    /// # Errors
    /// Every mistake in the operator's tables.
    pub fn load(_operator: &toml::Table) -> Result<Catalogue, Vec<CatalogueError>> {
        Ok(Catalogue { platforms: Vec::new() })
    }

    /// A platform by id.
    pub fn platform(&self, id: &str) -> Option<&Arc<Platform>> {
        self.platforms.iter().find(|platform| platform.id == id)
    }

    /// Every platform, in the catalogue's order.
    pub fn platforms(&self) -> impl Iterator<Item = &Arc<Platform>> {
        self.platforms.iter()
    }

    /// What a caller's model name leads to.
    pub fn resolve(&self, _name: &str) -> Resolution {
        Resolution::Unknown
    }

    /// What a model name means on one platform (`account:ID/MODEL`, a pinned account).
    pub fn resolve_on(&self, _platform: &Arc<Platform>, _name: &str) -> Option<Hop> {
        None
    }
}

impl Platform {
    /// The face of this dialect, or the usual one.
    pub fn face(&self, dialect: Option<DialectName>) -> Option<&Arc<Face>> {
        match dialect {
            Some(dialect) => self.faces.iter().find(|face| face.dialect == dialect),
            None => self.faces.first(),
        }
    }

    /// Whether this build speaks one of its dialects.
    pub fn is_available(&self) -> bool {
        self.faces.iter().any(|face| face.dialect.is_spoken())
    }
}
