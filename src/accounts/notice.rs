//! Notices: what an account's people should know of it, each said once.
//!
//! Windows fill, credentials near their end, accounts stop. What is due
//! follows from an account's state alone; a key says what it is about (this window, this
//! credential), and a store takes a key once, whichever gateway brings it. Of several stages
//! that an account has passed the last is said, and the earlier ones go with it.
//!
//! A notice holds no credential, no prompt and no platform's own words.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AccountId, AccountState, Health, PlatformId, PoolId, Tokens, UserId, remedy_of};

/// Percents of a window, from the last.
const PERCENTS: [u8; 3] = [100, 90, 70];

/// Before a credential's end, from the last.
const BEFORE_END: [(Stage, i64); 3] = [(Stage::Day, 1), (Stage::Days3, 3), (Stage::Days7, 7)];

/// A credential that lives shorter than this many days is told of at half of its life.
const SHORT_LIFE_DAYS: i64 = 14;

const HOURS_A_DAY: i64 = 24;

/// How near a credential's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Seven days.
    #[serde(rename = "7d")]
    Days7,
    /// Three days.
    #[serde(rename = "3d")]
    Days3,
    /// A day.
    #[serde(rename = "1d")]
    Day,
    /// Half of a life of less than 14 days is over.
    #[serde(rename = "half")]
    Half,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Matter {
    /// So much of a window is used.
    Quota {
        /// 70, 90 or 100.
        percent: u8,
        /// The window's length: `day`, `5h`.
        period: String,
        /// What was used when it was noticed.
        used: Tokens,
        /// Of how much.
        limit: Tokens,
        /// When the window ends.
        resets_at: Option<Timestamp>,
    },
    /// The credential ends.
    CredentialEnds {
        /// How near that is.
        stage: Stage,
        /// When.
        expires_at: Timestamp,
    },
    /// The account takes no more requests until a person does something.
    Stopped {
        /// `expired`, `banned` or `disabled`.
        status: String,
    },
}

/// A notice that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// What it is about: said once.
    pub key: String,
    /// Keys of earlier stages, which go with it.
    pub instead_of: Vec<String>,
    /// Whose account it is.
    pub owner: UserId,
    /// The account's pool, whose members see it.
    pub pool: PoolId,
    /// The account.
    pub account: AccountId,
    /// The account's platform.
    pub platform: PlatformId,
    /// The account's name.
    pub name: String,
    /// What is said.
    pub matter: Matter,
}

/// A notice that was posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number; later ones are greater.
    pub id: i64,
    /// When it was posted.
    pub at: Timestamp,
    /// Whose account it is.
    pub owner: UserId,
    /// The account's pool.
    pub pool: PoolId,
    /// The account.
    pub account: AccountId,
    /// The account's platform.
    pub platform: PlatformId,
    /// The account's name.
    pub name: String,
    /// What is said.
    pub matter: Matter,
}

/// A way that notices are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// A signed call of a URL.
    Webhook,
    /// A mail.
    Mail,
}

/// A notice that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The notice.
    pub notice: Notice,
    /// How often it was tried, this time included.
    pub tries: u32,
}

impl Channel {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Webhook, Self::Mail];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Mail => "mail",
        }
    }
}

impl NewNotice {
    /// As it is posted.
    pub fn posted(&self, id: i64, at: Timestamp) -> Notice {
        let Self { owner, pool, account, platform, name, matter, .. } = self.clone();
        Notice { id, at, owner, pool, account, platform, name, matter }
    }
}

impl Matter {
    /// The kind's name.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Quota { .. } => "quota",
            Self::CredentialEnds { .. } => "credential_ends",
            Self::Stopped { .. } => "stopped",
        }
    }
}

impl Notice {
    /// What receivers know it by: the same however often it is sent.
    pub fn message_id(&self) -> String {
        format!("notice_{}_{}", self.id, self.at.as_millisecond())
    }

    /// What it says, for machines.
    pub fn facts(&self) -> Value {
        let mut facts = serde_json::to_value(&self.matter).unwrap_or_default();
        facts["id"] = self.id.into();
        facts["user_id"] = self.owner.0.into();
        facts["account_id"] = self.account.0.into();
        facts["account_name"] = self.name.as_str().into();
        facts["platform"] = self.platform.as_str().into();
        facts["message"] = self.text().into();
        facts
    }

