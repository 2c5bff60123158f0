use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::*;

const KEY: &str = "sk-live-0123456789abcdefWXYZ";

fn percent(text: &str, upper: bool) -> String {
    let escape = |b: u8| match b {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    text.bytes().map(escape).collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn unicode(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
}

#[test]
fn a_body_without_secrets_is_passed_on_as_it_is() {
    let body = r#"{"error":"quota \"exceeded\" at 100%"}"#;
    assert!(matches!(mask(body, &[KEY]), Cow::Borrowed(same) if same == body));
    assert!(matches!(mask(body, &[]), Cow::Borrowed(_)));
    assert!(matches!(mask("", &[KEY]), Cow::Borrowed("")));
}

#[test]
fn a_long_secret_keeps_its_ends_and_a_short_one_nothing() {
    assert_eq!(mask(&format!("bad key {KEY}!"), &[KEY]), "bad key sk-l***WXYZ!");
    assert_eq!(mask("uid=hunter22;", &["hunter22"]), "uid=***;");
    let nineteen = "a".repeat(19);
    assert_eq!(mask(&nineteen, &[&nineteen]), "***");
    let twenty = "a".repeat(20);
    assert_eq!(mask(&twenty, &[&twenty]), "aaaa***aaaa");
}

#[test]
fn too_short_to_be_a_secret_eats_no_text() {
    assert_eq!(mask("error 401 at 1", &["1", "", "401"]), "error 401 at 1");
}

#[test]
fn escaped_forms_are_found() {
    let secret = "pass\"wörd/\\%41&\u{1f511}\n0123456789";
    for form in [
        json(secret),
        json(secret).replace('/', "\\/"),
        unicode(secret),
        unicode(secret).to_lowercase(),
        json(&json(secret)),
        percent(secret, true),
        percent(secret, false),
        percent(&percent(secret, true), true),
        percent(&json(secret), true),
        json(&percent(secret, false)),
    ] {
        let body = format!("{{\"error\":\"no such key {form} here\"}}");
        let masked = mask(&body, &[secret]);
        assert_eq!(masked, "{\"error\":\"no such key pass***6789 here\"}", "{form}");
    }
}

#[test]
fn base64_forms_are_found_at_every_offset() {
    for before in ["", "u", "us", "user:"] {
        for after in ["", "x", ":x"] {
            let whole = format!("{before}{KEY}{after}");
            for form in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                for form in [form.clone(), percent(&form, true), json(&form)] {
                    let body = format!("got Basic {form}\n");
                    let masked = mask(&body, &[KEY]);
                    let left = masked.trim_end().strip_prefix("got Basic ").unwrap();
                    let (left, right) = left.split_once("sk-l***WXYZ").expect(&masked);
                    let right = right.replace("%3D", "").replace('=', "");
                    // What stays are digits that the neighbours decide alone.
                    assert!(left.len() <= before.len() * 8 / 6, "{body} -> {masked}");
                    assert!(right.len() <= after.len() * 8 / 6 + 1, "{body} -> {masked}");
                }
            }
        }
    }
}

#[test]
fn a_secret_within_another_is_masked_with_it() {
    let whole = "0123456789abcdef.secretsecret";
    let id = "0123456789abcdef";
    for secrets in [[whole, id], [id, whole]] {
        assert_eq!(mask(&format!("<{whole}>"), &secrets), "<0123***cret>");
    }
    assert_eq!(mask("<abcdefghij>", &["abcdefg", "defghij"]), "<***>");
}

#[test]
fn a_masked_json_text_is_still_json() {
    let secret = "\"{quoted and long enough}\"";
    let body = serde_json::json!({ "error": { "message": secret } }).to_string();
    let masked = mask(&body, &[secret]);
    let read: serde_json::Value = serde_json::from_str(&masked).unwrap();
    assert_eq!(read["error"]["message"], "***");
}

proptest! {
    #[test]
    fn any_text_is_masked_without_a_panic(
        text in "([a-cé\\\\%u\"/0-9=+]|\\\\u[dD][89cC]00|%[cC]3|%[aA]9){0,40}",
        secrets in prop::collection::vec("[a-cé\\\\%u\"/]{0,6}", 0..4),
    ) {
        let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
        mask(&text, &secrets);
    }

    #[test]
    fn a_random_secret_survives_in_no_form(
        secret in "[ -~é中]{12,60}",
        before in "[a-z ]{0,5}",
        after in "[a-z ]{0,5}",
    ) {
        for form in [
            secret.clone(),
            json(&secret),
            unicode(&secret),
            percent(&secret, true),
            STANDARD.encode(format!("{before}{secret}{after}")),
            URL_SAFE_NO_PAD.encode(&secret),
        ] {
            let body = format!("{before}{form}{after}");
            let masked = mask(&body, &[&secret]);
            prop_assert!(!masked.contains(&form), "{masked}");
            prop_assert!(masked.contains("***"), "{masked}");
        }
    }
}
