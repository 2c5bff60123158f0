//! The provider: leading a person there, and who came back.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType, CoreIdToken, CoreIdTokenClaims,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreRequestTokenError, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::{
    AdditionalProviderMetadata, AuthType, AuthorizationCode, ClaimsVerificationError, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, Nonce, OAuth2TokenResponse, PkceCodeChallenge,
    PkceCodeVerifier, ProviderMetadata, RequestTokenError, SignatureVerificationError,
    TokenResponse,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::http::{Http, NoAnswer};
use super::{Failure, Journey, Registration};
use crate::accounts::Subject;
use crate::telemetry::clock::Stopwatch;
use crate::upstream;

/// So long what a provider says of itself is not asked again.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// How an id token may be signed: by a key that is the provider's alone.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// What RFC 9207 adds to a provider's metadata.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NamesItself {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for NamesItself {}

type Metadata = ProviderMetadata<
    NamesItself,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Ours = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

struct Known {
    metadata: Metadata,
    since: Stopwatch,
}

/// What a browser brings back.
pub struct Returned<'a> {
    /// `state`
    pub state: Option<&'a str>,
    /// `iss` (RFC 9207)
    pub issuer: Option<&'a str>,
    /// `code`
    pub code: Option<&'a str>,
    /// `error`
    pub error: Option<&'a str>,
}

/// Who came back.
#[derive(Debug)]
pub struct Person {
    /// Whom the provider knows.
    pub subject: Subject,
    /// What it calls them: names that a user could have, the best one first.
    pub names: Vec<String>,
}

/// A provider, reached from one thread.
pub struct Provider {
    /// This gateway there.
    pub registration: Arc<Registration>,
    http: Http,
    known: ArcSwapOption<Known>,
}

impl Provider {
    /// The provider of a registration.
    ///
    /// # Errors
    /// When `ca_file` can't be read: the text names the file.
    pub fn new(
        registration: Arc<Registration>,
        settings: &upstream::Settings,
    ) -> Result<Self, String> {
        let http = Http::new(settings, registration.issuer.url())?;
        Ok(Self { registration, http, known: ArcSwapOption::empty() })
    }

