//! Teams and their members.

use tributary::accounts::{Closing, Membership, PoolId, Seating, Team, TeamRole, User, UserId};
use tributary::store::StoreError;

use crate::contract;
use crate::rig::{Rig, day};

const ENOUGH: u64 = 1000;

/// A membership; the store takes its MAC as it is.
fn seat(rig: &Rig, pool: PoolId, user: UserId, role: TeamRole) -> Membership {
    let joined_at = rig.now();
    let mac = format!("k.{pool}-{user}-{role:?}-{joined_at}");
    Membership { pool, user, role, joined_at, mac }
}

async fn team(rig: &Rig, owner: &User) -> Team {
    let id = rig.store.reserve_pool_id().await.unwrap();
    let team = Team { id, name: "lab".into(), created_at: rig.now() };
    let founder = seat(rig, id, owner.id, TeamRole::Owner);
    assert_eq!(rig.store.found_team(team.clone(), founder).await.unwrap(), Seating::Done);
    team
}

async fn people(rig: &Rig) -> [User; 3] {
    let [ann, ben, cid] = ["ann", "ben", "cid"].map(|name| rig.store.add_user(name));
    [ann.await.unwrap(), ben.await.unwrap(), cid.await.unwrap()]
}

async fn owners(rig: &Rig, pool: PoolId) -> Vec<UserId> {
    let mut members = rig.store.members_of(pool).await.unwrap();
    members.retain(|member| member.role == TeamRole::Owner);
    members.iter().map(|member| member.user).collect()
}

contract! {
    async fn a_team_has_a_pool_of_its_own_and_is_found_from_both_sides(rig: Rig) {
        let [ann, ben, _] = people(&rig).await;
        let lab = team(&rig, &ann).await;
        rig.pass_secs(1);
        let shop = team(&rig, &ben).await;
        assert!([ann.pool, ben.pool, lab.id].iter().all(|pool| *pool < shop.id));
        rig.pass_secs(1);
        let joined = seat(&rig, shop.id, ann.id, TeamRole::Member);
        assert_eq!(rig.store.seat(None, joined.clone()).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.teams().await.unwrap(), [lab.clone(), shop.clone()]);
        let among = rig.store.teams_among(&[ann.pool, shop.id, PoolId(999)]).await.unwrap();
        assert_eq!(among, std::slice::from_ref(&shop));
        assert!(rig.store.teams_among(&[]).await.unwrap().is_empty());

        let of_ann = rig.store.memberships_of(ann.id).await.unwrap();
        let pools: Vec<_> = of_ann.iter().map(|member| (member.pool, member.role)).collect();
        assert_eq!(pools, [(lab.id, TeamRole::Owner), (shop.id, TeamRole::Member)]);
        assert_eq!(of_ann[1], joined);
        let in_shop = rig.store.members_of(shop.id).await.unwrap();
        let users: Vec<_> = in_shop.iter().map(|member| member.user).collect();
        assert_eq!(users, [ben.id, ann.id], "in the order of joining");
        assert!(rig.store.members_of(ann.pool).await.unwrap().is_empty());

        assert_eq!(rig.store.rename_team(lab.id, "studio").await.unwrap(), Some(()));
        assert_eq!(rig.store.rename_team(ann.pool, "mine").await.unwrap(), None);
        assert_eq!(rig.store.teams_among(&[lab.id]).await.unwrap()[0].name, "studio");
        let known = rig.store.users_among(&[ben.id, UserId(999), ann.id]).await.unwrap();
        assert_eq!(known, [ann.clone(), ben]);
        assert!(rig.store.users_among(&[]).await.unwrap().is_empty());
        let again = rig.store.found_team(lab, seat(&rig, shop.id, ann.id, TeamRole::Owner)).await;
        assert!(matches!(again, Err(StoreError::Taken(_))));
    }
}

