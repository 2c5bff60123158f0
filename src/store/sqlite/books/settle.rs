//! Ending leases: each in one charge, and at most one correction of it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::accounts::{
    AccountId, Charge, ChargeKind, LeaseId, PlatformId, Resets, Settlement, TokenId, Tokens, UserId,
};

use super::{Books, Ms, Note, OpenLease, family_of, signed};

/// A charge's row.
#[derive(Clone, Debug)]
pub(in super::super) struct Charged {
    pub(in super::super) lease: LeaseId,
    /// Nobody's, where it was removed before the lease ended.
    pub(in super::super) account: AccountId,
    pub(in super::super) user: UserId,
    /// What totals tell it apart by.
    pub(in super::super) usage: Usage,
    pub(in super::super) kind: ChargeKind,
    pub(in super::super) tokens: i64,
    pub(in super::super) at: Ms,
    /// The row of the lease that ended, if one did.
    pub(in super::super) row: Option<i64>,
    /// The ends of the windows that it went to, if a late exact figure may replace it.
    pub(in super::super) windows: Option<Vec<Option<Ms>>>,
    /// Of a correction: the estimate that it replaces, and when that was charged.
    pub(in super::super) replaced: Option<(Tokens, Ms)>,
}

/// What a lease was for.
#[derive(Clone, Debug)]
pub(in super::super) struct Usage {
    pub(in super::super) token: TokenId,
    pub(in super::super) platform: PlatformId,
    pub(in super::super) model: Arc<str>,
}

/// An estimate that was charged and may be replaced.
#[derive(Clone)]
pub(in super::super) struct Estimate {
    pub(in super::super) account: AccountId,
    pub(in super::super) user: UserId,
    pub(in super::super) usage: Usage,
    pub(in super::super) tokens: Tokens,
    pub(in super::super) at: Ms,
    pub(in super::super) windows: Vec<Option<Ms>>,
}

/// How long a late exact figure is waited for.
pub(in super::super) const LATE: SignedDuration = SignedDuration::from_hours(24);

impl Books {
    pub(in super::super) fn settle(
        &mut self,
        settlement: &Settlement,
        now: Timestamp,
        resets: &Resets,
    ) {
        let id = settlement.lease.id;
        if let Some(lease) = self.leases.remove(&id) {
            self.end(id, lease, settlement.charge, now, resets);
        } else if let Charge::Exact(tokens) = settlement.charge
            && let Some(estimate) = self.forget_estimate(id)
        {
            self.correct(id, estimate, tokens, now, resets);
        }
        // Any other lease has ended before, and stays as it ended.
    }

    /// Gives back a lease whose answer nobody waited for.
    pub(in super::super) fn give_back(&mut self, id: LeaseId, now: Timestamp) {
        if let Some(lease) = self.leases.remove(&id) {
            self.end(id, lease, Charge::Release, now, &Resets::default());
        }
    }

    fn end(
        &mut self,
        id: LeaseId,
        lease: OpenLease,
        charge: Charge,
        now: Timestamp,
        resets: &Resets,
    ) {
        let charged = self.charged(id, &lease, charge, now, resets);
        self.rows.push(Note::Charged(charged));
    }

    /// Charges the estimate of a lease past its deadline; its gateway may yet come with
    /// the figure.
    pub(super) fn expire(
        &mut self,
        id: LeaseId,
        lease: &OpenLease,
        now: Timestamp,
        resets: &Resets,
    ) {
        let mut charged = self.charged(id, lease, Charge::Estimated(lease.estimate), now, resets);
        let windows = self.accounts.get(&charged.account).map(|entry| entry.motion().windows);
        let ends = windows.unwrap_or_default().into_iter().map(|(_, end, _)| end).collect();
        charged.windows = Some(ends);
        self.place_estimate(&charged);
        self.rows.push(Note::Charged(charged));
    }

    fn charged(
        &mut self,
        id: LeaseId,
        lease: &OpenLease,
        charge: Charge,
        now: Timestamp,
        resets: &Resets,
    ) -> Charged {
        self.deadlines.remove(&(lease.deadline, id));
        self.ended(lease.row);
        let account = lease.grant.account;
        if let Some(entry) = self.accounts.get_mut(&account)
            && let Some(family) = family_of(&mut self.pools, entry)
        {
            entry.let_go(lease.estimate);
            if charge != Charge::Release {
                entry.charge(charge.tokens(), now, resets);
                self.unfolded.moved(entry);
            }
            family.stand(entry, now);
        }
        if lease.grant.ailing {
            self.end_trial(account, id, now);
        }
        let kind = match charge {
            Charge::Release => ChargeKind::Released,
            Charge::Exact(_) => ChargeKind::Exact,
            Charge::Estimated(_) => ChargeKind::Estimated,
        };
        Charged {
            lease: id,
            account,
            user: lease.user,
            usage: Usage {
                token: lease.token,
                platform: lease.platform.clone(),
                model: lease.model.clone(),
            },
            kind,
            tokens: signed(charge.tokens()),
            at: now.as_millisecond(),
            row: Some(lease.row),
            windows: None,
            replaced: None,
        }
    }

