//! Notices as signed calls, as Standard Webhooks has them: HMAC-SHA256 over id, time and body
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{CONTENT_TYPE, USER_AGENT as AGENT};
use http::{Request, Uri};
use http_body_util::Full;
use serde_json::json;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::accounts::Notice;
use crate::telemetry::clock;
use crate::upstream::{Client, USER_AGENT};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a secret begins with, and how many bytes it may have.
const SECRET: &str = "whsec_";
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Where notices are posted, and what signs them.
pub struct Webhook {
    url: Uri,
    secret: Zeroizing<Vec<u8>>,
}

impl Webhook {
    /// A receiver.
    ///
    /// # Errors
    /// What is wrong, without the secret.
    pub fn new(url: &str, secret: &str) -> Result<Self, &'static str> {
        let url: Uri = url.parse().map_err(|_| "the URL can't be read")?;
        let text = secret.trim().strip_prefix(SECRET).ok_or("it does not begin with `whsec_`")?;
        let secret = STANDARD.decode(text).map_err(|_| "what follows `whsec_` is no Base64")?;
        let secret = Zeroizing::new(secret);
        if !SECRET_BYTES.contains(&secret.len()) {
            return Err("it has fewer than 24 or more than 64 bytes");
        }
        Ok(Self { url, secret })
    }

    /// Posts a notice; of a failure, why. No redirect is followed.
    pub(super) async fn send(&self, client: &Client, notice: &Notice) -> Result<(), String> {
        let (id, at_secs) = (notice.message_id(), clock::now().as_second());
        let body = json!({
            "type": format!("notice.{}", notice.matter.kind()),
            "timestamp": notice.at,
            "data": notice.facts(),
        })
        .to_string();
        let request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(AGENT, USER_AGENT)
            .header("webhook-id", &id)
            .header("webhook-timestamp", at_secs)
            .header("webhook-signature", sign(&self.secret, &id, at_secs, &body))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, client.knock(request)).await;
        match answer.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))? {
            Ok((status, ..)) if status.is_success() => Ok(()),
            Ok((status, ..)) => Err(format!("it answers {}", status.as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn sign(secret: &[u8], id: &str, at_secs: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes any key");
    mac.update(format!("{id}.{at_secs}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_specifications_example_is_signed_as_it_says() {
        let webhook = Webhook::new("https://example.org/hook", EXAMPLE).unwrap();
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed = sign(&webhook.secret, id, 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_that_is_none_is_refused_without_being_repeated() {
        for secret in ["", "secret", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ="] {
            let why = Webhook::new("https://example.org/", secret).err().unwrap();
            assert!(secret.len() < 7 || !why.contains(&secret[6..]), "{why}");
        }
        assert!(Webhook::new("https://example.org/", &format!("{EXAMPLE}\n")).is_ok());
        assert!(Webhook::new("no url", EXAMPLE).is_err());
    }
}
