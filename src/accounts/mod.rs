//! Accounts, pools, windows and leases: the rules, without I/O.

mod account;
mod charge;
mod health;
mod hold;
mod ids;
mod lease;
mod people;
mod points;
mod record;
mod tokens;
mod total;
mod window;

pub use account::{Account, AccountState, NewAccount};
pub use charge::{ChargeKind, ChargeRow};
pub use health::Health;
pub use hold::{HoldAsk, HoldEnd, HoldKey, HoldRefusal, Purse, PurseState};
pub use ids::{AccountId, LeaseId, PlatformId, PoolId, TokenId, UserId};
pub use lease::{Charge, Grant, LeaseAsk, LeaseKey, Refusal, Settlement};
pub use people::{GatewayTokenRow, Scope, Spending, TokenGrant, User};
pub use points::{EntryKind, NoPoints, Points, PointsEntry};
pub use record::{Attempt, Billing, Record};
pub use tokens::Tokens;
pub use total::{Counts, Total, TotalKey};
pub use window::{Period, Resets, Window, WindowSpec, ZoneResets};
