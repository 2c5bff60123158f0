//! A key file: the raw key, or a JSON object with the fields of one of the face's schemes.

use std::collections::BTreeMap;

use http::HeaderMap;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Credential, CredentialError, CredentialSpec, ISSUED, Secret, sensitive, wiped};
use crate::platforms::{Face, UpstreamRequest};

/// A key file's object.
#[derive(Deserialize)]
struct Object {
    scheme: Option<String>,
    #[serde(flatten)]
    fields: BTreeMap<String, String>,
}

impl Credential {
    /// Reads a key file: the raw key, or a JSON object of fields. Its `scheme` names one of
    /// the face's; left out, the fields tell.
    ///
    /// # Errors
    /// What is missing, too much, or unfit.
    pub fn parse(face: &Face, file: &str) -> Result<Credential, CredentialError> {
        let file = file.trim();
        let Object { scheme, fields } = if file.starts_with('{') {
            serde_json::from_str(file).map_err(|_| CredentialError::Unreadable)?
        } else {
            Object { scheme: None, fields: [("key".to_owned(), file.to_owned())].into() }
        };
        let fields = wiped(fields);
        let spec = &face.credential;
        let row = match &scheme {
            Some(name) => spec.row(name).ok_or_else(|| CredentialError::NoScheme(spec.names()))?,
            None => nearest(spec, &fields),
        };
        let needed = row.fields();
        if let Some(missing) = needed.iter().find(|name| !fields.contains_key(**name)) {
            return Err(CredentialError::Missing((*missing).to_owned()));
        }
        let known = |name: &str| needed.contains(&name) || row.optional.contains_key(name);
        if let Some(name) = fields.keys().find(|name| !known(name)) {
            return Err(CredentialError::Unknown(name.clone()));
        }
        if fields.values().any(|value| value.is_empty()) {
            return Err(CredentialError::Empty);
        }
        let scheme = (!row.name.is_empty()).then(|| row.name.clone());
        let mut credential = Credential::Key { scheme, fields };
        // Better refused when it is bound than when it is used.
        let at = Timestamp::UNIX_EPOCH;
        if let Some(issuer) = credential.issuer(face) {
            issuer.ask(&credential, at)?;
            credential = credential.with_issued(Zeroizing::new("so it is".to_owned()));
        }
        for name in needed {
            // A field that goes into no header is a text of the same letters all the same.
            sensitive(name, credential.field(name)?)?;
        }
        let mut request = UpstreamRequest {
            url: face.base_url.clone(),
            body: "{}".into(),
            streams: false,
            headers: HeaderMap::new(),
        };
        credential.write(face, at, &mut request)?;
        if let Credential::Key { fields, .. } = &mut credential {
            fields.remove(ISSUED);
        }
        Ok(credential)
    }
}

/// The scheme that the fields are those of, or the one that most of them belong to.
fn nearest<'s>(spec: &'s CredentialSpec, fields: &BTreeMap<String, Secret>) -> &'s CredentialSpec {
    let given = |row: &CredentialSpec| {
        let needed = row.fields();
        let there = needed.iter().filter(|name| fields.contains_key(**name)).count();
        (there == needed.len(), there)
    };
    // Of equals the first: the usual one.
    spec.rows().fold(spec, |best, row| if given(row) > given(best) { row } else { best })
}
