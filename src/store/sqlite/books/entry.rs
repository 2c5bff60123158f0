//! One account in the books.

use std::sync::Arc;

use jiff::Timestamp;

use crate::accounts::{
    Account, AccountId, AccountState, Condition, Health, NewAccount, Priority, Resets, Tokens,
    Window,
};

use super::family::Standing;
use super::{Motion, Ms};

/// One account: its fixed part, what moves, and where it stands in its family.
pub(in super::super) struct Entry {
    pub(in super::super) fixed: Arc<Account>,
    pub(in super::super) condition: Condition,
    pub(in super::super) windows: Vec<Window>,
    pub(in super::super) priority: Priority,
    pub(in super::super) last_used_at: Option<Timestamp>,
    /// The row of its last lease; 0: none.
    pub(in super::super) turn: i64,
    pub(super) leased: Tokens,
    pub(super) open: u32,
    pub(super) standing: Standing,
    /// Whether its motion is noted for the next commit.
    pub(super) noted: bool,
}

impl Entry {
    pub(in super::super) fn bound(new: NewAccount, now: Timestamp) -> Self {
        let windows = new.windows.into_iter().map(Window::from).collect();
        let priority = new.priority;
        let fixed = Account {
            id: new.id,
            pool: new.pool,
            owner: new.owner,
            owner_proof: new.owner_proof,
            platform: new.platform,
            name: new.name,
            dialect: new.dialect,
            sealed: new.sealed,
            generation: new.generation,
            expires_at: new.expires_at,
            created_at: now,
            short_key: None,
        };
        let entry = Self::read(Arc::new(fixed), Condition::default(), windows, None);
        Self { priority, ..entry }
    }

    /// An account as the file holds it; leases are added one by one.
    pub(in super::super) fn read(
        fixed: Arc<Account>,
        condition: Condition,
        windows: Vec<Window>,
        last_used_at: Option<Timestamp>,
    ) -> Self {
        Self {
            fixed,
            condition,
            windows,
            priority: Priority::default(),
            last_used_at,
            turn: 0,
            leased: Tokens::ZERO,
            open: 0,
            standing: Standing::default(),
            noted: false,
        }
    }

    pub(super) fn id(&self) -> AccountId {
        self.fixed.id
    }

    pub(super) fn roll(&mut self, now: Timestamp, resets: &Resets) {
        for window in &mut self.windows {
            window.roll(now, resets);
        }
    }

    /// Rolls the windows, then adds a use to each.
    pub(super) fn charge(&mut self, tokens: Tokens, now: Timestamp, resets: &Resets) {
        self.roll(now, resets);
        for window in &mut self.windows {
            window.charge(tokens, now);
        }
    }

    pub(super) fn hold(&mut self, estimate: Tokens) {
        self.leased += estimate;
        self.open += 1;
    }

    pub(super) fn let_go(&mut self, estimate: Tokens) {
        self.leased = self.leased.saturating_sub(estimate);
        self.open = self.open.saturating_sub(1);
    }

    /// The tightest window's rest; `None` without any limit.
    pub(super) fn left(&self) -> Option<i64> {
        self.windows.iter().filter_map(Window::left).min()
    }

    /// Whether something is left, leased or not, and a request may go there, or may once
    /// the one that tries it has come back.
    pub(super) fn has_left(&self) -> bool {
        let has_left = self.left().is_none_or(|left| left > 0);
        self.standing.is_leased_out() || (self.standing.ready.is_some() && has_left)
    }

    /// [`Entry::left`] less what is leased.
    pub(super) fn remaining(&self) -> Option<i64> {
        self.left().map(|left| left.saturating_sub(self.leased.signed()))
    }

    /// When the windows change what is left: the last reset of those that are used up,
    /// or else the first of all.
    pub(super) fn next_reset(&self) -> Option<Ms> {
        let limited = || self.windows.iter().filter_map(|window| Some((window, window.left()?)));
        let ends = |window: &Window| window.resets_at.map(Timestamp::as_millisecond);
        if self.left()? > 0 {
            let used = limited().filter(|(window, _)| window.used > Tokens::ZERO);
            return used.filter_map(|(window, _)| ends(window)).min();
        }
        // One that never ends, or whose limit is nothing, keeps the account empty for good.
        let empty = limited().filter(|(_, left)| *left <= 0);
        let returns = |window: &Window| ends(window).filter(|_| window.limit > Some(Tokens::ZERO));
        empty.map(|(window, _)| returns(window)).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    pub(super) fn motion(&self) -> Motion {
        Motion {
            account: self.fixed.id,
            last_used_at: self.last_used_at.map(Timestamp::as_millisecond),
            turn: self.turn,
            windows: self
                .windows
                .iter()
                .map(|window| {
                    let end = window.resets_at.map(Timestamp::as_millisecond);
                    (window.used.signed(), end, window.end_told)
                })
                .collect(),
        }
    }

    pub(super) fn shown(&self, now: Timestamp, resets: &Resets) -> AccountState {
        let mut windows = self.windows.clone();
        for window in &mut windows {
            window.roll(now, resets);
        }
        let health = &self.condition.health;
        AccountState {
            account: (*self.fixed).clone(),
            priority: self.priority,
            health: if health.is_ready(now) { Health::Active } else { health.clone() },
            windows,
            leased: self.leased,
            last_used_at: self.last_used_at,
        }
    }
}
