//! Accounts, pools, windows and leases: the rules, without I/O.

mod account;
mod audit;
mod charge;
mod harm;
mod health;
mod hold;
mod ids;
mod lease;
mod people;
mod points;
mod policy;
mod record;
mod report;
mod team;
mod tokens;
mod told;
mod total;
mod window;

pub use account::{Account, AccountState, NewAccount, ShortKey};
pub use audit::{AuditHead, AuditRow, By as DoneBy, Deed, Doer, Nobody, Who};
pub use charge::{ChargeKind, ChargeRow};
pub use harm::{Condition, EARLY_TRY, Harm, Rest, Scale, later};
pub use health::{Health, remedy_of};
pub use hold::{HoldAsk, HoldEnd, HoldKey, HoldRefusal, Purse, PurseState};
pub use ids::{AccountId, LeaseId, PlatformId, PoolId, TokenId, UserId};
pub use lease::{Charge, Grant, LeaseAsk, LeaseKey, Refusal, Settlement};
pub use people::{GatewayTokenRow, Scope, Spending, TokenGrant, User};
pub use points::{EntryKind, NoPoints, Points, PointsEntry};
pub use policy::{Conversation, Policy, Priority, size_class};
pub use record::{Attempt, Billing, KeptBodies, Record};
pub use report::{By, Report, csv};
pub use team::{Closing, Membership, Seating, Team, TeamRole};
pub use tokens::Tokens;
pub use told::{End, Told, WindowTold};
pub use total::{Counts, Total, TotalKey};
pub use window::{Origin, Period, Resets, Window, WindowSpec, ZoneResets};
