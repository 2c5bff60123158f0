//! Where a sealed secret lies. It is sealed into the secret, so that one who writes
//! the store can't move it.

/// A secret's place. All of it is authenticated with the secret (AES-GCM's associated
/// data), and none of it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The pool that the account is in.
    pub pool: i64,
    /// The account.
    pub account: i64,
    /// The platform that the secret is sent to.
    pub platform: &'a str,
    /// What the secret is of the account, say `credential`.
    pub field: &'a str,
    /// Counts up with each new secret, so that an old one can't come back.
    pub generation: u64,
}

impl Place<'_> {
    /// Writes `("tb1", purpose, pool, account, platform, field, generation)`, each part
    /// after its length: no two places ever read the same.
    pub(super) fn write(&self, purpose: &str, out: &mut Vec<u8>) {
        out.clear();
        out.reserve(96 + self.platform.len() + self.field.len());
        for part in [
            b"tb1".as_slice(),
            purpose.as_bytes(),
            &self.pool.to_be_bytes(),
            &self.account.to_be_bytes(),
            self.platform.as_bytes(),
            self.field.as_bytes(),
            &self.generation.to_be_bytes(),
        ] {
            out.extend_from_slice(&(part.len() as u64).to_be_bytes());
            out.extend_from_slice(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_that_moves_between_parts_changes_the_place() {
        let write = |purpose, platform, field| {
            let place = Place { pool: 1, account: 2, platform, field, generation: 3 };
            let mut out = Vec::new();
            place.write(purpose, &mut out);
            out
        };
        assert_ne!(write("p", "glm", "key"), write("p", "gl", "mkey"));
        assert_ne!(write("p", "glm", "key"), write("pg", "lm", "key"));
        assert_ne!(write("p", "glm", "key"), write("q", "glm", "key"));
        assert_eq!(write("p", "glm", "key"), write("p", "glm", "key"));
    }
}
