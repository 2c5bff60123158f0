//! What may be believed of a user's row, and changing it.

use crate::accounts::{Identity, Subject, User, UserId};
use crate::store::{Answer, Directory, StoreError};
use crate::vault::{MacParts, MacPurpose, Vault, proof_kid};

/// How often a change is tried that another one overtakes.
const TRIES: usize = 8;

/// An identity with the MAC that says that a holder of the ring gave it to this user.
#[must_use]
pub fn proved(vault: &Vault, user: &User, identity: Identity) -> Identity {
    let mac = vault.mac(MacPurpose::Row, &parts(user, &identity));
    Identity { mac, ..identity }
}

/// Whether a user's identity is blank, or was given by a holder of the ring.
pub fn is_trusted(vault: &Vault, user: &User) -> bool {
    let identity = &user.identity;
    identity.is_blank()
        || vault.check_mac(MacPurpose::Row, &parts(user, identity), &identity.mac).is_ok()
}

/// What of a user's identity is to be believed: a row without our MAC is a disabled member's.
pub fn identity_of(vault: &Vault, user: &User) -> Identity {
    if is_trusted(vault, user) {
        return user.identity.clone();
    }
    tracing::error!(user = user.id.0, "a user's row does not carry our MAC");
    Identity {
        disabled_at: Some(user.created_at),
        epoch: user.identity.epoch.saturating_add(1),
        ..Identity::default()
    }
}

/// Whether a user may sign in, and use its tokens.
pub fn may_act(vault: &Vault, user: &User) -> bool {
    identity_of(vault, user).disabled_at.is_none()
}

/// Proves anew, under the primary, what other keys of the ring have proved of users; answers
/// of how many. A row without a MAC of ours stays as it is.
///
/// # Errors
/// The store's; what was proved until then stays so.
pub async fn prove_users_anew(directory: &dyn Directory, vault: &Vault) -> Answer<u64> {
    let primary = vault.sealing_kid();
    let mut done = 0;
    for user in directory.users().await? {
        let is_due = proof_kid(&user.identity.mac).is_some_and(|kid| kid != primary);
        if is_due && is_trusted(vault, &user) {
            done += u64::from(change(directory, vault, user.id, |_| {}).await?.is_some());
        }
    }
    Ok(done)
}

/// Changes what a user may do; answers the user as it then is. `None`: there is no such user.
///
/// # Errors
/// The store's.
pub async fn change(
    directory: &dyn Directory,
    vault: &Vault,
    id: UserId,
    edit: impl Fn(&mut Identity),
) -> Answer<Option<User>> {
    for _ in 0..TRIES {
        let Some(user) = directory.user(id).await? else { return Ok(None) };
        let mut after = identity_of(vault, &user);
        edit(&mut after);
        let after = proved(vault, &user, after);
        if directory.set_identity(id, &user.identity, after.clone()).await? {
            return Ok(Some(User { identity: after, ..user }));
        }
    }
    Err(changes_all_the_time())
}

/// What became of a change that may take away an operator.
#[derive(Debug)]
pub enum Changed {
    /// It is made; the user as it then is.
    Done(Box<User>),
    /// There is no such user.
    NoUser,
    /// Nobody else could act as an operator.
    LastOperator,
}

/// The same, but one operator who can act stays, also where several step down at once: the
/// change is written only while another one is what it was read as.
///
/// # Errors
/// The store's.
pub async fn change_but_the_last_operator(
    directory: &dyn Directory,
    vault: &Vault,
    id: UserId,
    edit: impl Fn(&mut Identity),
) -> Answer<Changed> {
    for _ in 0..TRIES {
        let users = directory.users().await?;
        let Some(user) = users.iter().find(|user| user.id == id) else {
            return Ok(Changed::NoUser);
        };
        let before = identity_of(vault, user);
        let mut after = before.clone();
        edit(&mut after);
        let steps_down = before.is_acting_operator() && !after.is_acting_operator();
        let after = proved(vault, user, after);
        let is_set = if steps_down {
            let acts =
                |other: &&User| other.id != id && identity_of(vault, other).is_acting_operator();
            let Some(stays) = users.iter().find(acts) else { return Ok(Changed::LastOperator) };
            directory.set_identity_beside(stays, id, &user.identity, after.clone()).await?
        } else {
            directory.set_identity(id, &user.identity, after.clone()).await?
        };
        if is_set {
            return Ok(Changed::Done(Box::new(User { identity: after, ..user.clone() })));
        }
    }
    Err(changes_all_the_time())
}

fn changes_all_the_time() -> StoreError {
    StoreError::Unavailable("a user changes all the time".into())
}

fn parts(user: &User, identity: &Identity) -> MacParts {
    let Identity { role, disabled_at, password, oidc, epoch, mac: _ } = identity;
    let parts = MacParts::new("user")
        .number(user.id.0)
        .text(&user.name)
        .number(user.pool.0)
        .text(role.word())
        .numbers(disabled_at.map(|at| at.as_millisecond()))
        .texts(password.as_ref().map(|hash| hash.0.as_str()))
        .number(*epoch);
    // Left out where there is none: the MACs of older rows hold.
    match oidc {
        Some(Subject { issuer, subject }) => parts.text("oidc").text(issuer).text(subject),
        None => parts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{PasswordHash, PoolId, UserRole};
    use crate::telemetry::clock;
    use crate::vault::KeyRing;

    // T-MINT: who can only write the store makes no operator, and gives nobody a password.
    #[test]
    fn t_mint_of_users() {
        let vault = Vault::new(&KeyRing::parse(&KeyRing::generate().unwrap()).unwrap());
        let ann = User {
            id: UserId(1),
            name: "ann".into(),
            pool: PoolId(1),
            created_at: clock::now(),
            identity: Identity::default(),
        };
        assert!(may_act(&vault, &ann), "nothing was ever set");
        let password = |text: &str| Some(PasswordHash(text.into()));
        let subject = |subject: &str| {
            Some(Subject { issuer: "https://id.example".into(), subject: subject.into() })
        };
        let given =
            Identity { password: password("hash"), oidc: subject("ann"), ..Identity::default() };
        let ann = User { identity: proved(&vault, &ann, given), ..ann };
        assert!(is_trusted(&vault, &ann) && may_act(&vault, &ann));

        let changes: [fn(&mut User); 10] = [
            |user| user.identity.role = UserRole::Operator,
            |user| user.identity.password = Some(PasswordHash("another".into())),
            |user| user.identity.password = None,
            |user| user.identity.oidc = None,
            |user| user.identity.oidc.as_mut().unwrap().subject = "ben".into(),
            |user| user.identity.oidc.as_mut().unwrap().issuer = "https://other.example".into(),
            |user| user.identity.epoch -= 1,
            |user| user.id = UserId(2),
            |user| user.name = "ben".into(),
            |user| user.pool = PoolId(2),
        ];
        for change in changes {
            let mut forged = ann.clone();
            change(&mut forged);
            let believed = identity_of(&vault, &forged);
            assert!(!may_act(&vault, &forged), "{forged:?}");
            assert_eq!((believed.role, believed.password), (UserRole::Member, None));
            assert_eq!(believed.oidc, None);
        }
        // Nor is a disabled one enabled.
        let disabled = Identity { disabled_at: Some(clock::now()), ..ann.identity.clone() };
        let mut disabled = User { identity: proved(&vault, &ann, disabled), ..ann };
        assert!(is_trusted(&vault, &disabled) && !may_act(&vault, &disabled));
        disabled.identity.disabled_at = None;
        assert!(!may_act(&vault, &disabled));
    }
}