contract! {
    async fn a_membership_changes_if_it_is_what_its_writer_read(rig: Rig) {
        let [ann, ben, cid] = people(&rig).await;
        let pool = team(&rig, &ann).await.id;
        let member = seat(&rig, pool, ben.id, TeamRole::Member);
        assert_eq!(rig.store.seat(None, member.clone()).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.seat(None, member.clone()).await.unwrap(), Seating::Done, "again");
        let owner = seat(&rig, pool, ben.id, TeamRole::Owner);
        assert_eq!(rig.store.seat(None, owner.clone()).await.unwrap(), Seating::Stale);
        assert_eq!(rig.store.seat(Some(&owner), member.clone()).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.seat(Some(&member), owner.clone()).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.seat(Some(&member), member.clone()).await.unwrap(), Seating::Stale);
        assert_eq!(rig.store.memberships_of(ben.id).await.unwrap(), std::slice::from_ref(&owner));
        let of_cid = seat(&rig, pool, cid.id, TeamRole::Member);
        assert_eq!(rig.store.seat(Some(&of_cid), of_cid.clone()).await.unwrap(), Seating::Stale);
        let nowhere = seat(&rig, PoolId(999), cid.id, TeamRole::Member);
        assert_eq!(rig.store.seat(None, nowhere).await.unwrap(), Seating::Stale);

        assert_eq!(rig.store.unseat(pool, ben.id).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.unseat(pool, ben.id).await.unwrap(), Seating::Stale);
        assert!(rig.store.memberships_of(ben.id).await.unwrap().is_empty());
        assert_eq!(rig.store.members_of(pool).await.unwrap().len(), 1);
        // Reports of the team still know of it.
        assert_eq!(rig.store.ever_members_of(pool).await.unwrap(), [ann.id, ben.id]);
    }
}

contract! {
    async fn the_last_owner_neither_leaves_nor_becomes_a_member(rig: Rig) {
        let [ann, ben, _] = people(&rig).await;
        let pool = team(&rig, &ann).await.id;
        let founder = rig.store.members_of(pool).await.unwrap().remove(0);
        let demoted = seat(&rig, pool, ann.id, TeamRole::Member);
        let ben_in = seat(&rig, pool, ben.id, TeamRole::Member);
        assert_eq!(rig.store.seat(None, ben_in.clone()).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.unseat(pool, ann.id).await.unwrap(), Seating::LastOwner);
        let refused = rig.store.seat(Some(&founder), demoted.clone()).await.unwrap();
        assert_eq!(refused, Seating::LastOwner);
        let other = seat(&rig, pool, ben.id, TeamRole::Owner);
        assert_eq!(rig.store.seat(Some(&ben_in), other).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.seat(Some(&founder), demoted).await.unwrap(), Seating::Done);
        assert_eq!(rig.store.unseat(pool, ben.id).await.unwrap(), Seating::LastOwner);
        assert_eq!(owners(&rig, pool).await, [ben.id]);
    }
}

contract! {
    async fn of_two_owners_who_go_at_once_one_stays(rig: Rig) {
        let [ann, ben, _] = people(&rig).await;
        for turn in 0..20 {
            let pool = team(&rig, &ann).await.id;
            let founder = rig.store.members_of(pool).await.unwrap().remove(0);
            let other = seat(&rig, pool, ben.id, TeamRole::Owner);
            assert_eq!(rig.store.seat(None, other).await.unwrap(), Seating::Done);
            let demoted = seat(&rig, pool, ann.id, TeamRole::Member);
            let (one, two) = if turn % 2 == 0 {
                tokio::join!(rig.store.unseat(pool, ann.id), rig.store.unseat(pool, ben.id))
            } else {
                tokio::join!(rig.store.seat(Some(&founder), demoted), rig.store.unseat(pool, ben.id))
            };
            let mut ends = [one.unwrap(), two.unwrap()];
            ends.sort_by_key(|end| *end != Seating::Done);
            assert_eq!(ends, [Seating::Done, Seating::LastOwner]);
            assert_eq!(owners(&rig, pool).await.len(), 1);
        }
    }
}

