//! Passwords: Argon2id hashes as PHC strings (RFC 9106; the least costs are OWASP's).
//!
//! A hash takes tens of milliseconds and megabytes, so two are made at a time, on threads
//! that may be kept waiting. A user that there is not costs as much as one that there is.

use std::time::Duration;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::Settings;
use crate::accounts::PasswordHash;

/// The fewest characters of a password.
pub const SHORTEST_PASSWORD: usize = 12;
/// The most bytes of a password.
pub const LONGEST_PASSWORD: usize = 1024;

const AT_A_TIME: usize = 2;
/// Whoever waits longer for a turn is sent away.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the password.
    Wrong,
    /// It is.
    Right,
    /// It is, and its hash should be made anew: it cost less, or more, than is set.
    RightButOld,
}

/// Why there is no hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoHash {
    /// Too many passwords are being checked.
    #[error("too many passwords are being checked just now")]
    Busy,
    /// The system lacks memory or random bytes.
    #[error("a password can't be hashed: the system lacks memory or random bytes")]
    Failed,
}

/// Whether a text may be a password.
pub fn is_password(text: &str) -> bool {
    text.chars().count() >= SHORTEST_PASSWORD
        && text.len() <= LONGEST_PASSWORD
        && !text.chars().any(char::is_control)
}

/// Hashes and checks passwords.
pub struct Passwords {
    params: Params,
    turns: Semaphore,
}

impl Passwords {
    /// At these costs, or the least that are safe.
    pub fn new(settings: &Settings) -> Self {
        let cost = |value: usize, least: u32| u32::try_from(value).unwrap_or(least).max(least);
        let memory_kib = cost(settings.memory_mib.saturating_mul(1024), 19 * 1024);
        let params = Params::new(memory_kib, cost(settings.passes, 2), 1, None)
            .expect("costs between the least and a u32 are in range");
        Self { params, turns: Semaphore::new(AT_A_TIME) }
    }

    /// The hash to keep of a password.
    ///
    /// # Errors
    /// [`NoHash`].
    pub async fn hash(&self, password: Zeroizing<String>) -> Result<PasswordHash, NoHash> {
        let argon2 = self.argon2();
        self.in_turn(move || hashed(&argon2, &password)).await
    }

    /// Whether this is the password of a hash. `None`: there is no such user, or none with a
    /// password; it is wrong, and takes as long to be so.
    ///
    /// # Errors
    /// [`NoHash`].
    pub async fn check(
        &self,
        password: Zeroizing<String>,
        hash: Option<&PasswordHash>,
    ) -> Result<Verdict, NoHash> {
        let argon2 = self.argon2();
        let kept = hash.and_then(|hash| phc::PasswordHash::new(&hash.0).ok());
        let params = self.params.clone();
        let check = move || {
            let Some(kept) = kept else {
                return hashed(&argon2, &password).map(|_| Verdict::Wrong);
            };
            match argon2.verify_password(password.as_bytes(), &kept) {
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
                Err(_) => Err(NoHash::Failed),
                Ok(()) => {
                    let is_new = Params::try_from(&kept).is_ok_and(|used| costs_as(&used, &params));
                    Ok(if is_new { Verdict::Right } else { Verdict::RightButOld })
                }
            }
        };
        self.in_turn(check).await
    }

    fn argon2(&self) -> Argon2<'static> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, NoHash> + Send + 'static,
    ) -> Result<T, NoHash> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| NoHash::Busy)?.map_err(|_| NoHash::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| NoHash::Failed)?
    }
}

fn hashed(argon2: &Argon2<'_>, password: &str) -> Result<PasswordHash, NoHash> {
    let hash: Result<phc::PasswordHash, _> = argon2.hash_password(password.as_bytes());
    hash.map(|hash| PasswordHash(hash.to_string())).map_err(|_| NoHash::Failed)
}

fn costs_as(used: &Params, set: &Params) -> bool {
    let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
    costs(used) == costs(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.into())
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let cheap = Passwords::new(&Settings { memory_mib: 1, passes: 1 });
        let hash = cheap.hash(word("correct horse")).await.unwrap();
        // Never below the least that is safe.
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert_ne!(hash, cheap.hash(word("correct horse")).await.unwrap(), "each has its salt");
        let verdict = async |password, hash| cheap.check(word(password), hash).await.unwrap();
        assert_eq!(verdict("correct horse", Some(&hash)).await, Verdict::Right);
        assert_eq!(verdict("correct horsf", Some(&hash)).await, Verdict::Wrong);
        assert_eq!(verdict("correct horse", None).await, Verdict::Wrong);
        let other = PasswordHash("nonsense".into());
        assert_eq!(verdict("correct horse", Some(&other)).await, Verdict::Wrong);

        let dear = Passwords::new(&Settings { memory_mib: 20, passes: 2 });
        let verdict = dear.check(word("correct horse"), Some(&hash)).await.unwrap();
        assert_eq!(verdict, Verdict::RightButOld);
    }

    #[test]
    fn a_password_has_twelve_characters_of_whatever_script() {
        assert!(is_password("correct hors") && is_password("一二三四五六七八九十百千"));
        let long = "a".repeat(LONGEST_PASSWORD + 1);
        for text in ["", "correct hor", "correct\nhorse battery", &long] {
            assert!(!is_password(text));
        }
    }

    #[test]
    fn the_usual_costs_are_those_that_are_promised() {
        let usual = Passwords::new(&Settings::default());
        assert_eq!((usual.params.m_cost(), usual.params.t_cost()), (64 * 1024, 3));
    }
}
