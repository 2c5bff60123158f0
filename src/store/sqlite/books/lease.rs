//! Granting and prolonging leases.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{
    AccountId, Grant, LeaseAsk, LeaseId, LeaseKey, PlatformId, Policy, Refusal, TokenId, Tokens,
    UserId,
};

use super::{Books, Ms, Note, family_of, is_nobody};

/// A lease that has not ended.
#[derive(Clone, Debug)]
pub(in super::super) struct OpenLease {
    /// Its row in the file.
    pub(in super::super) row: i64,
    pub(in super::super) user: UserId,
    pub(in super::super) token: TokenId,
    pub(in super::super) platform: PlatformId,
    pub(in super::super) model: Arc<str>,
    pub(in super::super) estimate: Tokens,
    pub(in super::super) deadline: Ms,
    /// What was answered, for one who asks again.
    pub(in super::super) grant: Grant,
}

/// How many due timers a lease handles before it chooses. It handles all of them before
/// it overdraws an account or refuses; a sweep does the bulk.
const DUE_A_LEASE: usize = 1;

impl Books {
    pub(in super::super) fn lease(
        &mut self,
        ask: &LeaseAsk<'_>,
        now: Timestamp,
        deadline: Ms,
    ) -> Result<Grant, Refusal> {
        if let Some(open) = self.leases.get(&ask.id) {
            return Ok(open.grant);
        }
        self.catch_up(ask, now, DUE_A_LEASE);
        let mut best = self.best_that_fits(ask, now);
        if best.is_none() && self.catch_up(ask, now, usize::MAX) > 0 {
            best = self.best_that_fits(ask, now);
        }
        match best.or_else(|| self.lone(ask, now)) {
            Some(id) => self.grant(id, ask, now, deadline).ok_or(Refusal::NoAccount),
            None => Err(self.refusal(ask, now)),
        }
    }

    /// Handles what is due, so much of each kind; answers how much that was.
    fn catch_up(&mut self, ask: &LeaseAsk<'_>, now: Timestamp, most: usize) -> usize {
        let woken = self.wake(ask.pool, ask.platform, now, ask.resets, most);
        woken.max(self.unblock(ask.pool, ask.platform, now, most))
    }

    fn grant(
        &mut self,
        id: AccountId,
        ask: &LeaseAsk<'_>,
        now: Timestamp,
        deadline: Ms,
    ) -> Option<Grant> {
        let candidates = self.candidates(ask);
        let entry = self.accounts.get_mut(&id)?;
        let family = family_of(&mut self.pools, entry)?;
        let ailing = entry.condition.is_ailing(now);
        let policy = ask.only.is_none().then_some(family.policy);
        let conversation = ask.conversation.filter(|_| policy == Some(Policy::Sticky));
        let stayed = conversation.is_some_and(|conversation| {
            family.bindings.bind(conversation, id, now.as_millisecond()) == Some(id)
        });
        let grant = Grant {
            account: id,
            remaining: entry.remaining(),
            candidates,
            granted_at: now,
            ailing,
            policy,
            stayed,
        };
        self.last_lease += 1;
        entry.turn = self.last_lease;
        entry.last_used_at = Some(now);
        entry.hold(ask.estimate);
        family.stand(entry, now);
        self.unfolded.moved(entry);

        let lease = OpenLease {
            row: self.last_lease,
            user: ask.user,
            token: ask.token,
            platform: ask.platform.clone(),
            model: ask.model.clone(),
            estimate: ask.estimate,
            deadline,
            grant,
        };
        self.deadlines.insert((deadline, ask.id));
        self.rows.push(Note::Leased { id: ask.id, lease: lease.clone() });
        self.leases.insert(ask.id, lease);
        if ailing {
            self.begin_trial(id, ask.id, now);
        }
        Some(grant)
    }

    /// Puts back a use that may be unfolded, by the lease's row.
    pub(in super::super) fn place_use(&mut self, row: i64, grant: &Grant, now: Timestamp) {
        self.last_lease = self.last_lease.max(row);
        let Some(entry) = self.accounts.get_mut(&grant.account) else { return };
        let Some(family) = family_of(&mut self.pools, entry) else { return };
        if entry.turn < row {
            entry.turn = row;
            entry.last_used_at = Some(grant.granted_at);
            family.stand(entry, now);
            self.unfolded.moved(entry);
        }
    }

    /// Puts back a lease that was open when this was written, be it nobody's.
    pub(in super::super) fn place_lease(&mut self, id: LeaseId, lease: OpenLease, now: Timestamp) {
        if !is_nobody(lease.grant.account) {
            let Some(entry) = self.accounts.get_mut(&lease.grant.account) else { return };
            let Some(family) = family_of(&mut self.pools, entry) else { return };
            entry.hold(lease.estimate);
            family.stand(entry, now);
        }
        self.deadlines.insert((lease.deadline, id));
        self.leases.insert(id, lease);
    }

    /// Prolongs leases; answers those that are no longer open.
    pub(in super::super) fn renew(&mut self, keys: &[LeaseKey], deadline: Ms) -> Vec<LeaseId> {
        let mut gone = Vec::new();
        for key in keys {
            match self.prolong(key.id, deadline) {
                true => self.rows.push(Note::Renewed { id: key.id, deadline }),
                false => gone.push(key.id),
            }
        }
        gone
    }

    /// Gives a lease another deadline; `false`: it is not open. Also what replaying does.
    pub(in super::super) fn prolong(&mut self, id: LeaseId, deadline: Ms) -> bool {
        let Some(lease) = self.leases.get_mut(&id) else { return false };
        self.deadlines.remove(&(lease.deadline, id));
        lease.deadline = deadline;
        self.deadlines.insert((deadline, id));
        self.renewed(id);
        true
    }
}
