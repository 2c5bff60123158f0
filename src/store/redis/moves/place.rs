//! The key that says where an account is. It alone decides: what lies in a pool follows.
//!
//! `POOL PLATFORM`, and once it was moved `POOL PLATFORM AIM NUMBER`: bound for its own pool it
//! stays, bound for none it is being removed. The number rises with each word of where it is
//! bound for, and is that word's alone. Gateways from before there were numbers write
//! `POOL PLATFORM AIM`, take what has a number for something else than they wrote, and leave it.

use std::time::Duration;

use crate::accounts::{AccountId, PoolId};

use super::super::super::Answer;
use super::super::keys::{self, Family};
use super::super::{RedisStore, corrupt};

/// The pool of an account that is being removed: bound for nowhere.
pub(super) const NOWHERE: PoolId = PoolId(0);

/// Where an account is, and where it is bound for.
pub(super) struct Place {
    /// As it lies there.
    text: String,
    pub(super) family: Family,
    pub(super) aim: PoolId,
    /// 0: it has none.
    pub(super) number: i64,
}

/// What came of saying where an account is bound for.
pub(super) enum Aimed {
    At(Place),
    /// Somebody else was faster.
    Changed,
    /// What was said last is younger than it was to be.
    Young,
}

impl Place {
    pub(super) fn read(text: String) -> Option<Self> {
        let family = Family::read(&text)?;
        let mut more = text.split(' ').skip(2);
        let aim = more.next().map_or(Some(family.pool), |aim| aim.parse().ok().map(PoolId))?;
        let number = more.next().map_or(Some(0), |number| number.parse().ok())?;
        Some(Self { text, family, aim, number })
    }

    fn numbered(family: &Family, aim: PoolId, number: i64) -> Self {
        let text = format!("{} {aim} {number}", family.text());
        Self { text, family: family.clone(), aim, number }
    }

    pub(super) fn stays(&self) -> bool {
        self.aim == self.family.pool
    }

    /// Whether the account is in a family, and stays.
    pub(super) fn is_in(&self, family: &Family) -> bool {
        self.stays() && self.family == *family
    }

    /// The family that it is bound for.
    pub(super) fn bound_for(&self) -> Family {
        Family { pool: self.aim, platform: self.family.platform.clone() }
    }
}

impl RedisStore {
    pub(super) async fn place_now(&self, id: AccountId) -> Answer<Option<Place>> {
        let place = redis::cmd("GET").arg(keys::account_place(id)).take();
        let place: Option<String> = self.link.ask(&place).await?;
        let read = |text| Place::read(text).ok_or_else(|| corrupt("account", "its place is none"));
        place.map(read).transpose()
    }

    /// Says where an account is and where it is bound for, if its place is still what was read,
    /// and that old. This takes every earlier move its right to go on.
    pub(super) async fn aim(
        &self,
        id: AccountId,
        was: &Place,
        family: &Family,
        aim: PoolId,
        age: Duration,
    ) -> Answer<Aimed> {
        let script = &self.scripts.aim;
        let mut call = script.call(&[keys::account_place(id)]);
        call.arg(&was.text).arg(format!("{} {aim}", family.text()));
        call.arg(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        // Sent again it would be answered as if somebody else had been faster.
        match script.run_once::<i64>(&self.link, &call).await? {
            -1 => Ok(Aimed::Young),
            0 => Ok(Aimed::Changed),
            number if number > 0 => Ok(Aimed::At(Place::numbered(family, aim, number))),
            _ => Err(corrupt("account", "the script answered something else")),
        }
    }

    /// Whether an account that is bound for a pool is there from now on: not if anybody has said
    /// something else meanwhile.
    pub(super) async fn switch(&self, id: AccountId, bound: &Place) -> Answer<bool> {
        let there = Place::numbered(&bound.bound_for(), bound.aim, bound.number);
        let mut call = self.scripts.swap_text.call(&[keys::account_place(id)]);
        call.arg(&bound.text).arg(&there.text);
        if self.scripts.swap_text.run::<bool>(&self.link, &call).await? {
            return Ok(true);
        }
        // It may have been sent twice. The number is ours.
        let now = self.place_now(id).await?;
        Ok(now.is_some_and(|now| now.text == there.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_with_and_without_a_number() {
        let read = |text: &str| {
            let place = Place::read(text.into())?;
            assert_eq!(place.text, text);
            Some((place.family.text(), place.aim.0, place.number, place.stays()))
        };
        for (text, aim, number, stays) in [
            ("7 qwen", 7, 0, true),
            ("7 qwen 9", 9, 0, false),
            ("7 qwen 0", 0, 0, false),
            ("7 qwen 9 1796063999123456", 9, 1_796_063_999_123_456, false),
            ("7 qwen 7 12", 7, 12, true),
        ] {
            assert_eq!(read(text), Some(("7 qwen".into(), aim, number, stays)), "{text}");
        }
        for text in ["", "7", "seven qwen", "7 qwen nine", "7 qwen 9 now"] {
            assert_eq!(read(text), None, "{text}");
        }
        let family = Family { pool: PoolId(7), platform: "qwen".into() };
        assert_eq!(Place::numbered(&family, PoolId(9), 12).text, "7 qwen 9 12");
    }
}
