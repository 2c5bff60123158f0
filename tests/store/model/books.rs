//! The books as simply as they can be kept: every question looks at every account.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tributary::accounts::{
    AccountId, Charge, ChargeKind, Conversation, EARLY_TRY, Harm, Health, LeaseId, Policy, Refusal,
    Resets, Rest, Tokens, Window, WindowSpec, WindowTold,
};

pub struct Books {
    pub accounts: Vec<Account>,
    open: HashMap<LeaseId, Open>,
    estimates: HashMap<LeaseId, Estimate>,
    pub charges: Vec<(LeaseId, AccountId, ChargeKind, i64)>,
    pub policies: [Policy; super::POOLS],
    conversations: HashMap<(usize, u64), (AccountId, Timestamp)>,
    turn: u64,
}

pub struct Account {
    pub id: AccountId,
    pub pool: usize,
    pub windows: Vec<Window>,
    pub health: Health,
    strikes: u32,
    struck_at: Option<Timestamp>,
    /// The lease of the one request that tries it.
    trial: Option<LeaseId>,
    pub leased: u64,
    open: u32,
    turn: u64,
    priority: u8,
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
    pub ailing: bool,
    pub policy: Option<Policy>,
    pub stayed: bool,
}

pub struct Ask<'a> {
    pub id: LeaseId,
    pub pool: usize,
    pub model: &'static str,
    pub estimate: u64,
    pub only: Option<AccountId>,
    pub conversation: Option<u64>,
    pub except: &'a [AccountId],
}

