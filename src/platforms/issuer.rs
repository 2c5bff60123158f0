//! Short-lived keys: how a platform is asked for one, and what it answers. Pure: the
//! request is sent elsewhere.
//!
//! Sources: Baidu, "创建API Key（短期）" (cloud.baidu.com/doc/Reference); Alibaba, "Generate a
//! temporary API key" (Model Studio).

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::credential::{Credential, CredentialError, Secret, bearer, sensitive};
use super::signing;

/// Who makes short-lived keys of a credential.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// How it is asked.
    pub form: IssuerForm,
    /// Where it is asked: an address, or a path under the face's base.
    url: String,
    /// How long a key shall live, in seconds.
    life: u32,
    /// Its keys are for checks alone: calls are made with the credential itself.
    #[serde(default)]
    pub only_checks: bool,
    /// `url` under the face's base.
    #[serde(skip)]
    at: Uri,
}

/// How an issuer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerForm {
    /// Baidu's IAM, by a request that the access key pair signs.
    BaiduIam,
    /// Baidu's IAM, by a long-lived key.
    BaiduKey,
    /// DashScope, by an API key.
    Dashscope,
}

/// A key that lives for a short time.
pub struct Issued {
    /// The key.
    pub key: Secret,
    /// Its end, by the platform's word.
    pub ends_at: Timestamp,
}

/// `GET /v1/BCE-BEARER/token`.
#[derive(Deserialize)]
struct BaiduAnswer {
    token: String,
    #[serde(rename = "createTime")]
    created: Timestamp,
    #[serde(rename = "expireTime")]
    ends: Timestamp,
}

/// `POST /api/v1/tokens`.
#[derive(Deserialize)]
struct DashscopeAnswer {
    token: String,
    expires_at: i64,
}

impl IssuerForm {
    /// The fields of a credential that it is asked with.
    pub(super) fn fields(self) -> &'static [&'static str] {
        match self {
            Self::BaiduIam => &["access_key", "secret_key"],
            Self::BaiduKey | Self::Dashscope => &["key"],
        }
    }
}

impl Issuer {
    /// Where it is asked.
    pub fn address(&self) -> &Uri {
        &self.at
    }

    /// Finds its address under a face's base.
    pub(super) fn settle(
        &mut self,
        join: impl Fn(&str) -> Result<Uri, String>,
    ) -> Result<(), String> {
        let lives = match self.form {
            IssuerForm::BaiduIam | IssuerForm::BaiduKey => 300..=2_592_000,
            IssuerForm::Dashscope => 1..=1800,
        };
        if !lives.contains(&self.life) {
            let (least, most) = lives.into_inner();
            return Err(format!("a key of this issuer lives {least} to {most} seconds"));
        }
        self.at = join(&self.url)?;
        Ok(())
    }

    /// The request for a key. It has no body.
    ///
    /// # Errors
    /// When a field is missing, or can't stand in a header.
    pub fn ask(&self, from: &Credential, at: Timestamp) -> Result<Request<()>, CredentialError> {
        let life = self.life.to_string();
        let (method, query) = match self.form {
            IssuerForm::BaiduIam | IssuerForm::BaiduKey => (Method::GET, "expireInSeconds"),
            IssuerForm::Dashscope => (Method::POST, "expire_in_seconds"),
        };
        let path = self.at.path();
        let mut request = Request::new(());
        *request.uri_mut() = with_query(&self.at, query, &life);
        let headers = request.headers_mut();
        let proof = match self.form {
            IssuerForm::BaiduKey | IssuerForm::Dashscope => bearer("key", from.field("key")?)?,
            IssuerForm::BaiduIam => {
                let date = HeaderValue::try_from(signing::bce_date(at));
                let date = date.map_err(|_| CredentialError::Unreadable)?;
                headers.insert(HeaderName::from_static("x-bce-date"), date);
                let signed = signing::BceRequest {
                    method: method.as_str(),
                    host: self.at.authority().map_or("", |host| host.as_str()),
                    path,
                    query: &[(query, &life)],
                };
                let (key, secret) = (from.field("access_key")?, from.field("secret_key")?);
                sensitive("access_key", &signing::bce_authorization(key, secret, &signed, at))?
            }
        };
        headers.insert(AUTHORIZATION, proof);
        *request.method_mut() = method;
        Ok(request)
    }

