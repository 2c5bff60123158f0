//! What finds a gateway token in the store: a keyed hash, so that one who reads the
//! store can't search it by guess.

use std::fmt;
use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac;

use super::subkeys::Subkeys;
use super::{GatewayToken, Kid, Vault};

const PROOF: usize = 43;

/// A token's index, `<kid>.<base64url HMAC-SHA256>`, in place and without an allocation:
/// every request makes one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenIndex {
    text: [u8; Kid::MAX_LEN + 1 + PROOF],
    len: u8,
}

/// The end of it alone: a MAC's digits are as good as a hash of them.
impl Hash for TokenIndex {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (text, _) = self.text.split_at(usize::from(self.len));
        state.write(&text[text.len() - 16..]);
    }
}

impl TokenIndex {
    /// The index as it is stored.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.len)]).expect("an index is ASCII")
    }

    fn new(keys: &Subkeys, token: &GatewayToken) -> Self {
        let proof = keys.token_index.clone().chain_update(token.expose_secret()).finalize();
        let kid = keys.kid.as_str().as_bytes();
        let mut text = [0; Kid::MAX_LEN + 1 + PROOF];
        let (name, rest) = text.split_at_mut(kid.len());
        name.copy_from_slice(kid);
        rest[0] = b'.';
        let written = URL_SAFE_NO_PAD
            .encode_slice(proof.into_bytes(), &mut rest[1..])
            .expect("room for a MAC in base64");
        Self { text, len: (kid.len() + 1 + written) as u8 }
    }
}

impl fmt::Display for TokenIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for TokenIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenIndex({self})")
    }
}

impl Vault {
    /// A token's index under the primary.
    pub fn token_index(&self, token: &GatewayToken) -> TokenIndex {
        TokenIndex::new(&self.primary, token)
    }

    /// A token's indexes under every key of the ring, primary first: one that was made
    /// before a rotation is found under its old key, and then indexed anew.
    pub fn token_indexes(&self, token: &GatewayToken) -> impl Iterator<Item = TokenIndex> {
        self.keys().map(move |keys| TokenIndex::new(keys, token))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{NEW, OLD, vault};
    use super::*;

    #[test]
    fn a_token_is_found_by_the_same_index_again() {
        let token = GatewayToken::generate().unwrap();
        let index = vault(OLD).token_index(&token);
        assert_eq!(index, vault(OLD).token_index(&token));
        assert_ne!(index, vault(OLD).token_index(&GatewayToken::generate().unwrap()));
        assert_eq!(index.as_str().len(), "old.".len() + 43);
        assert!(!index.as_str().contains(&token.expose_secret()[3..]));
    }

    #[test]
    fn tokens_are_spread_by_their_indexes() {
        let hash_of = |_| {
            let mut hasher = std::hash::DefaultHasher::new();
            vault(OLD).token_index(&GatewayToken::generate().unwrap()).hash(&mut hasher);
            hasher.finish()
        };
        let hashes: std::collections::HashSet<_> = (0..100).map(hash_of).collect();
        assert_eq!(hashes.len(), 100);
    }

    #[test]
    fn after_a_rotation_the_old_index_comes_second() {
        let token = GatewayToken::generate().unwrap();
        let both = vault(&format!("ABCDEFGHIJKLMNOPQRSTUVWX:{},{OLD}", &NEW["new:".len()..]));
        let indexes: Vec<_> = both.token_indexes(&token).collect();
        assert_eq!(indexes, [both.token_index(&token), vault(OLD).token_index(&token)]);
        assert!(indexes[0].as_str().starts_with("ABCDEFGHIJKLMNOPQRSTUVWX."));
        assert_eq!(indexes[0].to_string().len(), 24 + 1 + 43);
    }
}
