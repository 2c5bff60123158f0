//! One derived key for each purpose, so that no two uses ever share one.

use aes_gcm::{Aes256Gcm, KeyInit};
use hkdf::Hkdf;
use hmac::Hmac;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::Kid;
use super::ring::MasterKey;

/// What a derived key is for. The text is part of HKDF's `info` (after `tb1/`) and of what is
/// authenticated: it never changes.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    WrapAccount,
    TokenIndex,
    Row,
    Csrf,
    Operator,
    Canary,
    Conversation,
    WrapRecord,
    Audit,
}

impl Purpose {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::WrapAccount => "wrap/account",
            Self::TokenIndex => "mac/token-index",
            Self::Row => "mac/row",
            Self::Csrf => "mac/csrf",
            Self::Operator => "mac/operator",
            Self::Canary => "mac/canary",
            Self::Conversation => "mac/conversation",
            Self::WrapRecord => "wrap/record",
            Self::Audit => "mac/audit",
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
    pub(super) csrf: KeyedMac,
    pub(super) operator: KeyedMac,
    pub(super) canary: KeyedMac,
    pub(super) conversation: KeyedMac,
    pub(super) audit: KeyedMac,
    /// What each record's own key is derived from.
    pub(super) record: Zeroizing<[u8; 32]>,
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
            csrf: mac(Purpose::Csrf),
            operator: mac(Purpose::Operator),
            canary: mac(Purpose::Canary),
            conversation: mac(Purpose::Conversation),
            audit: mac(Purpose::Audit),
            record: expand(&hkdf, Purpose::WrapRecord),
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
