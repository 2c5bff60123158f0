//! Teams: the verbs on the books, and their rows in the file.

use async_trait::async_trait;
use rusqlite::{Connection, params};

use crate::accounts::{Closing, Membership, PoolId, Seating, Team, User, UserId};

use super::super::{Answer, Teams};
use super::SqliteStore;
use super::books::{Books, Counter, TeamNote};
use super::file::failure;
use super::load::{each, get};
use super::rows;

#[async_trait]
impl Teams for SqliteStore {
    async fn reserve_pool_id(&self) -> Answer<PoolId> {
        self.desk.write(|books, _| PoolId(books.next_id(Counter::Pool))).await
    }

    async fn found_team(&self, team: Team, founder: Membership) -> Answer<Seating> {
        self.desk.write(|books, _| books.found_team(team, founder)).await?
    }

    async fn teams(&self) -> Answer<Vec<Team>> {
        self.desk.read(|books, _| books.teams.all())
    }

    async fn teams_among(&self, pools: &[PoolId]) -> Answer<Vec<Team>> {
        self.desk.read(|books, _| books.teams.among(pools))
    }

    async fn rename_team(&self, pool: PoolId, name: &str) -> Answer<Option<()>> {
        self.desk.write(|books, _| books.rename_team(pool, name)).await
    }

    async fn close_team(&self, pool: PoolId) -> Answer<Closing> {
        self.desk.write(|books, _| books.close_team(pool)).await
    }

    async fn members_of(&self, pool: PoolId) -> Answer<Vec<Membership>> {
        self.desk.read(|books, _| books.teams.members(pool))
    }

    async fn ever_members_of(&self, pool: PoolId) -> Answer<Vec<UserId>> {
        self.desk.read(|books, _| books.teams.ever(pool))
    }

    async fn memberships_of(&self, user: UserId) -> Answer<Vec<Membership>> {
        self.desk.read(|books, _| books.teams.of(user))
    }

    async fn seat(&self, before: Option<&Membership>, membership: Membership) -> Answer<Seating> {
        self.desk.write(|books, _| books.seat(before, membership)).await
    }

    async fn unseat(&self, pool: PoolId, user: UserId) -> Answer<Seating> {
        self.desk.write(|books, _| books.unseat(pool, user)).await
    }

    async fn users_among(&self, users: &[UserId]) -> Answer<Vec<User>> {
        self.desk.read(|books, _| {
            let known = books.people.users.values();
            known.filter(|user| users.contains(&user.id)).cloned().collect()
        })
    }
}

/// Writes a change.
pub(super) fn write(conn: &Connection, note: &TeamNote) -> Answer<()> {
    let once = |sql: &str, params: &[&dyn rusqlite::ToSql]| {
        let mut statement = conn.prepare_cached(sql).map_err(failure)?;
        statement.execute(params).map(drop).map_err(failure)
    };
    match note {
        TeamNote::Team(team) => once(
            "INSERT OR REPLACE INTO teams VALUES (?, ?, ?)",
            params![team.id.0, team.name, team.created_at.as_millisecond()],
        ),
        TeamNote::Closed(pool) => {
            once("DELETE FROM teams WHERE pool = ?", params![pool.0])?;
            once("DELETE FROM policies WHERE pool = ?", params![pool.0])?;
            once("DELETE FROM members WHERE pool = ?", params![pool.0])
        }
        TeamNote::Member(member) => once(
            "INSERT OR REPLACE INTO members VALUES (?, ?, ?)",
            params![member.pool.0, member.user.0, rows::to_json("membership", member)?],
        ),
        TeamNote::Left(pool, user) => once(
            "UPDATE members SET row = NULL WHERE pool = ? AND user = ?",
            params![pool.0, user.0],
        ),
    }
}

/// Reads the teams into the books.
pub(super) fn load(conn: &Connection, books: &mut Books) -> Answer<()> {
    each(conn, "SELECT pool, name, created_at FROM teams", |row| {
        let created_at = rows::at("team", get(row, 2)?)?;
        books.teams.place_team(Team { id: PoolId(get(row, 0)?), name: get(row, 1)?, created_at });
        Ok(())
    })?;
    each(conn, "SELECT pool, user, row FROM members", |row| {
        match get::<Option<String>>(row, 2)? {
            Some(json) => books.teams.place_member(rows::json("membership", &json)?),
            None => books.teams.place_ever(PoolId(get(row, 0)?), UserId(get(row, 1)?)),
        }
        Ok(())
    })
}