    /// Reads the answer that came at this time by our clock.
    ///
    /// Where the platform tells when the key was made, its life counts from now: clocks
    /// differ.
    pub fn read(&self, body: &[u8], now: Timestamp) -> Option<Issued> {
        let (token, life) = match self.form {
            IssuerForm::BaiduIam | IssuerForm::BaiduKey => {
                let answer: BaiduAnswer = serde_json::from_slice(body).ok()?;
                (answer.token, answer.ends.duration_since(answer.created))
            }
            IssuerForm::Dashscope => {
                let answer: DashscopeAnswer = serde_json::from_slice(body).ok()?;
                let ends = Timestamp::from_second(answer.expires_at).ok()?;
                (answer.token, ends.duration_since(now))
            }
        };
        let key = Zeroizing::new(token);
        let longest = SignedDuration::from_secs(self.life.into());
        let ends_at = now.checked_add(life.min(longest)).ok()?;
        (!key.is_empty() && ends_at > now).then_some(Issued { key, ends_at })
    }
}

fn with_query(at: &Uri, name: &str, value: &str) -> Uri {
    let mut parts = at.clone().into_parts();
    let target = format!("{}?{name}={value}", at.path());
    parts.path_and_query = target.parse().ok();
    // An address with another query is one all the same.
    Uri::from_parts(parts).unwrap_or_else(|_| at.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platforms::Catalogue;

    fn ask(platform: &str, file: &str) -> (Issuer, Request<()>) {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let face = catalogue.platform(platform).unwrap().face(None).unwrap();
        let credential = Credential::parse(face, file).unwrap();
        let issuer = credential.issuer_for_checks(face).unwrap();
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        (issuer.clone(), issuer.ask(&credential, at).unwrap())
    }

    #[test]
    fn baidus_iam_is_asked_by_a_signature_or_by_a_long_lived_key() {
        let pair = r#"{"access_key":"ALTAKd41d8cd98f00b204e98","secret_key":"s"}"#;
        let (issuer, request) = ask("ernie", pair);
        let address = "https://iam.bj.baidubce.com/v1/BCE-BEARER/token?expireInSeconds=1800";
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::GET, address));
        assert_eq!(request.headers()["x-bce-date"], "2026-09-21T14:13:20Z");
        let proof = request.headers()["authorization"].to_str().unwrap();
        let begin =
            "bce-auth-v1/ALTAKd41d8cd98f00b204e98/2026-09-21T14:13:20Z/300/host;x-bce-date/";
        assert!(proof.starts_with(begin) && request.headers()["authorization"].is_sensitive());
        let (_, request) = ask("ernie", r#"{"scheme":"baidu_key","key":"bce-v3/ALTAK-1/2"}"#);
        assert_eq!(request.headers()["authorization"], "Bearer bce-v3/ALTAK-1/2");
        assert_eq!(request.uri().to_string(), address);
        // Twenty minutes by their clock, whatever that says.
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let body = br#"{"token":"bce-v3/ALTAK-t/1","createTime":"2031-01-01T00:00:00Z",
            "expireTime":"2031-01-01T00:20:00Z"}"#;
        let issued = issuer.read(body, now).unwrap();
        assert_eq!(issued.key.as_str(), "bce-v3/ALTAK-t/1");
        assert_eq!(issued.ends_at.as_second(), 1_790_000_000 + 1200);
        for body in ["", "<html>", "{}", r#"{"error":"invalid_client"}"#] {
            assert!(issuer.read(body.as_bytes(), now).is_none(), "{body}");
        }
    }

    #[test]
    fn dashscope_makes_temporary_keys_beside_both_of_its_faces() {
        let (issuer, request) = ask("qwen", "sk-1");
        assert_eq!(request.method(), &Method::POST);
        assert_eq!(
            request.uri().to_string(),
            "https://dashscope.aliyuncs.com/api/v1/tokens?expire_in_seconds=60"
        );
        assert_eq!(request.headers()["authorization"], "Bearer sk-1");
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let issued = issuer.read(br#"{"token":"st-1","expires_at":1790000060}"#, now).unwrap();
        assert_eq!((issued.key.as_str(), issued.ends_at.as_second()), ("st-1", 1_790_000_060));
        assert!(issuer.read(br#"{"token":"st-1","expires_at":1790000000}"#, now).is_none());
    }
}
