//! Accounts, pools, windows and leases: the rules, without I/O.

mod account;
mod charge;
mod health;
mod ids;
mod lease;
mod people;
mod record;
mod tokens;
mod total;
mod window;

pub use account::{Account, AccountState, NewAccount};
pub use charge::{ChargeKind, ChargeRow};
pub use health::Health;
pub use ids::{AccountId, LeaseId, PlatformId, PoolId, TokenId, UserId};
pub use lease::{Charge, Grant, LeaseAsk, LeaseKey, Refusal, Settlement};
pub use people::{GatewayTokenRow, Scope, TokenGrant, User};
pub use record::{Attempt, Billing, Record};
pub use tokens::Tokens;
pub use total::{Counts, Total, TotalKey};
pub use window::{Period, Resets, Window, WindowSpec, ZoneResets};
