//! A platform as the gateway uses it: checked, joined, ready.

use std::sync::Arc;

use http::uri::Authority;
use http::{HeaderMap, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::entry::{Family, PathEntry};
use crate::accounts::{Period, WindowSpec};
use crate::platforms::credential::{Credential, CredentialSpec, Kind};
use crate::platforms::rules::{AnswerRules, ErrorRule, LimitRule, RequestRules, Traits, fits};
use crate::platforms::{DialectName, Price, Vocabulary};

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
    /// What to do upstream when the caller hangs up, if not what the gateway does elsewhere.
    pub on_hangup: Option<Hangup>,
    /// What text is counted by, of models that nobody listed.
    pub vocabulary: Vocabulary,
    /// Scheme and authority of every address that a credential may be sent to.
    pub api_origins: Vec<Uri>,
    /// The wire formats it can be reached in, the usual one first.
    pub faces: Vec<Arc<Face>>,
    /// Its models.
    pub models: Vec<Arc<Model>>,
    /// Retired names, each with the listed model that follows it.
    pub retired: Vec<(Arc<str>, Arc<Model>)>,
    pub(super) families: Vec<Family>,
}

/// What to do upstream when the caller hangs up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hangup {
    /// Cancel: the platform stops, and so does its bill.
    #[default]
    Cancel,
    /// Read on to the end for the exact figure: the platform bills the whole answer anyway.
    Drain,
}

/// One wire format at one address.
#[derive(Debug, Clone)]
pub struct Face {
    /// The wire format.
    pub dialect: DialectName,
    /// Where it is served, without the dialect's path.
    pub base_url: Uri,
    /// What proves an account here, and where a person gets it.
    pub credential: CredentialSpec,
    /// Headers of every request, beside content type and authorization.
    pub headers: HeaderMap,
    /// What is changed in requests.
    pub request: RequestRules,
    /// What is put right in answers.
    pub answer: AnswerRules,
    /// What failures mean.
    pub errors: Vec<ErrorRule>,
    /// What the headers of answers tell of limits.
    pub limits: Vec<LimitRule>,
    /// Codes of refused requests reach the caller as they are.
    pub own_codes: bool,
    /// Request fields that are looked for in the words of a refusal.
    pub param_names: Vec<String>,
    /// The same, as people's logins are served there, where that differs.
    pub login: Option<Arc<Face>>,
    pub(super) paths: Vec<PathEntry>,
}

impl Face {
    /// The face as accounts of this kind are served there.
    pub fn of(face: &Arc<Face>, kind: Kind) -> &Arc<Face> {
        match (kind, &face.login) {
            (Kind::Oauth | Kind::Session, Some(login)) => login,
            _ => face,
        }
    }

    /// Where a model lies under the base, unless its entry says so itself.
    pub(super) fn path(&self, upstream: &str) -> &str {
        let named = |row: &&PathEntry| row.names.iter().any(|pattern| fits(pattern, upstream));
        self.paths.iter().find(named).map_or(self.dialect.path(), |row| &row.path)
    }
}

/// One model of a platform.
#[derive(Debug)]
pub struct Model {
    /// What callers name.
    pub name: String,
    /// What the platform is told.
    pub upstream: Arc<str>,
    /// Tokens of prompt and answer together.
    pub context: Option<u64>,
    /// Most tokens of an answer.
    pub max_output: Option<u64>,
    /// Whether it takes images, where that is known.
    pub sees: Option<bool>,
    /// What it costs in points, if they can buy it.
    pub price: Option<Price>,
    /// What its text is counted by.
    pub vocabulary: Vocabulary,
    /// Whether the catalogue lists it; a bare upstream name is not.
    pub listed: bool,
    /// Another vendor's model: its own platform comes first.
    pub guest: bool,
    /// How it is reached in each of its platform's dialects.
    pub reach: Vec<Reach>,
}

/// How one model is reached in one dialect.
#[derive(Debug)]
pub struct Reach {
    /// The dialect.
    pub dialect: DialectName,
    /// Where requests go.
    pub url: Uri,
    /// What is special about the model there.
    pub traits: Traits,
    /// Requests can be spliced: nothing else is changed.
    pub is_plain: bool,
}