const FRESH: SignedDuration = SignedDuration::from_secs(Conversation::FRESH.as_secs() as i64);
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

    fn is_on_trial(&self, now: Timestamp) -> bool {
        matches!(self.health, Health::Cooling { tries_at: Some(at), .. } if at <= now)
    }

    /// Whether it answers, or may be tried.
    fn is_open(&self, now: Timestamp) -> bool {
        self.health == Health::Active || self.is_on_trial(now)
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
            strikes: 0,
            struck_at: None,
            trial: None,
            leased: 0,
            open: 0,
            turn: 0,
            priority: 50,
            blocks: HashMap::new(),
        });
        Self {
            accounts: accounts.collect(),
            open: HashMap::new(),
            estimates: HashMap::new(),
            charges: Vec::new(),
            policies: [Policy::MostRemaining; super::POOLS],
            conversations: HashMap::new(),
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
            if let Health::Cooling { until, tries_at, .. } = account.health
                && until <= now
                && tries_at != Some(until)
            {
                account.health = Health::Active;
                account.trial = None;
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
        let ready = |account: &&Account| account.is_open(now) && account.trial.is_none();
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
        let policy = self.policies[ask.pool];
        let conversation = ask.conversation.filter(|_| policy == Policy::Sticky);
        let bound = conversation.and_then(|number| {
            let (account, at) = self.conversations.get(&(ask.pool, number))?;
            (now.duration_since(*at) < FRESH).then_some(*account)
        });
        let has_some = |account: &&Account| account.remaining().is_none_or(|rest| rest > 0);
        let picked = match policy {
            _ if ask.only.is_some() => None,
            Policy::MostRemaining => None,
            Policy::Sticky => takes().filter(fits).find(|account| Some(account.id) == bound),
            Policy::Priority => takes()
                .filter(fits)
                .filter(has_some)
                .min_by_key(|account| (account.priority, order(account))),
            Policy::RoundRobin => takes()
                .filter(fits)
                .filter(has_some)
                .min_by_key(|account| (account.turn, order(account))),
        };
        let best = picked.or_else(|| takes().filter(fits).min_by_key(order));
        let chosen = best.or_else(|| takes().filter(alone).min_by_key(order));
        let Some(chosen) = chosen else {
            let all: Vec<&Account> = all().collect();
            return Err(refusal(&all, ask.model, now));
        };
        let candidates =
            if ask.only.is_some() { 1 } else { all().filter(ready).count().try_into().unwrap() };
        let on_trial = chosen.is_on_trial(now);
        let answer = Granted {
            account: chosen.id,
            remaining: chosen.remaining(),
            candidates,
            ailing: chosen.strikes > 0 || on_trial,
            policy: ask.only.is_none().then_some(policy),
            stayed: ask.only.is_none() && bound == Some(chosen.id),
        };
        if let (None, Some(number)) = (ask.only, conversation) {
            self.conversations.insert((ask.pool, number), (answer.account, now));
        }
        self.turn += 1;
        let turn = self.turn;
        let account = self.account(answer.account);
        account.leased += ask.estimate;
        account.open += 1;
        account.turn = turn;
        account.trial = on_trial.then_some(ask.id);
        let open = Open {
            account: answer.account,
            estimate: ask.estimate,
            deadline: now + DEADLINE,
            answer,
        };
        self.open.insert(ask.id, open);
        Ok(answer)
    }

    pub fn set_priority(&mut self, id: AccountId, priority: u8) {
        self.account(id).priority = priority;
    }

    /// The embedded store has them in memory alone.
    pub fn forget_conversations(&mut self) {
        self.conversations.clear();
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
                    let shifted = window.used.0 as i64 + exact.0 as i64 - estimate.tokens as i64;
                    window.used = Tokens(shifted.max(0) as u64);
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
        account.trial = account.trial.filter(|trial| *trial != id);
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
        let account = self.account(id);
        account.health = health;
        (account.strikes, account.struck_at, account.trial) = (0, None, None);
    }

    pub fn worsen(
        &mut self,
        id: AccountId,
        granted_at: Timestamp,
        harm: &Harm,
        now: Timestamp,
    ) -> bool {
        let account = self.account(id);
        let next = match harm {
            Harm::Stuck(health) => health.clone(),
            Harm::Rest { rest: Rest { at, after }, reason, out_of_quota } => {
                assert!(at.is_empty());
                let hour = now + EARLY_TRY;
                let until = now + *after;
                let tries_at = (*out_of_quota && hour < until).then_some(hour);
                let (reason, out_of_quota) = (reason.clone(), *out_of_quota);
                Health::Cooling { until, reason, out_of_quota, tries_at }
            }
            Harm::Strike { scale, reason, out_of_quota } => {
                if account.struck_at > Some(granted_at) {
                    return false;
                }
                account.strikes += 1;
                account.struck_at = Some(now);
                if account.strikes <= scale.forgiven {
                    return false;
                }
                let doubled = scale.first * 2_u32.pow(account.strikes - scale.forgiven - 1);
                let until = now + doubled.min(scale.longest);
                let (reason, out_of_quota) = (reason.clone(), *out_of_quota);
                Health::Cooling { until, reason, out_of_quota, tries_at: Some(until) }
            }
        };
        let worse = match (&account.health, &next) {
            (_, Health::Active) => false,
            _ if account.is_open(now) => true,
            (Health::Cooling { until, .. }, Health::Cooling { until: next, .. }) => next > until,
            (Health::Cooling { .. }, _) => true,
            _ => false,
        };
        if worse {
            account.health = next;
            account.trial = None;
        }
        worse
    }

    pub fn recovered(&mut self, id: AccountId, now: Timestamp) {
        let account = self.account(id);
        let ends = match account.health {
            Health::Active => true,
            Health::Cooling { out_of_quota, .. } => !out_of_quota || account.is_on_trial(now),
            _ => false,
        };
        if ends {
            self.set_health(id, Health::Active);
        }
    }

    /// Takes in what was told of a window.
    pub fn learn(&mut self, id: AccountId, told: &WindowTold, now: Timestamp) {
        let account = self.account(id);
        let known =
            account.windows.iter_mut().find(|window| window.period.is_told_by(&told.period));
        match (known, Window::first_told(told)) {
            (Some(window), _) => window.hear(told, now),
            (None, Some(mut window)) => {
                window.hear(told, now);
                account.windows.push(window);
            }
            (None, None) => {}
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
        let announced = match account.health {
            Health::Cooling { until, tries_at, .. } if tries_at != Some(until) => Some(until),
            _ => None,
        };
        let own = match account.health {
            Health::Cooling { until, out_of_quota, .. } if !account.is_open(now) => {
                resting |= !out_of_quota;
                Some(until)
            }
            _ => {
                ready |= account.trial.is_none();
                match (account.left(), blocked) {
                    (Some(left), _) if left <= 0 => {
                        account.reset().into_iter().chain(announced).min()
                    }
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