    /// What it says, as a line for people.
    pub fn text(&self) -> String {
        let account = format!("{} account `{}` ({})", self.platform, self.name, self.account);
        match &self.matter {
            Matter::Quota { percent, period, used, limit, resets_at } => {
                let resets = resets_at.map(|at| format!("; it resets at {at}")).unwrap_or_default();
                format!(
                    "{account}: {percent} % of its {period} quota is used \
                     ({used} of {limit} tokens){resets}"
                )
            }
            Matter::CredentialEnds { expires_at, .. } => {
                format!("{account}: its credential ends at {expires_at}; bind a new one before")
            }
            Matter::Stopped { status } => {
                let remedy = match status.as_str() {
                    "disabled" => "failures stopped it: `tributary account check` tells why",
                    status => remedy_of(status),
                };
                format!("{account} is {status}: {remedy}")
            }
        }
    }
}

/// What is due of an account as it is at `now`.
pub fn notices_due(state: &AccountState, now: Timestamp) -> Vec<NewNotice> {
    let quota = state.windows.iter().filter_map(|window| {
        let limit = window.limit.filter(|limit| limit.0 > 0)?;
        let resets_ms = window.resets_at.map_or(0, Timestamp::as_millisecond);
        let key = |percent: &u8| {
            format!("q:{}:{}:{resets_ms}:{percent}", state.account.id, window.period)
        };
        let used = u128::from(window.used.0) * 100;
        let passed = PERCENTS.map(|percent| used >= u128::from(limit.0) * u128::from(percent));
        let at = passed.iter().position(|passed| *passed)?;
        let matter = Matter::Quota {
            percent: PERCENTS[at],
            period: window.period.to_string(),
            used: window.used,
            limit,
            resets_at: window.resets_at,
        };
        Some(new(state, PERCENTS[at..].iter().map(key).collect(), matter))
    });
    quota.chain(credential(state, now)).chain(stopped(state)).collect()
}

/// `keys`: its own, then those of earlier stages.
fn new(state: &AccountState, mut keys: Vec<String>, matter: Matter) -> NewNotice {
    let account = &state.account;
    let key = if keys.is_empty() { String::new() } else { keys.remove(0) };
    NewNotice {
        key,
        instead_of: keys,
        owner: account.owner,
        pool: account.pool,
        account: account.id,
        platform: account.platform.clone(),
        name: account.name.clone(),
        matter,
    }
}

fn credential(state: &AccountState, now: Timestamp) -> Option<NewNotice> {
    let account = &state.account;
    let expires_at = account.expires_at.filter(|end| *end > now)?;
    let left = expires_at.duration_since(now);
    let key = |stage: Stage| format!("c:{}:{}:{stage:?}", account.id, account.generation);
    let days = |days: i64| SignedDuration::from_hours(days * HOURS_A_DAY);
    // A later credential's beginning is not known: its life counts as a long one.
    let life = expires_at.duration_since(account.created_at);
    let (stage, keys) = if account.generation == 1 && life < days(SHORT_LIFE_DAYS) {
        (left <= life / 2).then(|| (Stage::Half, vec![key(Stage::Half)]))?
    } else {
        let at = BEFORE_END.iter().position(|(_, before)| left <= days(*before))?;
        (BEFORE_END[at].0, BEFORE_END[at..].iter().map(|(stage, _)| key(*stage)).collect())
    };
    Some(new(state, keys, Matter::CredentialEnds { stage, expires_at }))
}

fn stopped(state: &AccountState) -> Option<NewNotice> {
    let status = match &state.health {
        Health::Expired { .. } | Health::Banned { .. } => state.health.status(),
        Health::Disabled { .. } if !state.health.is_disabled_by_hand() => state.health.status(),
        _ => return None,
    };
    // Nobody leases an account that has stopped, so its last use tells one stop from another.
    let (id, generation) = (state.account.id, state.account.generation);
    let used_ms = state.last_used_at.map_or(0, Timestamp::as_millisecond);
    let key = format!("s:{id}:{generation}:{status}:{used_ms}");
    Some(new(state, vec![key], Matter::Stopped { status: status.to_owned() }))
}

#[cfg(test)]
mod tests;
