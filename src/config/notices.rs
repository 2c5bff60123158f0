//! Where notices are sent: what `[notices]` says, with the secrets that it names.

use std::net::IpAddr;

use http::Uri;

use super::environment::Environment;
use super::operator_keys::is_variable;
use super::{Config, Mistake, Mistakes, Settings, Where};
use crate::relay::{Mail, MailTls, Sender, SmtpSettings, Webhook, WebhookSettings};

/// The ways out that are configured.
///
/// # Errors
/// Every secret that is missing or can't be used. None of the texts holds a part of one.
pub fn notice_senders(config: &Config, environment: &Environment) -> Result<Vec<Sender>, Mistakes> {
    let notices = &config.settings.notices;
    let (mut senders, mut mistakes) = (Vec::new(), Vec::new());
    let wrong = |variable: &str, what: &str, fix: &str| Mistake {
        at: Where::Variable { variable: variable.to_owned() },
        key: String::new(),
        what: what.to_owned(),
        fix: fix.to_owned(),
    };
    if let Some(WebhookSettings { url, secret_env }) = &notices.webhook {
        let fix = "set it to the webhook's secret: whsec_ and Base64";
        match environment.secret(secret_env) {
            None => mistakes.push(wrong(secret_env, "is not set", fix)),
            Some(secret) => match Webhook::new(url, &secret) {
                Ok(webhook) => senders.push(Sender::Webhook(webhook)),
                Err(why) => mistakes.push(wrong(secret_env, why, fix)),
            },
        }
    }
    if let Some(smtp) = &notices.smtp {
        let password = smtp.password_env.as_deref().map(|name| (name, environment.secret(name)));
        if let Some((name, None)) = &password {
            mistakes.push(wrong(name, "is not set", "set it to the mail server's password"));
        }
        let password = password.and_then(|(_, password)| password);
        match Mail::new(smtp, password.as_ref().map(|text| text.as_str())) {
            Ok(mail) => senders.push(Sender::Mail(mail)),
            Err(why) => mistakes.push(wrong("TRIBUTARY_NOTICES__SMTP", &why, "see [notices] smtp")),
        }
    }
    if mistakes.is_empty() { Ok(senders) } else { Err(Mistakes(mistakes)) }
}

/// What is wrong with `[notices]`: key, what, and what to do. No secret is read.
pub(super) fn misplaced(settings: &Settings) -> Vec<(&'static str, String, String)> {
    let notices = &settings.notices;
    let webhook = notices.webhook.as_ref().and_then(|webhook| {
        let allowed = &settings.upstream.allow_private;
        wrong_with_webhook(webhook, allowed).map(|(what, fix)| ("notices.webhook", what, fix))
    });
    let smtp = notices.smtp.as_ref().and_then(wrong_with_smtp);
    webhook.into_iter().chain(smtp.map(|(what, fix)| ("notices.smtp", what, fix))).collect()
}

fn wrong_with_webhook(webhook: &WebhookSettings, allowed: &[String]) -> Option<(String, String)> {
    let host_of = |url: &Uri| url.host().map(|host| host.trim_matches(['[', ']']).to_owned());
    let url: Option<Uri> = webhook.url.parse().ok();
    let may_be_plain = |host: &str| {
        host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()) || allowed.iter().any(|it| it == host)
    };
    let fits = url.as_ref().is_some_and(|url| match (url.scheme_str(), host_of(url)) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => may_be_plain(&host),
        _ => false,
    });
    if !fits {
        // Not repeated: such URLs often hold a secret.
        let fix = "write one with https; http only to an address of this machine, or a host of \
                   [upstream] allow_private";
        return Some(("has no URL that notices may go to".into(), fix.into()));
    }
    no_variable(&webhook.secret_env)
}

fn wrong_with_smtp(smtp: &SmtpSettings) -> Option<(String, String)> {
    if smtp.to.is_empty() {
        return Some(("sends to nobody".into(), "write addresses as `to = [\"…\"]`".into()));
    }
    if smtp.username.is_some() != smtp.password_env.is_some() {
        let fix = "write both `username` and `password_env`, or neither";
        return Some(("has half of a login".into(), fix.into()));
    }
    let is_here = smtp.host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if smtp.tls == MailTls::None && !is_here {
        let fix = "write `tls = \"starttls\"` or `\"implicit\"`";
        return Some(("would go unsealed through the net".into(), fix.into()));
    }
    smtp.password_env.as_deref().and_then(no_variable)
}

fn no_variable(name: &str) -> Option<(String, String)> {
    // Not repeated: it may be the secret itself.
    let fix = "write its name, of A-Z, 0-9 and _; never the secret";
    (!is_variable(name)).then(|| ("names no environment variable".into(), fix.into()))
}
