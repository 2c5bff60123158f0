use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;

use super::*;
use crate::platforms::{Catalogue, DialectName, UpstreamRequest};

fn catalogue() -> Catalogue {
    Catalogue::load(&toml::Table::new()).unwrap()
}

fn face(platform: &str) -> std::sync::Arc<Face> {
    catalogue().platform(platform).unwrap().face(None).unwrap().clone()
}

/// Sealed, opened and proved.
fn proved(platform: &str, credential: &Credential) -> Result<(Proof, HeaderMap), CredentialError> {
    let (proof, request) = sent(&face(platform), credential)?;
    Ok((proof, request.headers))
}

/// Sealed, opened and proved at a face.
fn sent(face: &Face, credential: &Credential) -> Result<(Proof, UpstreamRequest), CredentialError> {
    let credential = Credential::from_sealed(&credential.to_sealed())?;
    let at = Timestamp::from_second(1_790_000_000).unwrap();
    let mut request = UpstreamRequest {
        url: "wss://h/v1.1/chat".parse().unwrap(),
        body: "{}".into(),
        streams: true,
        headers: HeaderMap::new(),
    };
    let proof = credential.prove(face, at, &mut request)?;
    Ok((proof, request))
}

fn headers(platform: &str, file: &str) -> Result<HeaderMap, CredentialError> {
    let credential = Credential::parse(&face(platform), file)?;
    proved(platform, &credential).map(|(_, headers)| headers)
}

fn secret(text: &str) -> Secret {
    Zeroizing::new(text.to_owned())
}

fn named(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), secret(value))).collect()
}

#[test]
fn a_raw_key_and_an_object_become_headers_that_are_not_logged() {
    let headers_raw = headers("openai", " sk-1\n").unwrap();
    assert_eq!(headers_raw["authorization"], "Bearer sk-1");
    assert!(headers_raw["authorization"].is_sensitive());
    let file = r#"{"key":"sk-1","organization":"org-2"}"#;
    let both = headers("openai", file).unwrap();
    assert_eq!(both["openai-organization"], "org-2");
}

#[test]
fn what_was_sealed_before_there_were_schemes_opens() {
    let plain = br#"{"key":"sk-1","organization":"org-2"}"#;
    let old = Credential::from_sealed(plain).unwrap();
    assert_eq!(&*old.to_sealed(), plain);
    assert!(matches!(old, Credential::Key { scheme: None, .. }));
}

#[test]
fn what_is_no_sealed_credential_is_unreadable() {
    for plain in [
        "",
        "sk-1",
        "[]",
        "{}",
        r#"{"key":"sk-1""#,
        r#"{"key":1}"#,
        r#"{"kind":"oauth","key":"sk-1"}"#,
        r#"{"kind":"ticket","key":"sk-1"}"#,
        r#"{"kind":"session","cookies":"a=1"}"#,
    ] {
        let read = Credential::from_sealed(plain.as_bytes()).err();
        assert_eq!(read, Some(CredentialError::Unreadable), "{plain}");
    }
}

#[test]
fn a_key_stands_bare_in_the_header_that_the_catalogue_names() {
    let headers = headers("claude", "sk-ant-1").unwrap();
    assert_eq!(headers["x-api-key"], "sk-ant-1");
    assert!(headers["x-api-key"].is_sensitive() && headers.len() == 1);
    let spec = toml::from_str::<CredentialSpec>("scheme = { header = 'a b' }");
    assert!(spec.unwrap_err().to_string().contains("`a b` is no header's name"));
}

