//! Who belongs to a team: memberships that carry our MAC, and the pools that follow.

use jiff::Timestamp;

use crate::accounts::{Membership, PoolId, Seating, TeamRole, TokenGrant, UserId};
use crate::store::{Answer, Directory};
use crate::vault::{MacParts, MacPurpose, OpenError, Vault, proof_kid};

/// A membership with its proof.
pub fn membership(
    vault: &Vault,
    pool: PoolId,
    user: UserId,
    role: TeamRole,
    joined_at: Timestamp,
) -> Membership {
    let bare = Membership { pool, user, role, joined_at, mac: String::new() };
    let mac = vault.mac(MacPurpose::Row, &parts(&bare));
    Membership { mac, ..bare }
}

/// Whether a holder of the ring wrote a membership.
///
/// # Errors
/// As [`Vault::check_mac`].
pub fn check_membership(vault: &Vault, membership: &Membership) -> Result<(), OpenError> {
    vault.check_mac(MacPurpose::Row, &parts(membership), &membership.mac)
}

fn parts(membership: &Membership) -> MacParts {
    let Membership { pool, user, role, joined_at, mac: _ } = membership;
    MacParts::new("membership")
        .number(pool.0)
        .number(user.0)
        .text(role.name())
        .text(&joined_at.to_string())
}

/// Proves anew, under the primary, what other keys of the ring have proved; answers how many
/// memberships that was. One that carries no MAC of ours stays as it is.
///
/// # Errors
/// What the store refuses; what was proved until then stays so.
pub async fn prove_anew(directory: &dyn Directory, vault: &Vault) -> Answer<u64> {
    let primary = vault.sealing_kid();
    let mut done = 0;
    for team in directory.teams().await? {
        for old in directory.members_of(team.id).await? {
            let is_due = proof_kid(&old.mac).is_some_and(|kid| kid != primary);
            if !is_due || check_membership(vault, &old).is_err() {
                continue;
            }
            let anew = membership(vault, old.pool, old.user, old.role, old.joined_at);
            // Somebody who changes it meanwhile proves it under the primary, too.
            let seated = directory.seat(Some(&old), anew).await?;
            done += u64::from(seated == Seating::Done);
        }
    }
    Ok(done)
}

/// Those of some rows that are a user's memberships indeed.
pub(super) fn proved(vault: &Vault, user: UserId, rows: Vec<Membership>) -> Vec<Membership> {
    let mut rows = rows;
    rows.retain(|row| {
        let proof = check_membership(vault, row);
        if let Err(error) = &proof {
            let (pool, user) = (row.pool.0, row.user.0);
            tracing::error!(pool, user, %error, "a membership does not carry our MAC");
        }
        proof.is_ok() && row.user == user
    });
    rows
}

/// The pools that a token draws from, in order, as its user's memberships are.
pub(super) fn pools(grant: &TokenGrant, memberships: &[Membership]) -> Vec<PoolId> {
    let teams = memberships.iter().map(|membership| membership.pool);
    let teams = teams.filter(|pool| *pool != grant.personal);
    match &grant.only_pools {
        None => std::iter::once(grant.personal).chain(teams).collect(),
        Some(only) => {
            let is_own =
                |pool: &PoolId| *pool == grant.personal || teams.clone().any(|team| team == *pool);
            only.iter().copied().filter(is_own).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Spending, TokenId};
    use crate::vault::KeyRing;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn vault() -> Vault {
        let ring = "old:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        Vault::new(&KeyRing::parse(ring).expect("a ring"))
    }

    // T-MINT: who can only write the store can't add himself to a team.
    #[test]
    fn t_mint_a_membership_is_good_as_it_was_written_alone() {
        let vault = vault();
        let good = membership(&vault, PoolId(1), UserId(2), TeamRole::Member, AT);
        assert_eq!(proved(&vault, UserId(2), vec![good.clone()]), std::slice::from_ref(&good));
        assert!(proved(&vault, UserId(3), vec![good.clone()]).is_empty(), "it is another's");
        let later = Timestamp::from_nanosecond(1).expect("an instant");
        for forged in [
            Membership { pool: PoolId(3), ..good.clone() },
            Membership { user: UserId(3), ..good.clone() },
            Membership { role: TeamRole::Owner, ..good.clone() },
            Membership { joined_at: later, ..good.clone() },
            Membership { mac: String::new(), ..good.clone() },
        ] {
            assert!(proved(&vault, forged.user, vec![forged.clone()]).is_empty(), "{forged:?}");
        }
    }

    #[test]
    fn a_token_draws_from_its_users_pools_as_they_are() {
        let vault = vault();
        let team = |pool| membership(&vault, PoolId(pool), UserId(2), TeamRole::Member, AT);
        let mut grant = TokenGrant {
            id: TokenId(1),
            user: UserId(2),
            personal: PoolId(5),
            scopes: Vec::new(),
            models: Vec::new(),
            platforms: Vec::new(),
            expires_at: None,
            points: Spending::Never,
            requests_per_minute: None,
            tokens_per_day: None,
            keep_bodies: false,
            only_pools: None,
        };
        let of = |pools: &[i64]| pools.iter().copied().map(PoolId).collect::<Vec<_>>();
        assert_eq!(pools(&grant, &[]), of(&[5]));
        assert_eq!(pools(&grant, &[team(7), team(3)]), of(&[5, 7, 3]));
        grant.only_pools = Some(of(&[3, 9, 5]));
        assert_eq!(pools(&grant, &[team(7), team(3)]), of(&[3, 5]));
        assert_eq!(pools(&grant, &[]), of(&[5]));
        grant.only_pools = Some(of(&[3]));
        assert_eq!(pools(&grant, &[team(7)]), of(&[]));
    }
}
