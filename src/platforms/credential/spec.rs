//! What a face takes as proof: data of the catalogue, and the table of schemes.

use std::collections::BTreeMap;

use http::Uri;
use http::header::HeaderName;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::Kind;
use crate::platforms::Issuer;

/// What a face takes as proof, and where a person gets it.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CredentialSpec {
    /// What a key file's `scheme` calls it; the usual one needs no name.
    pub name: String,
    /// How the proof is written into a request.
    pub scheme: Scheme,
    /// Who makes a short-lived key of it.
    pub issuer: Option<Issuer>,
    /// What it is, for a person who binds an account.
    pub help: String,
    /// Where a person gets it.
    pub get: String,
    /// Fields that may stand beside the key, each with the header that carries it.
    pub optional: BTreeMap<String, String>,
    /// The kinds of credential that the face is spoken with.
    pub takes: Vec<Kind>,
    /// Other keys that the platform documents, each with a name.
    pub also: Vec<CredentialSpec>,
}

impl Default for CredentialSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            scheme: Scheme::default(),
            issuer: None,
            help: String::new(),
            get: String::new(),
            optional: BTreeMap::new(),
            takes: vec![Kind::Key, Kind::Oauth, Kind::Session],
            also: Vec::new(),
        }
    }
}

/// How a proof is written into a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// `Authorization: Bearer KEY`.
    #[default]
    Bearer,
    /// The bare key in a header of this name.
    Header(#[serde(deserialize_with = "header_name")] HeaderName),
    /// `Authorization: Bearer TOKEN`, a token that a key `id.secret` signs for each call.
    ZhipuJwt,
    /// Spark's address, signed for each connection, and the app's name in the request.
    SparkHmac,
}

impl Scheme {
    /// The fields that a key of this scheme has. One more scheme is a row here, one in
    /// [`prove`](super::prove), and its signing in `signing/`.
    fn fields(&self) -> &'static [&'static str] {
        match self {
            Self::Bearer | Self::Header(_) | Self::ZhipuJwt => &["key"],
            Self::SparkHmac => &["app_id", "api_key", "api_secret"],
        }
    }

    /// Whether a platform that refuses a proof may do so for its time alone, and tells its own.
    pub fn tells_time(&self) -> bool {
        matches!(self, Self::SparkHmac)
    }
}

impl CredentialSpec {
    /// The fields that a key must have.
    pub fn fields(&self) -> &'static [&'static str] {
        let issuer = self.issuer.as_ref().filter(|issuer| !issuer.only_checks);
        issuer.map_or_else(|| self.scheme.fields(), |issuer| issuer.form.fields())
    }

    /// Its rows: the usual one first.
    pub fn rows(&self) -> impl Iterator<Item = &CredentialSpec> {
        std::iter::once(self).chain(&self.also)
    }

    /// Finds its issuers' addresses under the face's base, and what is wrong with its rows.
    pub(in crate::platforms) fn settle(
        &mut self,
        join: impl Fn(&str) -> Result<Uri, String> + Copy,
    ) -> Result<(), String> {
        let mut names: Vec<&str> = self.also.iter().map(|row| row.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let is_flat = self.also.iter().all(|row| row.also.is_empty());
        if names.len() != self.also.len() || names.contains(&"") || !is_flat {
            return Err("each of `credential.also` has a name of its own, and no `also`".to_owned());
        }
        let rows = self.also.iter_mut().map(|row| &mut row.issuer);
        for issuer in std::iter::once(&mut self.issuer).chain(rows).flatten() {
            issuer.settle(join)?;
        }
        Ok(())
    }

    /// Every address that a credential is sent to beside the face's own.
    pub(in crate::platforms) fn addresses(&self) -> impl Iterator<Item = &Uri> {
        self.rows().filter_map(|row| row.issuer.as_ref()).map(Issuer::address)
    }

    /// The row of a name.
    pub(super) fn row(&self, name: &str) -> Option<&CredentialSpec> {
        self.rows().find(|row| row.name == name && !name.is_empty())
    }

    /// The names that a key file may say.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> =
            self.rows().map(|row| row.name.as_str()).filter(|name| !name.is_empty()).collect();
        if names.is_empty() { "left out".to_owned() } else { names.join(", ") }
    }
}

fn header_name<'de, D: Deserializer<'de>>(from: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map_err(|_| D::Error::custom(format!("`{name}` is no header's name")))
}
