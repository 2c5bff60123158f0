//! Teams: in the users' slot, so that each change of members is one step; their accounts lie
//! in the pools' own.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use crate::accounts::{Closing, Membership, PoolId, Seating, Team, TeamRole, User, UserId};

use super::super::{Answer, StoreError, Teams};
use super::arguments::millis;
use super::renewal::{TRIES, changes_all_the_time};
use super::{RedisStore, corrupt, from_json, keys, to_json};

/// How long a pool that is closed takes no account: longer than any gateway takes a caller
/// for one of its members. Should closing fail half way, it takes accounts again then.
const SHUT: Duration = Duration::from_secs(60);

#[async_trait]
impl Teams for RedisStore {
    async fn reserve_pool_id(&self) -> Answer<PoolId> {
        let count = redis::cmd("HINCRBY").arg(keys::USERS[2]).arg("pool").arg(1).take();
        self.link.ask(&count).await.map(PoolId)
    }

    async fn found_team(&self, team: Team, founder: Membership) -> Answer<Seating> {
        let (pool, user) = (team.id, founder.user);
        let mut call = self.scripts.found_team.call(&keys::member(pool, user));
        call.arg(pool.0).arg(to_json("team", &team)?).arg(user.0);
        call.arg(to_json("membership", &founder)?).arg(Membership::MOST_TEAMS);
        let word: String = self.scripts.found_team.run(&self.link, &call).await?;
        match word.as_str() {
            "taken" => Err(StoreError::Taken(format!("a pool {pool}"))),
            word => seating(word),
        }
    }

    async fn teams(&self) -> Answer<Vec<Team>> {
        let all: Vec<String> = self.link.ask(&redis::cmd("HVALS").arg(keys::TEAMS).take()).await?;
        teams(all)
    }

    async fn teams_among(&self, pools: &[PoolId]) -> Answer<Vec<Team>> {
        if pools.is_empty() {
            return Ok(Vec::new());
        }
        let mut some = redis::cmd("HMGET");
        some.arg(keys::TEAMS);
        pools.iter().for_each(|pool| _ = some.arg(pool.0));
        let some: Vec<Option<String>> = self.link.ask(&some).await?;
        teams(some.into_iter().flatten())
    }

    async fn rename_team(&self, pool: PoolId, name: &str) -> Answer<Option<()>> {
        for _ in 0..TRIES {
            let before = redis::cmd("HGET").arg(keys::TEAMS).arg(pool.0).take();
            let before: Option<String> = self.link.ask(&before).await?;
            let Some(before) = before else { return Ok(None) };
            let team: Team = from_json("team", &before)?;
            let after = to_json("team", &Team { name: name.to_owned(), ..team })?;
            let script = &self.scripts.rename_team;
            let mut call = script.call(&[keys::TEAMS]);
            call.arg(pool.0).arg(before).arg(after);
            if script.run::<bool>(&self.link, &call).await? {
                return Ok(Some(()));
            }
        }
        Err(changes_all_the_time())
    }

    async fn close_team(&self, pool: PoolId) -> Answer<Closing> {
        if self.teams_among(&[pool]).await?.is_empty() {
            return Ok(Closing::Unknown);
        }
        // First no account comes, then it is seen whether there are any.
        let until = self.now().await?.as_millisecond() + millis(SHUT).cast_signed();
        let shut = redis::cmd("HSET").arg(keys::policy(pool)).arg("shut").arg(until).take();
        self.link.ask::<()>(&shut).await?;
        for family in self.families_in(&[pool]).await? {
            let accounts = redis::cmd("HLEN").arg(family.accounts()).take();
            if self.link.ask::<u64>(&accounts).await? > 0 {
                let open = redis::cmd("HDEL").arg(keys::policy(pool)).arg("shut").take();
                self.link.ask::<()>(&open).await?;
                return Ok(Closing::HasAccounts);
            }
        }
        for _ in 0..TRIES {
            let members: Vec<i64> =
                self.link.ask(&redis::cmd("HKEYS").arg(keys::members_of(pool)).take()).await?;
            let mut of_it = vec![keys::TEAMS.into(), keys::members_of(pool), keys::ever_in(pool)];
            of_it.extend(members.iter().map(|&user| keys::teams_of(UserId(user))));
            let script = &self.scripts.close_team;
            let mut call = script.call(&of_it);
            call.arg(pool.0).arg(&members);
            if script.run::<bool>(&self.link, &call).await? {
                return Ok(Closing::Done);
            }
        }
        Err(changes_all_the_time())
    }

    async fn members_of(&self, pool: PoolId) -> Answer<Vec<Membership>> {
        self.memberships(keys::members_of(pool)).await
    }

    async fn ever_members_of(&self, pool: PoolId) -> Answer<Vec<UserId>> {
        let ever = redis::cmd("SMEMBERS").arg(keys::ever_in(pool)).take();
        let mut ever: Vec<i64> = self.link.ask(&ever).await?;
        ever.sort_unstable();
        Ok(ever.into_iter().map(UserId).collect())
    }

    async fn memberships_of(&self, user: UserId) -> Answer<Vec<Membership>> {
        self.memberships(keys::teams_of(user)).await
    }

    async fn seat(&self, before: Option<&Membership>, membership: Membership) -> Answer<Seating> {
        let (pool, user, role) = (membership.pool, membership.user, membership.role);
        let script = &self.scripts.seat;
        let mut call = script.call(&keys::member(pool, user));
        call.arg(pool.0).arg(user.0).arg("seat");
        call.arg(before.map_or("", |before| &before.mac));
        call.arg(to_json("membership", &membership)?);
        call.arg(if role == TeamRole::Owner { "owner" } else { "member" });
        call.arg(Membership::MOST_MEMBERS).arg(Membership::MOST_TEAMS);
        seating(&script.run::<String>(&self.link, &call).await?)
    }

    async fn unseat(&self, pool: PoolId, user: UserId) -> Answer<Seating> {
        let script = &self.scripts.seat;
        let mut call = script.call(&keys::member(pool, user));
        call.arg(pool.0).arg(user.0).arg("unseat");
        seating(&script.run_once::<String>(&self.link, &call).await?)
    }

    async fn users_among(&self, users: &[UserId]) -> Answer<Vec<User>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.some_user_rows(users).await?;
        let found: BTreeMap<UserId, User> = found.into_iter().map(|user| (user.id, user)).collect();
        Ok(found.into_values().collect())
    }
}

impl RedisStore {
    async fn memberships(&self, key: String) -> Answer<Vec<Membership>> {
        let rows: Vec<String> = self.link.ask(&redis::cmd("HVALS").arg(key).take()).await?;
        let rows = rows.iter().map(|row| from_json::<Membership>("membership", row));
        let mut rows = rows.collect::<Answer<Vec<_>>>()?;
        rows.sort_by_key(|member| (member.joined_at, member.pool, member.user));
        Ok(rows)
    }
}

fn teams(rows: impl IntoIterator<Item = String>) -> Answer<Vec<Team>> {
    let teams = rows.into_iter().map(|row| from_json::<Team>("team", &row));
    let mut teams = teams.collect::<Answer<Vec<_>>>()?;
    teams.sort_by_key(|team| team.id);
    teams.dedup_by_key(|team| team.id);
    Ok(teams)
}

fn seating(word: &str) -> Answer<Seating> {
    Ok(match word {
        "done" => Seating::Done,
        "stale" => Seating::Stale,
        "last_owner" => Seating::LastOwner,
        "full" => Seating::Full,
        _ => return Err(corrupt("membership", "the script answered something else")),
    })
}
