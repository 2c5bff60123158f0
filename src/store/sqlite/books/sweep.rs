//! What time does: deadlines, resets, ended pauses and blocks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::accounts::{PlatformId, PoolId, Resets};

use super::blocks::Ended;
use super::settle::LATE;
use super::{Books, Ms, Note};

/// How often old rows are deleted.
const FORGET_EVERY_MS: Ms = 60_000;

impl Books {
    /// Charges the estimates of leases past their deadline, and handles every due
    /// timer; answers how many leases it charged.
    pub(in super::super) fn sweep(&mut self, now: Timestamp, resets: &Resets) -> usize {
        let mut charged = 0;
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now.as_millisecond()
        {
            self.deadlines.pop_first();
            let Some(lease) = self.leases.remove(&id) else { continue };
            self.expire(id, &lease, now, resets);
            charged += 1;
        }
        self.sweep_holds(now);
        self.forget_estimates(now);
        self.let_fold();
        if now.as_millisecond() >= self.forget_at {
            self.forget_at = now.as_millisecond() + FORGET_EVERY_MS;
            self.rows.push(Note::Forget { now: now.as_millisecond() });
        }
        for family in self.pools.values_mut().flat_map(BTreeMap::values_mut) {
            family.bindings.forget(now.as_millisecond());
        }
        self.wake_all(now, resets);
        charged
    }

    /// Handles every due timer.
    pub(in super::super) fn wake_all(&mut self, now: Timestamp, resets: &Resets) {
        let families: Vec<(PoolId, PlatformId)> = self
            .pools
            .iter()
            .flat_map(|(pool, all)| all.iter().map(move |(platform, one)| (pool, platform, one)))
            .filter(|(_, _, family)| family.has_due(now.as_millisecond()))
            .map(|(pool, platform, _)| (*pool, platform.clone()))
            .collect();
        for (pool, platform) in families {
            self.wake(pool, &platform, now, resets, usize::MAX);
            self.unblock(pool, &platform, now, usize::MAX);
        }
    }

    /// The resets of every zone that an account's windows are in, after an instant.
    pub(in super::super) fn resets_after(&self, at: Timestamp) -> Resets {
        Resets::after(at, self.zones())
    }

    /// The zones of the accounts' windows.
    pub(in super::super) fn zones(&self) -> BTreeSet<&str> {
        let windows = self.accounts.values().flat_map(|entry| &entry.windows);
        windows.filter_map(|window| window.period.zone()).collect()
    }

    /// Brings accounts whose timer is due to their place, `most` of them at most;
    /// answers how many.
    pub(super) fn wake(
        &mut self,
        pool: PoolId,
        platform: &PlatformId,
        now: Timestamp,
        resets: &Resets,
        most: usize,
    ) -> usize {
        let family = self.pools.get_mut(&pool).and_then(|all| all.get_mut(platform));
        let Some(family) = family else { return 0 };
        let mut woken = 0;
        while woken < most
            && let Some(id) = family.first_due(now.as_millisecond())
        {
            woken += 1;
            let Some(entry) = self.accounts.get_mut(&id) else {
                family.timers.retain(|&(_, known)| known != id);
                family.early.retain(|&(_, known)| known != id);
                continue;
            };
            if entry.condition.rouse(now) {
                self.rows.push(Note::Condition(id, entry.condition.clone()));
            }
            // What a window holds after its end follows from the file, so it is not
            // noted: ten thousand resets at midnight cost no write.
            entry.roll(now, resets);
            family.stand(entry, now);
        }
        woken
    }

    /// Ends blocks that are over, `most` of them at most; answers how many.
    pub(super) fn unblock(
        &mut self,
        pool: PoolId,
        platform: &PlatformId,
        now: Timestamp,
        most: usize,
    ) -> usize {
        let family = self.pools.get_mut(&pool).and_then(|all| all.get_mut(platform));
        let Some(family) = family else { return 0 };
        let mut ended = 0;
        while ended < most
            && let Some(Ended { account, model }) = family.blocks.pop_due(now.as_millisecond())
        {
            ended += 1;
            let entry = self.accounts.get(&account);
            let spot = entry.map(|entry| entry.standing.spot()).unwrap_or_default();
            family.blocks.readmit(spot, &model);
            self.rows.push(Note::Unblock { account, model });
        }
        ended
    }

    fn forget_estimates(&mut self, now: Timestamp) {
        let oldest = now.saturating_sub(LATE).map_or(0, Timestamp::as_millisecond);
        while let Some(&(at, id)) = self.estimates_by_age.first()
            && at < oldest
        {
            self.forget_estimate(id);
        }
    }
}
