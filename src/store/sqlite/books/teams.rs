//! Teams in the books: who belongs to which, found from either side.

use std::collections::{BTreeMap, BTreeSet};

use crate::accounts::{Closing, Membership, PoolId, Seating, Team, TeamRole, UserId};

use super::super::super::{Answer, StoreError};
use super::{Books, Note};

/// The teams and their members.
#[derive(Default)]
pub(in super::super) struct TeamBook {
    teams: BTreeMap<PoolId, Team>,
    members: BTreeMap<PoolId, BTreeMap<UserId, Membership>>,
    pools: BTreeMap<UserId, BTreeSet<PoolId>>,
    ever: BTreeMap<PoolId, BTreeSet<UserId>>,
    /// Closed by this process: callers that were found before may still name them.
    closed: BTreeSet<PoolId>,
}

/// What changed of teams.
pub(in super::super) enum TeamNote {
    Team(Team),
    Closed(PoolId),
    Member(Membership),
    Left(PoolId, UserId),
}

impl TeamBook {
    pub(in super::super) fn all(&self) -> Vec<Team> {
        self.teams.values().cloned().collect()
    }

    pub(in super::super) fn among(&self, pools: &[PoolId]) -> Vec<Team> {
        self.teams.values().filter(|team| pools.contains(&team.id)).cloned().collect()
    }

    pub(in super::super) fn members(&self, pool: PoolId) -> Vec<Membership> {
        let members = self.members.get(&pool).into_iter().flatten();
        in_order(members.map(|(_, member)| member.clone()))
    }

    pub(in super::super) fn ever(&self, pool: PoolId) -> Vec<UserId> {
        self.ever.get(&pool).into_iter().flatten().copied().collect()
    }

    pub(in super::super) fn of(&self, user: UserId) -> Vec<Membership> {
        let pools = self.pools.get(&user).into_iter().flatten();
        in_order(pools.filter_map(|pool| self.members.get(pool)?.get(&user)).cloned())
    }

    pub(in super::super) fn is_closed(&self, pool: PoolId) -> bool {
        self.closed.contains(&pool)
    }

    pub(in super::super) fn place_team(&mut self, team: Team) {
        self.teams.insert(team.id, team);
    }

    pub(in super::super) fn place_member(&mut self, member: Membership) {
        let (pool, user) = (member.pool, member.user);
        self.place_ever(pool, user);
        self.pools.entry(user).or_default().insert(pool);
        self.members.entry(pool).or_default().insert(user, member);
    }

    pub(in super::super) fn place_ever(&mut self, pool: PoolId, user: UserId) {
        self.ever.entry(pool).or_default().insert(user);
    }

    fn member(&self, pool: PoolId, user: UserId) -> Option<&Membership> {
        self.members.get(&pool)?.get(&user)
    }

    fn is_last_owner(&self, pool: PoolId, user: UserId) -> bool {
        let members = self.members.get(&pool).into_iter().flatten();
        let mut owners = members.filter(|(_, member)| member.role == TeamRole::Owner);
        owners.next().is_some_and(|(owner, _)| *owner == user) && owners.next().is_none()
    }

    fn has_its_teams(&self, user: UserId) -> bool {
        self.pools.get(&user).is_some_and(|pools| pools.len() >= Membership::MOST_TEAMS)
    }

    fn take_out(&mut self, pool: PoolId, user: UserId) {
        if let Some(members) = self.members.get_mut(&pool) {
            members.remove(&user);
        }
        if let Some(pools) = self.pools.get_mut(&user) {
            pools.remove(&pool);
        }
    }
}

impl Books {
    pub(in super::super) fn found_team(
        &mut self,
        team: Team,
        founder: Membership,
    ) -> Answer<Seating> {
        if self.teams.teams.contains_key(&team.id) {
            return Err(StoreError::Taken(format!("a pool {}", team.id)));
        }
        if self.teams.has_its_teams(founder.user) {
            return Ok(Seating::Full);
        }
        self.rows.push(Note::Team(TeamNote::Team(team.clone())));
        self.teams.place_team(team);
        self.write_member(founder);
        Ok(Seating::Done)
    }

    pub(in super::super) fn rename_team(&mut self, pool: PoolId, name: &str) -> Option<()> {
        let team = self.teams.teams.get_mut(&pool)?;
        name.clone_into(&mut team.name);
        self.rows.push(Note::Team(TeamNote::Team(team.clone())));
        Some(())
    }

    pub(in super::super) fn close_team(&mut self, pool: PoolId) -> Closing {
        if !self.teams.teams.contains_key(&pool) {
            return Closing::Unknown;
        }
        let families = self.pools.get(&pool).into_iter().flat_map(BTreeMap::values);
        if families.into_iter().any(|family| !family.members.is_empty()) {
            return Closing::HasAccounts;
        }
        for member in self.teams.members(pool) {
            self.teams.take_out(pool, member.user);
        }
        self.teams.teams.remove(&pool);
        self.teams.members.remove(&pool);
        self.teams.closed.insert(pool);
        self.rows.push(Note::Team(TeamNote::Closed(pool)));
        Closing::Done
    }

    pub(in super::super) fn seat(
        &mut self,
        before: Option<&Membership>,
        membership: Membership,
    ) -> Seating {
        let (pool, user) = (membership.pool, membership.user);
        let is = self.teams.member(pool, user);
        if is == Some(&membership) {
            return Seating::Done;
        }
        let fits = is.map(|member| &member.mac) == before.map(|before| &before.mac);
        if !fits || !self.teams.teams.contains_key(&pool) {
            return Seating::Stale;
        }
        if before.is_some() {
            if membership.role != TeamRole::Owner && self.teams.is_last_owner(pool, user) {
                return Seating::LastOwner;
            }
        } else {
            let members = self.teams.members.get(&pool).map_or(0, BTreeMap::len);
            if members >= Membership::MOST_MEMBERS || self.teams.has_its_teams(user) {
                return Seating::Full;
            }
        }
        self.write_member(membership);
        Seating::Done
    }

    pub(in super::super) fn unseat(&mut self, pool: PoolId, user: UserId) -> Seating {
        if self.teams.member(pool, user).is_none() {
            return Seating::Stale;
        }
        if self.teams.is_last_owner(pool, user) {
            return Seating::LastOwner;
        }
        self.teams.take_out(pool, user);
        self.rows.push(Note::Team(TeamNote::Left(pool, user)));
        Seating::Done
    }

    fn write_member(&mut self, member: Membership) {
        self.rows.push(Note::Team(TeamNote::Member(member.clone())));
        self.teams.place_member(member);
    }
}

fn in_order(members: impl Iterator<Item = Membership>) -> Vec<Membership> {
    let mut members: Vec<_> = members.collect();
    members.sort_by_key(|member| (member.joined_at, member.pool, member.user));
    members
}
