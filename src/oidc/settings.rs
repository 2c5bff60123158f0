//! `[oidc]`

use openidconnect::{ClientId, ClientSecret, IssuerUrl, RedirectUrl, Scope};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An OpenID provider that people may sign in at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Its issuer, as `https://id.example.com`; without one there is no such sign-in. It
    /// needs `[server] public_url`: register `PUBLIC_URL/api/v1/oidc/callback` there.
    pub issuer: Option<String>,
    /// What the provider knows this gateway as.
    pub client_id: Option<String>,
    /// The variable that holds the client's secret, where it has one.
    pub client_secret_env: Option<String>,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// Whether somebody whom the gateway does not know becomes a member. Else only those can
    /// sign in so who have connected the provider while they were signed in by password.
    pub new_users: bool,
    /// Where this is not empty, only e-mail addresses of these domains, which the provider
    /// has verified, may sign in so.
    pub email_domains: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: None,
            client_id: None,
            client_secret_env: None,
            scopes: vec!["profile".into(), "email".into()],
            new_users: false,
            email_domains: Vec::new(),
        }
    }
}

/// This gateway at a provider, whole.
#[derive(Debug)]
pub struct Registration {
    pub(super) issuer: IssuerUrl,
    pub(super) client_id: ClientId,
    pub(super) client_secret: Option<ClientSecret>,
    pub(super) redirect: RedirectUrl,
    pub(super) scopes: Vec<Scope>,
    pub(super) email_domains: Vec<String>,
    /// Whether somebody whom the gateway does not know becomes a member.
    pub new_users: bool,
}

impl Registration {
    /// What the provider sends people back to.
    pub const CALLBACK: &str = "/api/v1/oidc/callback";

    /// Of settings that name an issuer and a client, with the client's secret.
    ///
    /// # Errors
    /// What can't be read, by its key.
    pub fn new(
        settings: &Settings,
        client_secret: Option<&str>,
        public_url: &url::Url,
    ) -> Result<Self, &'static str> {
        let issuer = settings.issuer.clone().ok_or("issuer")?;
        let mut redirect = public_url.clone();
        redirect.set_path(Self::CALLBACK);
        Ok(Self {
            issuer: IssuerUrl::new(issuer).map_err(|_| "issuer")?,
            client_id: ClientId::new(settings.client_id.clone().ok_or("client_id")?),
            client_secret: client_secret.map(|secret| ClientSecret::new(secret.to_owned())),
            redirect: RedirectUrl::from_url(redirect),
            scopes: settings.scopes.iter().cloned().map(Scope::new).collect(),
            email_domains: settings.email_domains.clone(),
            new_users: settings.new_users,
        })
    }
}