    /// Remembers an estimate that may be replaced; also what replaying does.
    pub(in super::super) fn place_estimate(&mut self, charged: &Charged) {
        let Some(windows) = charged.windows.clone() else { return };
        let estimate = Estimate {
            account: charged.account,
            user: charged.user,
            usage: charged.usage.clone(),
            tokens: Tokens(charged.tokens.unsigned_abs()),
            at: charged.at,
            windows,
        };
        self.read_estimate(charged.lease, estimate);
        self.moved_estimate(charged.lease);
    }

    /// Remembers an estimate that the file has.
    pub(in super::super) fn read_estimate(&mut self, id: LeaseId, estimate: Estimate) {
        self.estimates_by_age.insert((estimate.at, id));
        self.estimates.insert(id, estimate);
    }

    pub(in super::super) fn forget_estimate(&mut self, id: LeaseId) -> Option<Estimate> {
        let estimate = self.estimates.remove(&id)?;
        self.estimates_by_age.remove(&(estimate.at, id));
        self.moved_estimate(id);
        Some(estimate)
    }

    /// Replaces an estimate by an exact figure.
    fn correct(
        &mut self,
        id: LeaseId,
        estimate: Estimate,
        exact: Tokens,
        now: Timestamp,
        resets: &Resets,
    ) {
        let difference = signed(exact).saturating_sub(signed(estimate.tokens));
        if self.shift(&estimate, difference, now, resets) {
            self.rows.push(Note::Charged(Charged {
                lease: id,
                account: estimate.account,
                user: estimate.user,
                usage: estimate.usage,
                kind: ChargeKind::Correction,
                tokens: difference,
                at: now.as_millisecond(),
                row: None,
                windows: None,
                replaced: Some((estimate.tokens, estimate.at)),
            }));
        }
    }

    /// Moves the windows that an estimate went to and that are still open; answers
    /// whether any was, or the account has none.
    fn shift(
        &mut self,
        estimate: &Estimate,
        difference: i64,
        now: Timestamp,
        resets: &Resets,
    ) -> bool {
        let Some(entry) = self.accounts.get_mut(&estimate.account) else { return false };
        let Some(family) = family_of(&mut self.pools, entry) else { return false };
        entry.roll(now, resets);
        let mut open = entry.windows.is_empty();
        for (window, &end) in entry.windows.iter_mut().zip(&estimate.windows) {
            if window.resets_at.map(Timestamp::as_millisecond) == end {
                window.used = Tokens(window.used.0.saturating_add_signed(difference));
                open = true;
            }
        }
        family.stand(entry, now);
        self.unfolded.moved(entry);
        open
    }

    /// Charges anew what was charged since the last fold: what loading does.
    pub(in super::super) fn replay(&mut self, charged: &Charged, at: Timestamp, resets: &Resets) {
        if let Some(row) = charged.row {
            self.ended(row);
            self.replay_end(charged.lease, at);
        }
        match charged.kind {
            ChargeKind::Released => {}
            ChargeKind::Exact | ChargeKind::Estimated => {
                let Some(entry) = self.accounts.get_mut(&charged.account) else { return };
                let Some(family) = family_of(&mut self.pools, entry) else { return };
                entry.charge(Tokens(charged.tokens.unsigned_abs()), at, resets);
                family.stand(entry, at);
                self.unfolded.moved(entry);
            }
            ChargeKind::Correction => {
                if let Some(estimate) = self.forget_estimate(charged.lease) {
                    self.shift(&estimate, charged.tokens, at, resets);
                }
            }
        }
        self.place_estimate(charged);
    }

    fn replay_end(&mut self, id: LeaseId, at: Timestamp) {
        let Some(lease) = self.leases.remove(&id) else { return };
        self.deadlines.remove(&(lease.deadline, id));
        let Some(entry) = self.accounts.get_mut(&lease.grant.account) else { return };
        let Some(family) = family_of(&mut self.pools, entry) else { return };
        entry.let_go(lease.estimate);
        family.stand(entry, at);
    }
}
