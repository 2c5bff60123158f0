//! Spark's proof: an address that is signed for each connection.
//!
//! HMAC-SHA256 over host, date and request line goes into the address' query (iFlytek,
//! 通用鉴权URL生成说明; `_create_url` of `spark_ai_python` 0.4.5). The platform refuses a date
//! that is more than 300 s from its own. The request frame names the app beside it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Uri;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use super::hmac_sha256;
use crate::front::object::{Object, text_to_json};
use crate::platforms::UpstreamRequest;

/// What signs.
pub(in crate::platforms) struct Keys<'a> {
    pub(in crate::platforms) app_id: &'a str,
    pub(in crate::platforms) api_key: &'a str,
    pub(in crate::platforms) api_secret: &'a str,
}

impl Keys<'_> {
    /// Signs a request's address at this time, and names the app in its frame; nothing where
    /// the address has no host, or the body is no frame.
    pub(in crate::platforms) fn sign(
        &self,
        request: &mut UpstreamRequest,
        at: Timestamp,
    ) -> Option<()> {
        request.url = self.address(&request.url, at)?;
        request.body = self.name_app(&request.body)?;
        Some(())
    }

    fn address(&self, url: &Uri, at: Timestamp) -> Option<Uri> {
        let host = url.authority()?.as_str();
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
        let signature = self.signature(host, &date, url.path());
        let proof = Zeroizing::new(format!(
            r#"api_key="{}", algorithm="hmac-sha256", headers="host date request-line", signature="{signature}""#,
            self.api_key
        ));
        let query = Serializer::new(String::new())
            .append_pair("authorization", &STANDARD.encode(&*proof))
            .append_pair("date", &date)
            .append_pair("host", host)
            .finish();
        let scheme = url.scheme_str()?;
        format!("{scheme}://{host}{}?{query}", url.path()).parse().ok()
    }

    fn signature(&self, host: &str, date: &str, path: &str) -> String {
        let text = format!("host: {host}\ndate: {date}\nGET {path} HTTP/1.1");
        STANDARD.encode(hmac_sha256(self.api_secret.as_bytes(), text.as_bytes()))
    }

    /// The request frame with the app that it is for; nothing where it is no frame.
    fn name_app(&self, frame: &Bytes) -> Option<Bytes> {
        let mut frame = Object::parse(std::str::from_utf8(frame).ok()?).ok()?;
        let mut header = Object::default();
        header.set("app_id", text_to_json(self.app_id));
        let theirs = frame.get("header").and_then(|json| Object::parse(json).ok());
        for (name, json) in theirs.unwrap_or_default().iter() {
            if name != "app_id" {
                header.set(name.to_owned(), json.to_owned());
            }
        }
        let header = header.to_json();
        frame.set("header", header);
        Some(frame.to_json().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: Keys<'_> = Keys {
        app_id: "5f0a1b2c",
        api_key: "0123456789abcdef0123456789abcdef",
        api_secret: "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4",
    };

    #[test]
    fn an_address_is_signed_as_the_vendors_sdk_signs_it() {
        let url = "wss://spark-api.xf-yun.com/v4.0/chat".parse().unwrap();
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        let signed = "wss://spark-api.xf-yun.com/v4.0/chat?authorization=YXBpX2tleT0iMDEyMzQ1Njc4\
                      OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCBhbGdvcml0aG09ImhtYWMtc2hhMjU2IiwgaGVhZGVy\
                      cz0iaG9zdCBkYXRlIHJlcXVlc3QtbGluZSIsIHNpZ25hdHVyZT0iUk5sSnJZaDREOEhOSi8rdHVl\
                      V1VxYXFCZndTU2g4UFJtcVVxZDBabWppVT0i&date=Mon%2C+21+Sep+2026+14%3A13%3A20+\
                      GMT&host=spark-api.xf-yun.com";
        assert_eq!(KEYS.address(&url, at).unwrap().to_string(), signed);
    }

    #[test]
    fn the_signature_is_the_one_that_the_vendor_publishes() {
        let keys = Keys { api_secret: "MjlmNzkzNmZkMDQ2OTc0ZDdmNGE2ZTZi", ..KEYS };
        let date = "Fri, 05 May 2023 10:43:39 GMT";
        let signature = keys.signature("spark-api.xf-yun.com", date, "/v1.1/chat");
        assert_eq!(signature, "z5gHdu3pxVV4ADMyk467wOWDQ9q6BQzR3nfMTjc/DaQ=");
    }

    #[test]
    fn a_port_is_part_of_the_host_that_is_signed() {
        let url = "ws://127.0.0.1:8080/v1.1/chat".parse().unwrap();
        let signed = KEYS.address(&url, Timestamp::UNIX_EPOCH).unwrap().to_string();
        assert!(signed.ends_with("&host=127.0.0.1%3A8080"), "{signed}");
    }

    #[test]
    fn the_frame_names_its_app_first_and_keeps_the_rest() {
        let frame = Bytes::from_static(br#"{"header":{"uid":"me"},"payload":{"a":1.50}}"#);
        let named = KEYS.name_app(&frame).unwrap();
        assert_eq!(named, r#"{"header":{"app_id":"5f0a1b2c","uid":"me"},"payload":{"a":1.50}}"#);
        assert_eq!(KEYS.name_app(&Bytes::from_static(b"[]")), None);
    }
}
