//! The books as simply as they can be kept: every question looks at every account.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tributary::accounts::{
    AccountId, Charge, ChargeKind, Health, LeaseId, Refusal, Resets, Tokens, Window, WindowSpec,
};

pub struct Books {
    pub accounts: Vec<Account>,
    open: HashMap<LeaseId, Open>,
    estimates: HashMap<LeaseId, Estimate>,
    pub charges: Vec<(LeaseId, AccountId, ChargeKind, i64)>,
    turn: u64,
}

pub struct Account {
    pub id: AccountId,
    pub pool: usize,
    pub windows: Vec<Window>,
    pub health: Health,
    pub leased: u64,
    open: u32,
    turn: u64,
    blocks: HashMap<&'static str, Timestamp>,
}

#[derive(Clone)]
struct Open {
    account: AccountId,
    estimate: u64,
    deadline: Timestamp,
    answer: Granted,
}

struct Estimate {
    account: AccountId,
    tokens: u64,
    ends: Vec<Option<Timestamp>>,
}

/// Whether a late exact figure may replace a charge.
#[derive(PartialEq, Eq)]
enum Late {
    Awaited,
    Ignored,
}

/// What a grant says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    pub account: AccountId,
    pub remaining: Option<i64>,
    pub candidates: u32,
}

pub struct Ask<'a> {
    pub id: LeaseId,
    pub pool: usize,
    pub model: &'static str,
    pub estimate: u64,
    pub only: Option<AccountId>,
    pub except: &'a [AccountId],
}

const DEADLINE: SignedDuration = SignedDuration::from_secs(120);

impl Account {
    fn left(&self) -> Option<i64> {
        self.windows.iter().filter_map(Window::left).min()
    }

    fn remaining(&self) -> Option<i64> {
        self.left().map(|left| left - self.leased as i64)
    }

    fn blocked(&self, model: &str, now: Timestamp) -> Option<Timestamp> {
        self.blocks.get(model).copied().filter(|&until| until > now)
    }

    fn is_stuck(&self) -> bool {
        !matches!(self.health, Health::Active | Health::Cooling { .. })
    }

