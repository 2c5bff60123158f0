//! Proofs that are made for one request: Zhipu's token and Baidu's signature, checked as the
//! vendors document them.
//!
//! A platform knows the secrets that it gave out. Here a secret follows from its id, so that
//! any id is good: of a Zhipu key it is the id's last 16 characters, of a Baidu access key it
//! is the key written backwards.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, Method, Uri};
use serde_json::Value;
use sha2::Sha256;

use super::clock;

/// How far ahead of the platform's clock a caller's may be, in seconds.
const SKEW_S: u64 = 300;

fn mac(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(message);
    Some(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id of the key that signed a token of Zhipu's, if all of it is right: HS256, `sign_type`
/// `SIGN`, an end ahead and a time that is not, both in milliseconds, and the signature.
pub(super) fn zhipu_id(token: &str) -> Option<String> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let json = |part: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
    };
    let (header, claims) = (json(header)?, json(claims)?);
    let id = claims["api_key"].as_str()?;
    let secret = id.len().checked_sub(16).and_then(|at| id.get(at..))?;
    let (end, at) = (claims["exp"].as_u64()?, claims["timestamp"].as_u64()?);
    let now = clock::now_ms();
    // Seconds in the place of milliseconds are long past.
    let in_time = now < end && at <= now + 1000 * SKEW_S && now <= at + 24 * 3_600_000;
    let right =
        mac(secret.as_bytes(), signed.as_bytes())? == URL_SAFE_NO_PAD.decode(signature).ok()?;
    (header["alg"] == "HS256" && header["sign_type"] == "SIGN" && in_time && right)
        .then(|| id.to_owned())
}

/// Why Baidu's IAM refuses a signature: its code and its words.
pub(super) type Refused = (u16, &'static str, &'static str);

/// The access key that signed a request by `bce-auth-v1`.
pub(super) fn bce_access_key(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    authorization: &str,
) -> Result<String, Refused> {
    const MALFORMED: Refused =
        (400, "InvalidHTTPAuthHeader", "The HTTP authorization header is invalid.");
    const WRONG: Refused = (
        400,
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
    );
    let parts: Vec<&str> = authorization.split('/').collect();
    let ["bce-auth-v1", key, date, life, signed, signature] = parts[..] else {
        return Err(MALFORMED);
    };
    if !key.starts_with("ALTAK") || key.len() < 8 {
        return Err((403, "InvalidAccessKeyId", "The Access Key ID you provided does not exist."));
    }
    let at: jiff::Timestamp = date.parse().map_err(|_| MALFORMED)?;
    let at = u64::try_from(at.as_second()).map_err(|_| MALFORMED)?;
    let life: u64 = life.parse().map_err(|_| MALFORMED)?;
    let now = clock::now_s();
    if now > at + life || at > now + SKEW_S {
        return Err((400, "RequestExpired", "Request has expired."));
    }
    let names: Vec<&str> = signed.split(';').collect();
    if !names.contains(&"host") {
        return Err(MALFORMED);
    }
    let mut lines = Vec::new();
    for name in names {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).ok_or(WRONG)?;
        if !value.trim().is_empty() {
            lines.push(format!("{}:{}", encoded(name), encoded(value.trim())));
        }
    }
    lines.sort();
    let mut query: Vec<String> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    query.sort();
    let text = [method.as_str(), uri.path(), &query.join("&"), &lines.join("\n")].join("\n");
    let secret: String = key.chars().rev().collect();
    let prefix = format!("bce-auth-v1/{key}/{date}/{life}");
    let signing_key = mac(secret.as_bytes(), prefix.as_bytes()).ok_or(WRONG)?;
    let right = mac(hex(&signing_key).as_bytes(), text.as_bytes()).ok_or(WRONG)?;
    if hex(&right) == signature { Ok(key.to_owned()) } else { Err(WRONG) }
}

/// Percent-encoded, all but RFC 3986's unreserved characters.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