contract! {
    async fn two_who_change_one_membership_at_once_do_not_both(rig: Rig) {
        let [ann, ben, _] = people(&rig).await;
        let pool = team(&rig, &ann).await.id;
        for _ in 0..10 {
            let one = seat(&rig, pool, ben.id, TeamRole::Member);
            let two = seat(&rig, pool, ben.id, TeamRole::Owner);
            let (a, b) = tokio::join!(rig.store.seat(None, one), rig.store.seat(None, two));
            let mut ends = [a.unwrap(), b.unwrap()];
            ends.sort_by_key(|end| *end != Seating::Done);
            assert_eq!(ends, [Seating::Done, Seating::Stale]);
            assert_eq!(rig.store.members_of(pool).await.unwrap().len(), 2);
            assert_eq!(rig.store.unseat(pool, ben.id).await.unwrap(), Seating::Done);
        }
    }
}

contract! {
    async fn a_team_goes_when_it_has_no_account(rig: Rig) {
        let [ann, ben, _] = people(&rig).await;
        let pool = team(&rig, &ann).await.id;
        let ben_in = seat(&rig, pool, ben.id, TeamRole::Member);
        assert_eq!(rig.store.seat(None, ben_in).await.unwrap(), Seating::Done);
        let in_team = User { pool, ..ann.clone() };
        let account = rig.account_with(&in_team, "qwen", vec![day(ENOUGH)]).await;
        assert_eq!(rig.store.close_team(pool).await.unwrap(), Closing::HasAccounts);
        // It takes accounts as before.
        let other = rig.account_with(&in_team, "glm", vec![day(ENOUGH)]).await;
        for account in [account, other] {
            assert!(rig.store.remove_account(account).await.unwrap());
        }
        assert_eq!(rig.store.close_team(ann.pool).await.unwrap(), Closing::Unknown);
        assert_eq!(rig.store.close_team(pool).await.unwrap(), Closing::Done);
        assert_eq!(rig.store.close_team(pool).await.unwrap(), Closing::Unknown);
        for user in [&ann, &ben] {
            assert!(rig.store.memberships_of(user.id).await.unwrap().is_empty());
        }
        assert!(rig.store.members_of(pool).await.unwrap().is_empty());
        assert!(rig.store.teams().await.unwrap().is_empty());
        // Whoever was found as a member before brings nothing there any more.
        let late = rig.new_account(&in_team, "qwen", vec![day(ENOUGH)]).await;
        assert!(matches!(rig.store.add_account(late).await, Err(StoreError::Gone(_))));
        let late = seat(&rig, pool, ben.id, TeamRole::Member);
        assert_eq!(rig.store.seat(None, late).await.unwrap(), Seating::Stale);
    }
}

contract! {
    async fn a_team_that_closes_while_an_account_comes_has_it_or_refuses_it(rig: Rig) {
        let [ann, ..] = people(&rig).await;
        for _ in 0..20 {
            let pool = team(&rig, &ann).await.id;
            let new = rig.new_account(&User { pool, ..ann.clone() }, "qwen", vec![day(ENOUGH)]).await;
            let (closed, bound) =
                tokio::join!(rig.store.close_team(pool), rig.store.add_account(new));
            match (closed.unwrap(), bound) {
                (Closing::Done, Err(StoreError::Gone(_))) | (Closing::HasAccounts, Ok(())) => {}
                // Refused by a closing that then saw another account: there is none.
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn teams_outlive_the_process() {
    let mut rig = Rig::sqlite(crate::rig::Wish::default());
    let [ann, ben, _] = people(&rig).await;
    let pool = team(&rig, &ann).await.id;
    let gone = team(&rig, &ann).await.id;
    let ben_in = seat(&rig, pool, ben.id, TeamRole::Member);
    rig.store.seat(None, ben_in.clone()).await.unwrap();
    rig.store.unseat(pool, ben.id).await.unwrap();
    rig.store.close_team(gone).await.unwrap();
    let members = rig.store.members_of(pool).await.unwrap();
    rig.crash();
    assert_eq!(rig.store.members_of(pool).await.unwrap(), members);
    assert_eq!(rig.store.memberships_of(ann.id).await.unwrap(), members);
    assert_eq!(rig.store.ever_members_of(pool).await.unwrap(), [ann.id, ben.id]);
    assert_eq!(rig.store.teams().await.unwrap().len(), 1);
    assert!(rig.store.reserve_pool_id().await.unwrap() > gone);
}
