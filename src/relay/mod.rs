//! The request's way: route, lease, open, translate, send, fail over, buy, relay, settle.
//!
//! [`Gateway::chat`] in `chat.rs` is the straight line; each step has a file.

mod account_ref;
mod attempt;
mod books;
mod budget;
mod call;
mod caller;
mod chat;
mod conversation;
mod counter;
mod drain;
mod error;
mod estimate;
mod failure;
mod gateway;
mod hearing;
mod hold;
mod ids;
mod kept;
mod lane;
mod lease;
mod membership;
mod mint;
mod notices;
mod page;
mod payer;
mod points;
mod points_settings;
mod prompt;
mod ready;
mod route;
mod send;
mod settings;
mod stream;
mod tried;
mod unable;
mod uncounted;
mod uses;
mod words;
mod zones;

pub use account_ref::AccountRef;
pub use books::{Bookkeeper, Books, renew, sweep};
pub use caller::{Caller, Callers, Label, token_mac_parts};
pub use chat::{Content, Relayed};
pub use drain::Drains;
pub use error::{CallError, PointsSaid};
pub use gateway::{Gateway, Parts};
pub use ids::request_id;
pub use membership::{check_membership, membership, prove_anew};
pub use mint::{mint, regrant};
pub use notices::{
    Mail, MailTls, NoticeSettings, Sender, SmtpSettings, Webhook, WebhookSettings, deliver, watch,
};
pub use points::{OperatorKey, OperatorKeys};
pub use points_settings::{KeySettings, PointsSettings};
pub use settings::Settings;
pub use stream::RelayStream;
pub use uses::note_uses;
pub use zones::Zones;

pub use crate::authorize::CREDENTIAL_FIELD;
