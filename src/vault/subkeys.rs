//! One derived key for each purpose, so that no two uses ever share one.

use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Kid;
use super::ring::MasterKey;

/// What a derived key is for. The text is HKDF's `info` and stands in what is
/// authenticated: it never changes.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    WrapAccount,
    TokenIndex,
    Row,
    Operator,
    Canary,
}

impl Purpose {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::WrapAccount => "wrap/account",
            Self::TokenIndex => "mac/token-index",
            Self::Row => "mac/row",
            Self::Operator => "mac/operator",
            Self::Canary => "mac/canary",
        }
    }
}

/// An HMAC that has taken its key in already: a clone of it starts a MAC.
pub(super) type KeyedMac = Hmac<Sha256>;

/// Everything derived from one master key.
pub(super) struct Subkeys {
    pub(super) kid: Kid,
    pub(super) wrap_account: Aes256Gcm,
    pub(super) token_index: KeyedMac,
    pub(super) row: KeyedMac,
    pub(super) operator: KeyedMac,
    pub(super) canary: KeyedMac,
}

impl Subkeys {
    pub(super) fn derive(master: &MasterKey) -> Self {
        let hkdf = Hkdf::<Sha256>::new(None, &master.key);
        let mac = |purpose| {
            KeyedMac::new_from_slice(&*expand(&hkdf, purpose)).expect("HMAC takes any key")
        };
        Self {
            kid: master.kid,
            wrap_account: cipher(&expand(&hkdf, Purpose::WrapAccount)),
            token_index: mac(Purpose::TokenIndex),
            row: mac(Purpose::Row),
            operator: mac(Purpose::Operator),
            canary: mac(Purpose::Canary),
        }
    }
}

/// AES-256-GCM under a key, which is read where it lies and not copied.
pub(super) fn cipher(key: &[u8; 32]) -> Aes256Gcm {
    Aes256Gcm::new(key.into())
}

fn expand(hkdf: &Hkdf<Sha256>, purpose: Purpose) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf.expand_multi_info(&[b"tb1/", purpose.name().as_bytes()], &mut *key)
        .expect("32 bytes are fewer than HKDF's limit");
    key
}

#[cfg(test)]
mod tests {
    use super::super::KeyRing;
    use super::*;

    // The figures are HKDF-SHA256 (no salt, info "tb1/" and the purpose) as Python's
    // hmac module gives it: what lies in a store must open under the next release too.
    #[test]
    fn derived_keys_are_these_for_ever() {
        let ring =
            KeyRing::parse("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a good ring");
        let hkdf = Hkdf::<Sha256>::new(None, &ring.keys().0.key);
        let hex =
            |purpose| expand(&hkdf, purpose).iter().map(|b| format!("{b:02x}")).collect::<String>();
        for (purpose, key) in EXPECTED {
            assert_eq!(hex(purpose), key, "{}", purpose.name());
        }
    }

    const EXPECTED: [(Purpose, &str); 5] = [
        (Purpose::WrapAccount, "02104561753768d13397de80387334d977fac4bdcae6a4a303e7ea37657390a1"),
        (Purpose::TokenIndex, "e27d7ff5f4ce929dfaa97e19f474a4379550abd8e3957509415d9ee4e867728c"),
        (Purpose::Row, "4c619f7acf263353f922a8ffb3647ec1c141dd414834ace1b1a996b27dc3aa50"),
        (Purpose::Operator, "b8fa31f95cfa4808eaa92c940148692476b9ca813338bdc7bd5079eaf9f9c678"),
        (Purpose::Canary, "ed89af27b45758041be0d0658cdf4a1e16a741f2ccc9b827edf54ee477212b3e"),
    ];
}