    /// Where a person is led to.
    ///
    /// # Errors
    /// When the provider can't be used.
    pub async fn begin(&self, journey: &Journey) -> Result<Url, Failure> {
        let known = self.known(KNOWN_FOR).await?;
        let verifier = PkceCodeVerifier::new(journey.verifier());
        let (state, nonce) = (CsrfToken::new(journey.state()), Nonce::new(journey.nonce()));
        let (url, _, _) = self
            .client(&known.metadata)
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || state.clone(),
                move || nonce.clone(),
            )
            .add_scopes(self.registration.scopes.iter().cloned())
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Who came back from a journey.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn finish(
        &self,
        journey: &Journey,
        returned: Returned<'_>,
    ) -> Result<Person, Failure> {
        if !returned.state.is_some_and(|state| journey.is_state(state)) {
            return Err(Failure::NotOurs("the state is another browser's"));
        }
        let known = self.known(KNOWN_FOR).await?;
        let names_itself =
            known.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match returned.issuer {
            Some(issuer) if issuer == self.registration.issuer.as_str() => {}
            None if !names_itself => {}
            _ => return Err(Failure::NotOurs("another provider answers")),
        }
        let code = match (returned.code, returned.error) {
            (Some(code), None) => code,
            (None, Some(error)) => return Err(Failure::Denied { code: denial(error) }),
            _ => return Err(Failure::NotOurs("there is not one of code and error")),
        };
        let client = self.client(&known.metadata);
        let tokens = self.exchange(&client, code, journey).await?;
        let id_token =
            tokens.id_token().ok_or_else(|| Failure::BadToken("there is none".to_owned()))?;
        let nonce = Nonce::new(journey.nonce());
        let claims = match claims(&client, id_token, &nonce) {
            // The provider has begun to sign with another key.
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let known = self.known(Duration::ZERO).await?;
                claims(&self.client(&known.metadata), id_token, &nonce)
            }
            checked => checked,
        };
        let claims = claims.map_err(|error| Failure::BadToken(error.to_string()))?;
        self.person(&client, &tokens, claims).await
    }

    async fn exchange(
        &self,
        client: &Ours,
        code: &str,
        journey: &Journey,
    ) -> Result<CoreTokenResponse, Failure> {
        let asked = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| Failure::Unavailable("it has no token endpoint".to_owned()))?
            .set_pkce_verifier(PkceCodeVerifier::new(journey.verifier()))
            .request_async(&self.http)
            .await;
        asked.map_err(|error: CoreRequestTokenError<NoAnswer>| match error {
            RequestTokenError::ServerResponse(said) => match said.error() {
                CoreErrorResponseType::InvalidGrant => Failure::CodeRefused,
                other => Failure::Unavailable(format!("it refuses the gateway: {}", known(other))),
            },
            RequestTokenError::Request(error) => Failure::Unavailable(error.to_string()),
            // What could not be read may hold tokens.
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                Failure::Unavailable("its tokens can't be read".to_owned())
            }
        })
    }

    async fn person(
        &self,
        client: &Ours,
        tokens: &CoreTokenResponse,
        claims: &CoreIdTokenClaims,
    ) -> Result<Person, Failure> {
        let mut name = claims.preferred_username().map(|name| name.as_str().to_owned());
        let mut email = claims.email().map(|email| email.as_str().to_owned());
        let mut is_verified = claims.email_verified() == Some(true);
        // Strict providers tell of a person there alone.
        if name.is_none()
            && email.is_none()
            && let Ok(asked) =
                client.user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        {
            let told: CoreUserInfoClaims = asked
                .request_async(&self.http)
                .await
                .map_err(|_| Failure::Unavailable("it does not tell of the person".to_owned()))?;
            name = told.preferred_username().map(|name| name.as_str().to_owned());
            email = told.email().map(|email| email.as_str().to_owned());
            is_verified = told.email_verified() == Some(true);
        }
        let domains = &self.registration.email_domains;
        if !domains.is_empty() {
            let own = email.as_deref().filter(|_| is_verified).and_then(domain);
            if !own.is_some_and(|own| domains.iter().any(|it| it.eq_ignore_ascii_case(own))) {
                return Err(Failure::OtherDomain);
            }
        }
        let subject = claims.subject().as_str().to_owned();
        let names = [name, email, Some(subject.clone())].into_iter().flatten().collect();
        let issuer = self.registration.issuer.as_str().to_owned();
        Ok(Person { subject: Subject { issuer, subject }, names })
    }

    /// What the provider says of itself: learnt anew when it is older than this.
    async fn known(&self, not_older: Duration) -> Result<Arc<Known>, Failure> {
        if let Some(known) = self.known.load_full()
            && known.since.elapsed() < not_older
        {
            return Ok(known);
        }
        let since = Stopwatch::start();
        let found = Metadata::discover_async(self.registration.issuer.clone(), &self.http).await;
        let metadata = found.map_err(|error| Failure::Unavailable(upstream::chain(&error)))?;
        // A browser is led there: what it is shown must be the provider's.
        if !self.http.may_reach(metadata.authorization_endpoint().url()) {
            return Err(Failure::Unavailable(NoAnswer::Elsewhere.to_string()));
        }
        let known = Arc::new(Known { metadata, since });
        self.known.store(Some(known.clone()));
        Ok(known)
    }

    fn client(&self, metadata: &Metadata) -> Ours {
        let Registration { client_id, client_secret, redirect, .. } = &*self.registration;
        let offered = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| offered.is_some_and(|offered| offered.contains(&method));
        let style = match takes(CoreClientAuthMethod::ClientSecretPost)
            && !takes(CoreClientAuthMethod::ClientSecretBasic)
        {
            true => AuthType::RequestBody,
            false => AuthType::BasicAuth,
        };
        CoreClient::from_provider_metadata(
            metadata.clone(),
            client_id.clone(),
            client_secret.clone(),
        )
        .set_redirect_uri(redirect.clone())
        .set_auth_type(style)
    }
}

fn claims<'t>(
    client: &Ours,
    id_token: &'t CoreIdToken,
    nonce: &Nonce,
) -> Result<&'t CoreIdTokenClaims, ClaimsVerificationError> {
    id_token.claims(&client.id_token_verifier().set_allowed_algs(ALGORITHMS), nonce)
}

fn domain(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain)
}

/// OpenID's own codes; what else a provider says is not repeated.
fn denial(code: &str) -> &'static str {
    const KNOWN: [&str; 6] = [
        "access_denied",
        "login_required",
        "consent_required",
        "interaction_required",
        "account_selection_required",
        "temporarily_unavailable",
    ];
    KNOWN.into_iter().find(|known| *known == code).unwrap_or("another reason")
}

fn known(code: &CoreErrorResponseType) -> &'static str {
    match code {
        CoreErrorResponseType::InvalidClient => "invalid_client",
        CoreErrorResponseType::InvalidRequest => "invalid_request",
        CoreErrorResponseType::InvalidScope => "invalid_scope",
        CoreErrorResponseType::UnauthorizedClient => "unauthorized_client",
        CoreErrorResponseType::UnsupportedGrantType => "unsupported_grant_type",
        _ => "another reason",
    }
}
