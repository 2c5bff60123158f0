//! Writing a proof into a request.

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Credential, CredentialError, ISSUED, Scheme, Secret, told};
use crate::platforms::{Face, UpstreamRequest, signing};

/// A credential that was sent, and what was made of it for this one request.
pub struct Proof {
    credential: Credential,
    minted: Option<Secret>,
}

impl Proof {
    /// Every secret in it, to be taken out of what a platform says.
    pub fn secrets(&self) -> Vec<&str> {
        let mut all = self.credential.secrets();
        all.extend(self.minted.as_ref().map(|minted| minted.as_str()));
        all
    }

    /// What is kept of it once it has served.
    pub fn into_secrets(self) -> Secrets {
        let mut all: Vec<Secret> = match self.credential {
            Credential::Key { fields, .. } => fields.into_values().collect(),
            Credential::Oauth { access_token } => vec![access_token],
            Credential::Session { cookies, headers } => {
                cookies.into_values().chain(headers.into_values()).collect()
            }
        };
        all.extend(self.minted);
        Secrets(all.into())
    }

    /// Proves another request, with the same credential.
    ///
    /// # Errors
    /// As [`Credential::prove`].
    pub fn again(
        self,
        face: &Face,
        at: Timestamp,
        request: &mut UpstreamRequest,
    ) -> Result<Proof, CredentialError> {
        self.credential.prove(face, at, request)
    }
}

/// A proof's secrets alone. A stream keeps them to its end, and a credential's maps are
/// twenty times as large.
pub struct Secrets(Box<[Secret]>);

impl Secrets {
    /// Every one, to be taken out of what a platform says.
    pub fn all(&self) -> Vec<&str> {
        self.0.iter().flat_map(|secret| told(secret)).collect()
    }
}

/// Headers that say how a message is framed or where it goes: no login has a say in them.
const OURS: [&str; 12] = [
    "accept",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl Credential {
    /// Adds what proves the account to a request: to its headers, marked as sensitive, or to
    /// its address and body. `at` is
    /// the time of signing. Where [`issuer`](Credential::issuer) names one, the credential
    /// must have its key.
    ///
    /// # Errors
    /// When a field is missing, or can't stand in a header.
    pub fn prove(
        self,
        face: &Face,
        at: Timestamp,
        request: &mut UpstreamRequest,
    ) -> Result<Proof, CredentialError> {
        let minted = self.write(face, at, request)?;
        Ok(Proof { credential: self, minted })
    }

    /// Writes the proof; answers what was made for this request alone.
    pub(super) fn write(
        &self,
        face: &Face,
        at: Timestamp,
        request: &mut UpstreamRequest,
    ) -> Result<Option<Secret>, CredentialError> {
        let row = self.row(face)?;
        let headers = &mut request.headers;
        let fields = match self {
            Self::Oauth { access_token } => {
                headers.insert(AUTHORIZATION, bearer("access_token", access_token)?);
                return Ok(None);
            }
            Self::Session { cookies, headers: own } => {
                if !cookies.is_empty() {
                    headers.insert(COOKIE, jar(cookies.iter())?);
                }
                for (name, value) in own {
                    headers.insert(header(name)?, sensitive(name, value)?);
                }
                return Ok(None);
            }
            Self::Key { fields, .. } => fields,
        };
        let mut minted = None;
        let (issued, issues) = (fields.get(ISSUED), self.issuer(face).is_some());
        if issues {
            return Err(CredentialError::Missing(ISSUED.to_owned()));
        }
        match (&row.scheme, issued) {
            (Scheme::Bearer, None) => {
                headers.insert(AUTHORIZATION, bearer("key", self.field("key")?)?);
            }
            (Scheme::Header(name), None) => {
                headers.insert(name.clone(), sensitive("key", self.field("key")?)?);
            }
            (Scheme::ZhipuJwt, None) => {
                let token = signing::zhipu_token(self.field("key")?, at)?;
                headers.insert(AUTHORIZATION, bearer("key", &token)?);
                minted = Some(token);
            }
            (Scheme::SparkHmac, None) => {
                let keys = signing::SparkKeys {
                    app_id: self.field("app_id")?,
                    api_key: self.field("api_key")?,
                    api_secret: self.field("api_secret")?,
                };
                keys.sign(request, at).ok_or(CredentialError::Unsigned)?;
                // Base64, with the key inside, and good for 300 s.
                return Ok(query_value(&request.url, "authorization"));
            }
            (_, Some(issued)) => _ = headers.insert(AUTHORIZATION, bearer(ISSUED, issued)?),
        }
        for (name, header) in &row.optional {
            if let Some(value) = fields.get(name) {
                let header: HeaderName =
                    header.parse().map_err(|_| CredentialError::Unfit(name.clone()))?;
                headers.insert(header, sensitive(name, value)?);
            }
        }
        Ok(minted)
    }
}

/// `Bearer TOKEN`.
pub(in crate::platforms) fn bearer(name: &str, key: &str) -> Result<HeaderValue, CredentialError> {
    concealed(name, "Bearer ", key)
}

/// A value that is never printed.
pub(in crate::platforms) fn sensitive(
    name: &str,
    text: &str,
) -> Result<HeaderValue, CredentialError> {
    concealed(name, "", text)
}

/// The value's own bytes are the only copy that is made of the secret.
fn concealed(name: &str, before: &str, secret: &str) -> Result<HeaderValue, CredentialError> {
    let unfit = || CredentialError::Unfit(name.to_owned());
    // Every byte is looked at: that goes by many at once.
    let fits = secret.bytes().fold(true, |all, byte| all & (0x20..0x7F).contains(&byte));
    if !fits {
        return Err(unfit());
    }
    let mut text = Vec::with_capacity(before.len() + secret.len());
    text.extend_from_slice(before.as_bytes());
    text.extend_from_slice(secret.as_bytes());
    let mut value = HeaderValue::try_from(text).map_err(|_| unfit())?;
    value.set_sensitive(true);
    Ok(value)
}

/// A session's header.
fn header(name: &str) -> Result<HeaderName, CredentialError> {
    let unfit = || CredentialError::Unfit(name.to_owned());
    let header: HeaderName = name.parse().map_err(|_| unfit())?;
    if OURS.contains(&header.as_str()) { Err(unfit()) } else { Ok(header) }
}

/// `a=1; b=2`: the cookies of a session, which fit RFC 6265's `cookie-pair`.
fn jar<'a>(
    cookies: impl Iterator<Item = (&'a String, &'a Secret)>,
) -> Result<HeaderValue, CredentialError> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    for (name, value) in cookies {
        let breaks = |byte: u8| matches!(byte, b';' | b',' | b' ' | b'"' | b'\\');
        let is_name = !name.is_empty() && !name.bytes().any(|byte| byte == b'=' || breaks(byte));
        if !is_name || value.bytes().any(breaks) {
            return Err(CredentialError::Unfit(name.clone()));
        }
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
    sensitive("cookies", &text)
}

/// A value of an address's query, decoded.
fn query_value(url: &http::Uri, name: &str) -> Option<Secret> {
    let pairs = url::form_urlencoded::parse(url.query()?.as_bytes());
    let value = pairs.into_iter().find(|(own, _)| own == name)?.1;
    Some(value.into_owned().into())
}