    /// When the last of its spent windows ends.
    fn reset(&self) -> Option<Timestamp> {
        let spent =
            self.windows.iter().filter(|window| window.left().is_some_and(|left| left <= 0));
        let ends = |window: &Window| window.resets_at.filter(|_| window.limit > Some(Tokens(0)));
        spent.map(ends).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl Books {
    pub fn new(accounts: impl IntoIterator<Item = (AccountId, usize, Vec<WindowSpec>)>) -> Self {
        let accounts = accounts.into_iter().map(|(id, pool, specs)| Account {
            id,
            pool,
            windows: specs.into_iter().map(Window::from).collect(),
            health: Health::Active,
            leased: 0,
            open: 0,
            turn: 0,
            blocks: HashMap::new(),
        });
        Self {
            accounts: accounts.collect(),
            open: HashMap::new(),
            estimates: HashMap::new(),
            charges: Vec::new(),
            turn: 0,
        }
    }

    fn account(&mut self, id: AccountId) -> &mut Account {
        self.accounts.iter_mut().find(|account| account.id == id).unwrap()
    }

    /// Brings every account to `now`.
    pub fn tick(&mut self, now: Timestamp, resets: &Resets) {
        for account in &mut self.accounts {
            account.windows.iter_mut().for_each(|window| window.roll(now, resets));
            if matches!(account.health, Health::Cooling { until, .. } if until <= now) {
                account.health = Health::Active;
            }
        }
    }

    pub fn lease(&mut self, ask: &Ask<'_>, now: Timestamp) -> Result<Granted, Refusal> {
        if let Some(open) = self.open.get(&ask.id) {
            return Ok(open.answer);
        }
        let in_pool = |account: &&Account| account.pool == ask.pool;
        let untried = |account: &&Account| !ask.except.contains(&account.id);
        let asked = |account: &&Account| ask.only.is_none_or(|only| only == account.id);
        let ready = |account: &&Account| account.health == Health::Active;
        let unblocked = |account: &&Account| account.blocked(ask.model, now).is_none();
        let all = || self.accounts.iter().filter(in_pool).filter(untried).filter(asked);
        // Most left, then fewest in flight, then longest unused.
        let order = |account: &&Account| {
            let rest = account.remaining().unwrap_or(i64::MAX);
            (std::cmp::Reverse(rest), account.open, account.turn, account.id)
        };
        let takes = || all().filter(ready).filter(unblocked);
        let fits =
            |account: &&Account| account.remaining().is_none_or(|rest| ask.estimate as i64 <= rest);
        let alone = |account: &&Account| account.open == 0 && account.remaining() > Some(0);
        let best = takes().filter(fits).min_by_key(order);
        let chosen = best.or_else(|| takes().filter(alone).min_by_key(order));
        let Some(chosen) = chosen else {
            let all: Vec<&Account> = all().collect();
            return Err(refusal(&all, ask.model, now));
        };
        let candidates =
            if ask.only.is_some() { 1 } else { all().filter(ready).count().try_into().unwrap() };
        let answer = Granted { account: chosen.id, remaining: chosen.remaining(), candidates };
        self.turn += 1;
        let turn = self.turn;
        let account = self.account(answer.account);
        account.leased += ask.estimate;
        account.open += 1;
        account.turn = turn;
        let open = Open {
            account: answer.account,
            estimate: ask.estimate,
            deadline: now + DEADLINE,
            answer,
        };
        self.open.insert(ask.id, open);
        Ok(answer)
    }

    pub fn is_open(&self, id: LeaseId) -> bool {
        self.open.contains_key(&id)
    }

    pub fn settle(&mut self, id: LeaseId, charge: Charge, now: Timestamp) {
        if let Some(open) = self.open.remove(&id) {
            self.end(id, &open, charge, now, Late::Ignored);
        } else if let Charge::Exact(exact) = charge
            && let Some(estimate) = self.estimates.remove(&id)
        {
            let account = self.account(estimate.account);
            let mut open = account.windows.is_empty();
            for (window, end) in account.windows.iter_mut().zip(&estimate.ends) {
                if window.resets_at == *end {
                    window.used = Tokens(window.used.0 - estimate.tokens + exact.0);
                    open = true;
                }
            }
            if open {
                let difference = exact.0 as i64 - estimate.tokens as i64;
                self.charges.push((id, estimate.account, ChargeKind::Correction, difference));
            }
        }
    }

    fn end(&mut self, id: LeaseId, open: &Open, charge: Charge, now: Timestamp, late: Late) {
        let account = self.account(open.account);
        account.leased -= open.estimate;
        account.open -= 1;
        let kind = match charge {
            Charge::Release => ChargeKind::Released,
            Charge::Exact(_) => ChargeKind::Exact,
            Charge::Estimated(_) => ChargeKind::Estimated,
        };
        if kind != ChargeKind::Released {
            account.windows.iter_mut().for_each(|window| window.charge(charge.tokens(), now));
        }
        let ends = account.windows.iter().map(|window| window.resets_at).collect();
        let tokens = charge.tokens().0;
        if late == Late::Awaited {
            self.estimates.insert(id, Estimate { account: open.account, tokens, ends });
        }
        self.charges.push((id, open.account, kind, tokens as i64));
    }

    pub fn renew(&mut self, id: LeaseId, now: Timestamp) -> bool {
        let open = self.open.get_mut(&id);
        open.map(|open| open.deadline = now + DEADLINE).is_some()
    }

    pub fn sweep(&mut self, now: Timestamp) -> usize {
        let mut due: Vec<(LeaseId, Open)> = self
            .open
            .iter()
            .filter(|(_, open)| open.deadline <= now)
            .map(|(id, open)| (*id, open.clone()))
            .collect();
        due.sort_by_key(|(id, open)| (open.deadline, *id));
        for (id, open) in &due {
            self.open.remove(id);
            self.end(*id, open, Charge::Estimated(Tokens(open.estimate)), now, Late::Awaited);
        }
        due.len()
    }

    pub fn set_health(&mut self, id: AccountId, health: Health) {
        self.account(id).health = health;
    }

    pub fn worsen(&mut self, id: AccountId, health: Health) {
        let current = &mut self.account(id).health;
        let worse = match (&*current, &health) {
            (_, Health::Active) => false,
            (Health::Active, _) => true,
            (Health::Cooling { until, .. }, Health::Cooling { until: next, .. }) => next > until,
            (Health::Cooling { .. }, _) => true,
            _ => false,
        };
        if worse {
            *current = health;
        }
    }

    pub fn recovered(&mut self, id: AccountId) {
        let current = &mut self.account(id).health;
        if matches!(current, Health::Cooling { out_of_quota: false, .. }) {
            *current = Health::Active;
        }
    }

    pub fn block(&mut self, id: AccountId, model: &'static str, until: Timestamp) {
        let end = self.account(id).blocks.entry(model).or_insert(until);
        *end = until.max(*end);
    }
}

fn refusal(all: &[&Account], model: &str, now: Timestamp) -> Refusal {
    let mut returns = Vec::new();
    let (mut resting, mut ready) = (false, false);
    for account in all.iter().filter(|account| !account.is_stuck()) {
        let blocked = account.blocked(model, now);
        let own = match account.health {
            Health::Cooling { until, out_of_quota, .. } => {
                resting |= !out_of_quota;
                Some(until)
            }
            _ => {
                ready = true;
                match (account.left(), blocked) {
                    (Some(left), _) if left <= 0 => account.reset(),
                    (_, Some(until)) => Some(until),
                    (_, None) => return Refusal::Busy,
                }
            }
        };
        returns.extend(own.map(|own| blocked.map_or(own, |until| until.max(own))));
    }
    match (returns.into_iter().min(), all.iter().find(|account| account.is_stuck())) {
        (Some(until), _) if resting => Refusal::Cooling { until },
        (Some(first), _) => Refusal::Exhausted { resets_at: Some(first) },
        (None, _) if ready => Refusal::Exhausted { resets_at: None },
        (None, Some(stuck)) => {
            Refusal::Unauthorized { account: stuck.id, status: stuck.health.status() }
        }
        (None, None) => Refusal::NoAccount,
    }
}