#[test]
fn a_key_of_zhipu_signs_a_token_where_its_file_says_so() {
    let key = "0123456789abcdef0123456789abcdef.0123456789abcdEF";
    assert_eq!(headers("glm", key).unwrap()["authorization"], format!("Bearer {key}"));
    let file = format!(r#"{{"scheme":"zhipu_jwt","key":"{key}"}}"#);
    let credential = Credential::parse(&face("glm"), &file).unwrap();
    let (proof, headers) = proved("glm", &credential).unwrap();
    let sent = headers["authorization"].to_str().unwrap();
    let token = sent.strip_prefix("Bearer eyJ").unwrap();
    assert!(!sent.contains("0123456789abcdEF") && headers["authorization"].is_sensitive());
    // The token is a secret for as long as it lives, as the key is.
    assert!(proof.secrets().contains(&format!("eyJ{token}").as_str()), "the token is masked");
    assert!(proof.secrets().contains(&key));
}

#[test]
fn an_access_key_pair_is_never_sent_in_a_call() {
    let face = face("ernie");
    let pair = r#"{"access_key":"ALTAK1","secret_key":"s","appid":"app-1"}"#;
    let credential = Credential::parse(&face, pair).unwrap();
    assert!(credential.issuer(&face).is_some());
    let error = proved("ernie", &credential).map(drop).unwrap_err();
    assert_eq!(error, CredentialError::Missing("issued".to_owned()));
    let (proof, headers) =
        proved("ernie", &credential.with_issued(secret("bce-v3/short"))).unwrap();
    assert_eq!(headers["authorization"], "Bearer bce-v3/short");
    assert_eq!(headers["appid"], "app-1");
    assert_eq!(headers.len(), 2);
    assert!(proof.secrets().contains(&"s") && proof.secrets().contains(&"bce-v3/short"));
}

#[test]
fn a_login_is_sent_as_a_token_or_as_it_was_captured() {
    let token = Credential::Oauth { access_token: secret("at-1") };
    for platform in ["qwen", "claude"] {
        let (proof, headers) = proved(platform, &token).unwrap();
        assert_eq!(headers["authorization"], "Bearer at-1");
        assert!(headers.len() == 1 && headers["authorization"].is_sensitive());
        assert_eq!(proof.secrets(), ["at-1"]);
    }
    let session = Credential::Session {
        cookies: named(&[("sid", "c-1"), ("csrf", "c-2")]),
        headers: named(&[("X-Csrf", "c-2"), ("Authorization", "Bearer h-1")]),
    };
    let (proof, headers) = proved("qwen", &session).unwrap();
    assert_eq!(headers["cookie"], "csrf=c-2; sid=c-1");
    assert_eq!(
        (&headers["x-csrf"], &headers["authorization"]),
        (&"c-2".parse().unwrap(), &"Bearer h-1".parse().unwrap())
    );
    assert!(headers.values().all(HeaderValue::is_sensitive));
    for held in ["c-1", "c-2", "Bearer h-1"] {
        assert!(proof.secrets().contains(&held), "{held}");
    }
}

#[test]
fn a_login_changes_no_message_it_is_sent_with() {
    for (cookies, headers, field) in [
        (named(&[]), named(&[("host", "evil.test")]), "host"),
        (named(&[]), named(&[("Transfer-Encoding", "chunked")]), "Transfer-Encoding"),
        (named(&[]), named(&[("x-a", "1\r\nx-b: 2")]), "x-a"),
        (named(&[("sid", "1; admin=1")]), named(&[]), "sid"),
        (named(&[("a=b", "1")]), named(&[]), "a=b"),
    ] {
        let error = proved("qwen", &Credential::Session { cookies, headers }).map(drop);
        assert_eq!(error, Err(CredentialError::Unfit(field.to_owned())));
    }
}

#[test]
fn a_face_is_picked_by_what_the_credential_is() {
    let (ernie, openai) = (face("ernie"), face("openai"));
    let pair = Credential::parse(&ernie, r#"{"access_key":"a","secret_key":"s"}"#).unwrap();
    assert!(pair.fits(&ernie) && !pair.fits(&openai));
    let mut keys_alone = toml_face("takes = ['key']");
    assert!(!Credential::Oauth { access_token: secret("a") }.fits(&keys_alone));
    keys_alone.credential.takes.push(Kind::Oauth);
    assert!(Credential::Oauth { access_token: secret("a") }.fits(&keys_alone));
}

fn toml_face(credential: &str) -> Face {
    let text = format!(
        "[platforms.x.faces.openai_chat]\nbase_url = 'https://x/v1'\n\
         [platforms.x.faces.openai_chat.credential]\n{credential}"
    );
    let catalogue = Catalogue::load(&text.parse().unwrap()).unwrap();
    let face = catalogue.platform("x").unwrap().face(None).unwrap().clone();
    drop(catalogue);
    std::sync::Arc::into_inner(face).unwrap()
}

#[test]
fn what_cannot_work_is_refused_when_it_is_bound() {
    let missing = |field: &str| CredentialError::Missing(field.to_owned());
    for (platform, file, error) in [
        ("openai", " ", CredentialError::Empty),
        ("openai", "{}", missing("key")),
        ("openai", "{\"key\":1}", CredentialError::Unreadable),
        ("openai", r#"{"key":"k","x":"y"}"#, CredentialError::Unknown("x".to_owned())),
        ("openai", "a\nb", CredentialError::Unfit("key".to_owned())),
        (
            "openai",
            r#"{"key":"k","scheme":"zhipu_jwt"}"#,
            CredentialError::NoScheme("left out".into()),
        ),
        ("ernie", r#"{"access_key":"a"}"#, missing("secret_key")),
        ("ernie", r#"{"secret_key":"a","appid":"x"}"#, missing("access_key")),
        ("ernie", r#"{"scheme":"baidu_key","secret_key":"a"}"#, missing("key")),
        ("ernie", r#"{"access_key":"a","secret_key":""}"#, CredentialError::Empty),
        (
            "ernie",
            r#"{"scheme":"sk-mine","key":"k"}"#,
            CredentialError::NoScheme("baidu_iam, baidu_key".into()),
        ),
    ] {
        let refused = headers(platform, file).map(drop).unwrap_err();
        assert_eq!(refused, error, "{platform} {file}");
        assert!(!refused.to_string().contains("sk-mine"));
    }
    let malformed = headers("glm", r#"{"scheme":"zhipu_jwt","key":"sk-secret"}"#).unwrap_err();
    assert!(malformed.to_string().ends_with("`key` is not of the form `id.secret`"));
}

const TRIPLE: &str = r#"{"app_id":"5f0a1b2c","api_key":"k","api_secret":"s"}"#;

fn spark_ws() -> std::sync::Arc<Face> {
    catalogue().platform("spark").unwrap().face(Some(DialectName::SparkWs)).unwrap().clone()
}

#[test]
fn three_fields_sign_an_address_and_name_the_app_in_the_frame() {
    let face = spark_ws();
    let (proof, request) = sent(&face, &Credential::parse(&face, TRIPLE).unwrap()).unwrap();
    let url = request.url.to_string();
    assert!(url.contains("&date=Mon%2C+21+Sep+2026+14%3A13%3A20+GMT&host=h"), "{url}");
    assert!(request.headers.is_empty());
    assert_eq!(request.body, r#"{"header":{"app_id":"5f0a1b2c"}}"#);
    let mut again = request.clone();
    let proof = proof.again(&face, Timestamp::UNIX_EPOCH, &mut again).unwrap();
    assert!(again.url.to_string().contains("&date=Thu%2C+01+Jan+1970+"), "{}", again.url);
    assert_eq!(proof.secrets()[..3], ["k", "s", "5f0a1b2c"]);
}

#[test]
fn a_triple_and_an_api_password_each_fit_one_face_of_spark() {
    let catalogue = catalogue();
    let spark = catalogue.platform("spark").unwrap();
    for (file, dialect) in [(TRIPLE, DialectName::SparkWs), ("password", DialectName::OpenaiChat)] {
        let taken = spark.faces.iter().filter_map(|face| Credential::parse(face, file).ok());
        let taken: Vec<Credential> = taken.collect();
        assert_eq!(taken.len(), 1, "{file}");
        assert_eq!(spark.face_for(None, &taken[0]).unwrap().dialect, dialect);
    }
    let error = |file: &str| Credential::parse(&spark_ws(), file).err().unwrap();
    assert_eq!(
        error(r#"{"app_id":"a","api_key":"k"}"#),
        CredentialError::Missing("api_secret".to_owned())
    );
    let unfit = TRIPLE.replace("\"s\"", "\"s\\n\"");
    assert_eq!(error(&unfit), CredentialError::Unfit("api_secret".to_owned()));
}

#[test]
fn what_must_not_be_repeated_is_each_part_that_is_secret_and_what_was_made_of_it() {
    let zhipu = r#"{"scheme":"zhipu_jwt","key":"0123456789abcdef.fedcba9876543210"}"#;
    let zhipu = Credential::parse(&face("glm"), zhipu).unwrap();
    let (proof, headers) = proved("glm", &zhipu).unwrap();
    let token = headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ");
    let parts = ["0123456789abcdef.fedcba9876543210", "fedcba9876543210", token];
    for part in parts {
        assert!(proof.secrets().contains(&part), "{part}");
    }
    // Nor once it is all that is left of the proof.
    let left = proof.into_secrets();
    for part in parts {
        assert!(left.all().contains(&part), "{part}");
    }
    let short = Credential::parse(&face("openai"), "sk-a.tail").unwrap();
    assert_eq!(short.secrets(), ["sk-a.tail"]);
    let triple = r#"{"app_id":"app1","api_key":"the-api-key","api_secret":"the-api-secret"}"#;
    let triple = Credential::parse(&spark_ws(), triple).unwrap();
    let (proof, request) = sent(&spark_ws(), &triple).unwrap();
    let query = request.url.query().unwrap();
    let written = proof.secrets().into_iter().filter(|secret| {
        let coded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        query.contains(&format!("authorization={coded}"))
    });
    assert_eq!(written.count(), 1, "{query}");
}
