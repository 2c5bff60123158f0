//! The OpenID provider: what `[oidc]` says, with the client's secret.

use std::net::IpAddr;

use url::{Host, Url};

use super::environment::Environment;
use super::operator_keys::is_variable;
use super::{Config, Mistake, Mistakes, Settings, Where};
use crate::oidc::Registration;

/// This gateway at the OpenID provider, if one is configured.
///
/// # Errors
/// The client's secret is missing.
pub fn oidc_registration(
    config: &Config,
    environment: &Environment,
) -> Result<Option<Registration>, Mistakes> {
    let Settings { oidc, server, .. } = &config.settings;
    let Some(public_url) = server.public_url.clone().filter(|_| oidc.issuer.is_some()) else {
        return Ok(None);
    };
    let wrong = |at, key: &str, what: &str, fix: &str| {
        Mistakes(vec![Mistake { at, key: key.into(), what: what.into(), fix: fix.into() }])
    };
    let secret = match &oidc.client_secret_env {
        None => None,
        Some(variable) => Some(environment.secret(variable).ok_or_else(|| {
            let at = Where::Variable { variable: variable.clone() };
            wrong(at, "", "is not set", "set it to the client's secret at the OpenID provider")
        })?),
    };
    let secret = secret.as_ref().map(|secret| secret.as_str());
    let registration = Registration::new(oidc, secret, &public_url.into()).map_err(|key| {
        let at = Where::Variable { variable: format!("TRIBUTARY_OIDC__{}", key.to_uppercase()) };
        wrong(at, key, "can't be used", "see [oidc]")
    })?;
    Ok(Some(registration))
}

/// What is wrong with `[oidc]`: key, what, and what to do. No secret is read.
pub(super) fn misplaced(settings: &Settings) -> Vec<(&'static str, String, String)> {
    let Settings { oidc, server, upstream, .. } = settings;
    let mut wrong = Vec::new();
    let mut tell = |key, what: &str, fix: &str| wrong.push((key, what.to_owned(), fix.to_owned()));
    let Some(issuer) = &oidc.issuer else {
        if oidc.client_id.is_some() || oidc.client_secret_env.is_some() {
            tell("oidc.issuer", "is missing", "write the issuer of the OpenID provider");
        }
        return wrong;
    };
    if !is_issuer(issuer, &upstream.allow_private) {
        let fix = "write it with https, as `https://id.example.com`; http only to an address of \
                   this machine, or a host of [upstream] allow_private";
        tell("oidc.issuer", "is no issuer of an OpenID provider", fix);
    }
    if oidc.client_id.is_none() {
        let fix = "write what the OpenID provider knows this gateway as";
        tell("oidc.client_id", "is missing", fix);
    }
    if server.public_url.is_none() {
        let fix = "set [server] public_url: the OpenID provider leads browsers back there";
        tell("oidc.issuer", "needs to know where browsers reach the gateway", fix);
    }
    if oidc.client_secret_env.as_deref().is_some_and(|name| !is_variable(name)) {
        // Not repeated: it may be the secret itself.
        let fix = "write its name, of A-Z, 0-9 and _; never the secret";
        tell("oidc.client_secret_env", "names no environment variable", fix);
    }
    let is_domain = |text: &String| !text.is_empty() && !text.contains(['@', ' ', '*']);
    if !oidc.email_domains.iter().all(is_domain) {
        tell("oidc.email_domains", "has what is no domain", "write each as `example.com`");
    }
    wrong
}

fn is_issuer(text: &str, allowed: &[String]) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    let is_bare = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let may_be_plain = match url.host() {
        Some(Host::Domain(name)) => allowed.iter().any(|known| known == name),
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    is_bare && (url.scheme() == "https" || (url.scheme() == "http" && may_be_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, secret: Option<&str>) -> Result<Option<Registration>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, text).unwrap();
        let secret = secret.map(|secret| ("OIDC_SECRET".to_owned(), secret.to_owned()));
        let environment = Environment::of(secret);
        let config = Config::load(Some(&file), &environment).map_err(|wrong| wrong.to_string())?;
        oidc_registration(&config, &environment).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_provider_is_configured_whole_or_not_at_all() {
        let whole = "[server]\npublic_url = \"https://gateway.example\"\n[oidc]\n\
                     issuer = \"https://id.example\"\nclient_id = \"gateway\"\n";
        assert!(load("", None).unwrap().is_none());
        assert!(load(whole, None).unwrap().is_some());
        let secret = format!("{whole}client_secret_env = \"OIDC_SECRET\"\n");
        let registration = load(&secret, Some("a secret of ours")).unwrap().unwrap();
        assert!(!format!("{registration:?}").contains("a secret of ours"));
        for (text, said) in [
            (secret.clone(), "OIDC_SECRET"),
            (whole.replace("public_url", "# public_url"), "public_url"),
            (whole.replace("client_id", "# client_id"), "oidc.client_id"),
            (whole.replace("issuer", "# issuer"), "oidc.issuer"),
            (whole.replace("https://id", "http://id"), "with https"),
            (whole.replace("https://id.example", "http://192.0.2.1"), "with https"),
            (whole.replace("https://id", "https://me:secret@id"), "no issuer"),
            (whole.replace("https://id.example", "https://id.example/?a=b"), "no issuer"),
            (format!("{whole}client_secret_env = \"s3cret!\"\n"), "no environment variable"),
            (format!("{whole}email_domains = [\"@example.com\"]\n"), "no domain"),
        ] {
            let wrong = load(&text, None).unwrap_err();
            assert!(wrong.contains(said) && !wrong.contains("s3cret"), "{text}: {wrong}");
        }
        for (plain, allowed) in [("127.0.0.1:4000", ""), ("id.example", "id.example")] {
            let text = whole.replace("https://id.example", &format!("http://{plain}"));
            let text = format!("{text}[upstream]\nallow_private = [\"{allowed}\"]\n");
            assert!(load(&text, None).unwrap().is_some(), "{plain}");
        }
    }
}