impl Platform {
    /// The face of this dialect, or the usual one.
    pub fn face(&self, dialect: Option<DialectName>) -> Option<&Arc<Face>> {
        match dialect {
            Some(dialect) => self.faces.iter().find(|face| face.dialect == dialect),
            None => self.faces.first(),
        }
    }

    /// Whether this is one of its faces, or how people's logins are served at one.
    pub fn has(&self, face: &Arc<Face>) -> bool {
        let is = |own: &Arc<Face>| Arc::ptr_eq(own, face);
        self.faces.iter().any(|own| is(own) || own.login.as_ref().is_some_and(is))
    }

    /// The face that reaches a model: an account's own, or, where the model is reached in other
    /// dialects alone, the first of those that the credential fits.
    pub fn reaching<'a>(
        &'a self,
        own: &'a Arc<Face>,
        model: &Model,
        credential: &Credential,
    ) -> &'a Arc<Face> {
        let reaches = |face: &&Arc<Face>| model.reach(face.dialect).is_some();
        let other = || self.faces.iter().find(|face| reaches(face) && credential.fits(face));
        Some(own).filter(reaches).or_else(other).unwrap_or(own)
    }

    /// The face that a credential is used by: the one that its account names, or the first
    /// that it fits.
    pub fn face_for(
        &self,
        dialect: Option<DialectName>,
        credential: &Credential,
    ) -> Option<&Arc<Face>> {
        if dialect.is_some() {
            return self.face(dialect);
        }
        self.faces.iter().find(|face| credential.fits(face)).or_else(|| self.faces.first())
    }

    /// Whether a credential may be sent to an address.
    pub fn may_be_sent_to(&self, address: &Uri) -> bool {
        let (scheme, authority) = (address.scheme(), address.authority());
        // Mostly they are spelled alike, which is seen at a glance.
        let is_spelled_alike =
            |it: &Uri| it.authority().map(Authority::as_str) == authority.map(Authority::as_str);
        self.api_origins.iter().any(|origin| {
            origin.scheme() == scheme
                && (is_spelled_alike(origin) || origin.authority() == authority)
        })
    }

    /// A listed model by the caller's or the platform's name.
    pub fn model(&self, name: &str) -> Option<&Arc<Model>> {
        let named = self.models.iter().find(|model| model.name == name);
        named.or_else(|| self.models.iter().find(|model| &*model.upstream == name))
    }

    /// A model that nobody listed, with its family's traits.
    pub fn unlisted(&self, name: &str) -> Model {
        let traits = family(&self.families, name);
        let reached = self.faces.iter().filter(|face| traits.reaches(face.dialect));
        let reach = reached.map(|face| {
            // The address was proven when the face was loaded.
            let url = super::load::join(&face.base_url.to_string(), face.path(name));
            Reach::new(face, url.unwrap_or_default(), &traits)
        });
        Model {
            name: name.to_owned(),
            upstream: name.into(),
            context: None,
            max_output: None,
            sees: traits.sees,
            price: None,
            vocabulary: self.vocabulary,
            listed: false,
            guest: false,
            reach: reach.collect(),
        }
    }

    /// The zone of its daily window, for hints that name a local time.
    pub fn zone(&self) -> &str {
        let mut zones = self.windows.iter().filter_map(|window| match &window.period {
            Period::Day { zone } => Some(zone.as_str()),
            Period::FromFirstUse { .. } => None,
        });
        zones.next_back().unwrap_or("UTC")
    }
}

impl Reach {
    pub(super) fn new(face: &Face, url: Uri, traits: &Traits) -> Reach {
        let traits = traits.over(&face.request.traits);
        let is_plain = face.request.is_plain(&traits);
        Reach { dialect: face.dialect, url, traits, is_plain }
    }
}

impl Model {
    /// How it is reached in a dialect.
    pub fn reach(&self, dialect: DialectName) -> Option<&Reach> {
        self.reach.iter().find(|reach| reach.dialect == dialect)
    }
}

/// The traits of the first family that a name belongs to.
pub(super) fn family(families: &[Family], name: &str) -> Traits {
    let belongs = |family: &&Family| family.names.iter().any(|pattern| fits(pattern, name));
    families.iter().find(belongs).map(|family| family.traits.clone()).unwrap_or_default()
}
