//! `[notices]`

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where notices about accounts are sent, beside `GET /api/v1/notices`: all of them, to the
/// operator's own receivers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoticeSettings {
    /// A URL that each notice is posted to, signed as Standard Webhooks are: `{ url =
    /// "https://example.org/hook", secret_env = "HOOK_SECRET" }`. The variable holds
    /// `whsec_` and 24 to 64 bytes in Base64.
    pub webhook: Option<WebhookSettings>,
    /// A mail server that each notice is sent by: `{ host = "smtp.example.org", from =
    /// "gateway@example.org", to = ["ops@example.org"], username = "gateway", password_env =
    /// "SMTP_PASSWORD" }`; `tls` is `starttls` (port 587), `implicit` (465) or `none` (25, to
    /// an address of this machine alone), `port` another port.
    pub smtp: Option<SmtpSettings>,
}

/// A receiver of signed calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where notices are posted.
    pub url: String,
    /// The environment variable that holds the secret.
    pub secret_env: String,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Its name, or its address.
    pub host: String,
    /// Its port, if not the usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is sealed.
    #[serde(default)]
    pub tls: MailTls,
    /// Who logs in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The environment variable that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// Whose mails they are.
    pub from: String,
    /// Who gets them.
    pub to: Vec<String>,
}

/// How a connection to a mail server is sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// From the beginning.
    Implicit,
    /// By STARTTLS, without which nothing is sent.
    #[default]
    Starttls,
    /// Not at all.
    None,
}
