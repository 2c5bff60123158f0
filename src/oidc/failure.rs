//! Why nobody came back from the provider.

/// A sign-in at a provider that came to nothing.
///
/// The texts are for the log, and hold nothing secret: of what a provider says they have at
/// most the issuer and the audiences of an id token that is refused.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It was begun in another browser, too long ago, or not at all; or another provider answers.
    #[error("{0}")]
    NotOurs(&'static str),
    /// The person, or the provider, said no.
    #[error("the provider let nobody in: {code}")]
    Denied {
        /// The provider's code, where it is one of OpenID's.
        code: &'static str,
    },
    /// The provider does not take the code: it was used, or is not for this sign-in.
    #[error("the provider does not take the code")]
    CodeRefused,
    /// The e-mail address is of another domain, or not verified.
    #[error("the e-mail address is of no domain that may sign in, or is not verified")]
    OtherDomain,
    /// The provider does not answer, or not as one.
    #[error("the provider can't be used: {0}")]
    Unavailable(String),
    /// The id token proves nothing to us.
    #[error("the id token is refused: {0}")]
    BadToken(String),
}
