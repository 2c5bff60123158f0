//! Our client to platforms, as the OpenID library wants it: bounded answers, a limit on the
//! whole of each call, no redirects, and nothing in clear but to where the operator says.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http::header::USER_AGENT;
use http_body_util::Full;
use jiff::SignedDuration;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

use crate::upstream::{self, Client, SendFailure};

/// The longest answer of a provider, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;
/// The longest that one call of a provider may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Why a provider did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// It would go in clear, or to an address that nobody wrote into the file.
    #[error("the provider names an address that nothing is sent to")]
    Elsewhere,
    #[error("no answer within {} s", WITHIN.as_secs())]
    TooSlow,
    #[error(transparent)]
    Failed(#[from] SendFailure),
}

/// The way to one provider.
pub(super) struct Http {
    client: Client,
    issuer: Url,
}

impl Http {
    pub(super) fn new(settings: &upstream::Settings, issuer: &Url) -> Result<Self, String> {
        let within = SignedDuration::try_from(WITHIN).expect("some seconds are in range");
        let settings = upstream::Settings {
            whole_answer_timeout: within,
            gap_timeout: within,
            max_answer_bytes: LONGEST_ANSWER,
            ..settings.clone()
        };
        Ok(Self { client: Client::new(&settings)?, issuer: issuer.clone() })
    }

    /// Whether something may be sent there. A provider names addresses of its own: over TLS if
    /// the issuer's is, and none as a number but the issuer's, which no resolver looked at.
    pub(super) fn may_reach(&self, url: &Url) -> bool {
        let is_sealed = url.scheme() == "https" || url.scheme() == self.issuer.scheme();
        let is_name = matches!(url.host(), Some(url::Host::Domain(_)));
        is_sealed && (is_name || url.host() == self.issuer.host())
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, NoAnswer> {
        let (mut head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).map_err(|_| NoAnswer::Elsewhere)?;
        if !self.may_reach(&url) {
            return Err(NoAnswer::Elsewhere);
        }
        head.headers.insert(USER_AGENT, upstream::USER_AGENT);
        let request = Request::from_parts(head, Full::new(Bytes::from(body)));
        let reply = self.client.open_whole(request).await?;
        let body = self.client.collect(reply.body).await?;
        let mut response = HttpResponse::new(body.into());
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = NoAnswer;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, NoAnswer>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = tokio::time::timeout(WITHIN, self.send(request)).await;
            answer.map_err(|_| NoAnswer::TooSlow)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_names_is_sealed_and_no_neighbour() {
        let may = |issuer: &str, url: &str| {
            let issuer = Url::parse(issuer).unwrap();
            let http = Http::new(&upstream::Settings::default(), &issuer).unwrap();
            http.may_reach(&Url::parse(url).unwrap())
        };
        let issuer = "https://id.example";
        for good in ["https://id.example/token", "https://keys.example:8443/jwks"] {
            assert!(may(issuer, good), "{good}");
        }
        for bad in [
            "http://id.example/token",
            "https://169.254.169.254/token",
            "https://[::1]/token",
            "ws://id.example/",
            "file:///etc/passwd",
        ] {
            assert!(!may(issuer, bad), "{bad}");
        }
        assert!(may("http://127.0.0.1:1", "http://127.0.0.1:2/token"));
        assert!(!may("http://127.0.0.1:1", "http://127.0.0.2:2/token"));
    }
}
