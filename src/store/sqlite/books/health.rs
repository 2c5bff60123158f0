//! What moves an account's health, blocks one model on it, and tells of its windows.

use jiff::Timestamp;

use crate::accounts::{
    AccountId, Condition, EARLY_TRY, Harm, Health, LeaseId, Resets, Rest, Told, Window, later,
};

use super::{Books, Ms, Note, family_of};

impl Books {
    /// A person's word: it wipes the slate.
    pub(in super::super) fn set_health(
        &mut self,
        id: AccountId,
        health: Health,
        now: Timestamp,
    ) -> Option<()> {
        self.alter(id, now, |condition| {
            *condition = Condition::from(health);
            true
        })
        .map(drop)
    }

    /// The same, if its status and reason are still what somebody saw.
    pub(in super::super) fn amend_health(
        &mut self,
        id: AccountId,
        seen: &Health,
        health: Health,
        now: Timestamp,
    ) -> bool {
        let mut moved = false;
        self.alter(id, now, |condition| {
            let roused = condition.rouse(now);
            let is = &condition.health;
            moved = is.status() == seen.status() && is.reason() == seen.reason();
            if moved {
                *condition = Condition::from(health);
            }
            roused || moved
        });
        moved
    }

    /// Takes in a failed call; answers whether the account moved.
    pub(in super::super) fn worsen(
        &mut self,
        id: AccountId,
        granted_at: Timestamp,
        harm: &Harm,
        now: Timestamp,
    ) -> bool {
        let mut moved = false;
        self.alter(id, now, |condition| {
            let before = condition.strikes;
            let roused = condition.rouse(now);
            moved = condition.suffer(harm, granted_at, now);
            roused || moved || condition.strikes != before
        });
        moved
    }

    /// Takes in a call that succeeded.
    pub(in super::super) fn recovered(&mut self, id: AccountId, now: Timestamp) {
        self.alter(id, now, |condition| condition.recover(now));
    }

    /// The lease of the one request that tries an account on trial.
    pub(super) fn begin_trial(&mut self, id: AccountId, lease: LeaseId, now: Timestamp) {
        self.alter(id, now, |condition| {
            let begins = condition.health.is_on_trial(now);
            if begins {
                condition.trial = Some(lease);
            }
            begins
        });
    }

    /// A lease has ended: if it was a trial, the next request may try.
    pub(super) fn end_trial(&mut self, id: AccountId, lease: LeaseId, now: Timestamp) {
        self.alter(id, now, |condition| {
            let ends = condition.trial == Some(lease);
            if ends {
                condition.trial = None;
            }
            ends
        });
    }

    /// Changes an account's condition. `None`: no such account.
    fn alter(
        &mut self,
        id: AccountId,
        now: Timestamp,
        change: impl FnOnce(&mut Condition) -> bool,
    ) -> Option<()> {
        let entry = self.accounts.get_mut(&id)?;
        if change(&mut entry.condition) {
            self.rows.push(Note::Condition(id, entry.condition.clone()));
            family_of(&mut self.pools, entry)?.stand(entry, now);
        }
        Some(())
    }

    pub(in super::super) fn block_model(
        &mut self,
        id: AccountId,
        model: &str,
        rest: &Rest,
        now: Timestamp,
    ) {
        let until = rest.until(now).min(later(now, EARLY_TRY)).as_millisecond();
        if self.place_block(id, model, until) {
            self.rows.push(Note::Block { account: id, model: model.into(), until });
        }
    }

    /// Blocks a model, unless a longer block stands; also what loading does.
    pub(in super::super) fn place_block(&mut self, id: AccountId, model: &str, until: Ms) -> bool {
        let Some(entry) = self.accounts.get(&id) else { return false };
        let family = family_of(&mut self.pools, entry);
        family.is_some_and(|family| {
            let orders = (&family.ready, &family.places);
            family.blocks.add(id, entry.standing.spot(), model, until, orders)
        })
    }

    /// Takes in what a platform told of an account's windows.
    pub(in super::super) fn hear(&mut self, told: &Told, now: Timestamp, resets: &Resets) {
        let Some(entry) = self.accounts.get_mut(&told.account) else { return };
        let Some(family) = family_of(&mut self.pools, entry) else { return };
        entry.roll(now, resets);
        for one in &told.windows {
            let known = |window: &&mut Window| window.period.is_told_by(&one.period);
            if let Some(window) = entry.windows.iter_mut().find(known) {
                window.hear(one, now);
            } else if let Some(mut window) = Window::first_told(one) {
                window.hear(one, now);
                entry.windows.push(window);
            }
        }
        family.stand(entry, now);
        self.note_windows(told.account);
    }
}
