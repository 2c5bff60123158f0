//! What a browser keeps while its person is at the provider: one secret, in a cookie.
//!
//! State, nonce and PKCE verifier are made of it, so that nothing is written down anywhere and
//! every gateway can take the person back. Only the browser that has the secret has the state;
//! the provider, and whoever reads the address, sees no more than a hash of it. The MAC is
//! over what the journey is for and when it ends: nobody can begin one in another's name.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::accounts::UserId;
use crate::telemetry::clock;
use crate::vault::{MacParts, MacPurpose, Secret, Vault};

/// How long a person may be at the provider.
pub const JOURNEY_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What a person goes to the provider for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To connect the provider to a user, from a session of this id.
    Connect {
        /// Who is signed in.
        user: UserId,
        /// In which session.
        session: String,
    },
}

/// A person's way to the provider and back.
pub struct Journey {
    secret: Secret,
    ends_at: Timestamp,
    /// What for.
    pub purpose: Purpose,
}

impl Journey {
    /// Begins one.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn begin(purpose: Purpose) -> Result<Self, getrandom::Error> {
        // As it will be read again: to the millisecond.
        let ends_at = clock::now() + JOURNEY_LIFE;
        Ok(Self { secret: Secret::generate()?, ends_at, purpose })
    }

    /// What the browser keeps.
    pub fn cookie(&self, vault: &Vault) -> String {
        let (user, session) = match &self.purpose {
            Purpose::SignIn => (0, ""),
            Purpose::Connect { user, session } => (user.0, session.as_str()),
        };
        let (secret, ends_at) = (self.secret.expose_secret(), self.ends_at.as_millisecond());
        let mac = vault.mac(MacPurpose::Row, &self.parts());
        format!("{secret}.{ends_at}.{user}.{session}.{mac}")
    }

    /// The journey of a cookie that we set and that has not ended.
    pub fn of_cookie(vault: &Vault, cookie: &str) -> Option<Self> {
        let mut parts = cookie.splitn(5, '.');
        let secret = Secret::parse(parts.next()?)?;
        let ends_at = Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?;
        let user = UserId(parts.next()?.parse().ok()?);
        let session = parts.next()?.to_owned();
        let purpose = match user.0 {
            0 => Purpose::SignIn,
            _ => Purpose::Connect { user, session },
        };
        let journey = Self { secret, ends_at, purpose };
        let mac = parts.next()?;
        let is_ours = vault.check_mac(MacPurpose::Row, &journey.parts(), mac).is_ok();
        (is_ours && ends_at > clock::now()).then_some(journey)
    }

    /// What goes to the provider and back.
    pub fn state(&self) -> String {
        self.made("state")
    }

    /// Whether what came back is this journey's.
    pub fn is_state(&self, state: &str) -> bool {
        self.state().as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// What the id token must have.
    pub(super) fn nonce(&self) -> String {
        self.made("nonce")
    }

    /// What proves to the provider that who brings the code is who began (RFC 7636).
    pub(super) fn verifier(&self) -> String {
        self.made("pkce")
    }

    fn made(&self, what: &str) -> String {
        let hash = Sha256::new()
            .chain_update(b"tributary oidc ")
            .chain_update(what)
            .chain_update([0])
            .chain_update(self.secret.expose_secret());
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }

    fn parts(&self) -> MacParts {
        let parts = MacParts::new("oidc_journey")
            .text(self.secret.expose_secret())
            .number(self.ends_at.as_millisecond());
        match &self.purpose {
            Purpose::SignIn => parts.text("sign_in"),
            Purpose::Connect { user, session } => {
                parts.text("connect").number(user.0).text(session)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::KeyRing;

    fn vault() -> Vault {
        Vault::new(&KeyRing::parse(&KeyRing::generate().unwrap()).unwrap())
    }

    #[test]
    fn a_journey_is_read_as_it_was_begun() {
        let vault = vault();
        let connect = Purpose::Connect { user: UserId(7), session: "0123456789abcdef".into() };
        for purpose in [Purpose::SignIn, connect] {
            let begun = Journey::begin(purpose.clone()).unwrap();
            let read = Journey::of_cookie(&vault, &begun.cookie(&vault)).unwrap();
            assert_eq!(read.purpose, purpose);
            assert!(read.is_state(&begun.state()));
            assert_eq!((read.nonce(), read.verifier()), (begun.nonce(), begun.verifier()));
            let made = [begun.state(), begun.nonce(), begun.verifier()];
            assert!(made.iter().all(|text| text.len() == 43), "{made:?}");
            assert!(made[0] != made[1] && made[1] != made[2] && made[0] != made[2]);
            let other = Journey::begin(purpose).unwrap();
            assert!(!other.is_state(&begun.state()) && !other.is_state(""));
        }
    }

    #[test]
    fn nobody_begins_one_in_anothers_name_or_makes_it_last() {
        let vault = vault();
        let mut journey = Journey::begin(Purpose::SignIn).unwrap();
        let cookie = journey.cookie(&vault);
        let parts: Vec<&str> = cookie.splitn(5, '.').collect();
        let forged = |at: usize, text: &str| {
            let mut parts = parts.clone();
            parts[at] = text;
            parts.join(".")
        };
        let later = (journey.ends_at + JOURNEY_LIFE).as_millisecond().to_string();
        let other = Secret::generate().unwrap();
        for cookie in [
            forged(0, other.expose_secret()),
            forged(1, &later),
            forged(2, "1"),
            forged(4, "k.AAAA"),
            String::new(),
            "....".into(),
        ] {
            assert!(Journey::of_cookie(&vault, &cookie).is_none(), "{cookie}");
        }
        let connect = Purpose::Connect { user: UserId(1), session: "a".into() };
        let cookie = Journey::begin(connect).unwrap().cookie(&vault);
        for (from, to) in [(".1.a.", ".2.a."), (".1.a.", ".1.b."), (".1.a.", ".0.a.")] {
            assert!(Journey::of_cookie(&vault, &cookie.replace(from, to)).is_none(), "{to}");
        }
        journey.ends_at = clock::now();
        assert!(Journey::of_cookie(&vault, &journey.cookie(&vault)).is_none());
    }
}
