//! The HTTP surface, one file a resource. `error.rs` alone turns errors into answers.

mod account_usage;
mod accounts;
mod admin;
mod answer;
mod app;
mod ask;
mod audit;
mod authenticate;
mod authorizations;
mod body;
mod chat;
mod check;
mod console_sessions;
mod cookie;
mod errands;
mod error;
mod host;
mod me;
mod members;
mod models;
mod notices;
mod oidc;
mod oidc_error;
mod operator;
mod page;
mod platforms;
mod points;
mod pools;
mod sign_in_error;
mod token_ask;
mod tokens;
mod usage;
mod view;

pub use account_usage::account_usage;
pub use accounts::{bind_account, change_account, delete_account, list_accounts, show_account};
pub use admin::{add_user, change_user, grant_points, list_users, show_health};
pub use answer::{Body, document, page, stylesheet};
pub use app::{App, Health};
pub use audit::{show_audit, show_whole_audit};
pub use authenticate::{Sessions, authenticate, operator, signed_in};
pub use authorizations::{authorize_account, end_session, reauthorize_account, show_session};
pub use body::discard;
pub use chat::{chat_completions, oauth_chat_completions};
pub use check::check_account;
pub use console_sessions::{
    change_password, end_sign_in, list_sign_ins, reset_password, set_up, sign_in, sign_out,
    who_am_i,
};
pub use errands::{Errands, run_errand};
pub use error::{ApiError, PoolError};
pub use host::is_for_us;
pub use me::show_me;
pub use members::{list_members, put_member, remove_member};
pub use models::{list_models, show_model};
pub use notices::{read_notice, show_notices};
pub use oidc::{begin_oidc, connect_oidc, disconnect_oidc, finish_oidc};
pub use oidc_error::OidcError;
pub use operator::{healthz, metrics, readyz};
pub use platforms::list_platforms;
pub use points::show_points;
pub use pools::{add_pool, change_pool, delete_pool, list_pools, show_pool};
pub use sign_in_error::SignInError;
pub use tokens::{change_token, create_token, list_tokens, revoke_token, show_token};
pub use usage::show_usage;
pub use view::AccountView;

/// What is asked and answered, for the document that says so.
pub mod schema {
    pub use super::account_usage::RecordView;
    pub use super::accounts::{BindAsk, ChangeAsk};
    pub use super::admin::{AddUserAsk, ChangeUserAsk, GrantAsk, GrantView, HealthView, UserView};
    pub use super::audit::{AuditView, WholeAuditView};
    pub use super::authorizations::AuthorizeAsk;
    pub use super::check::CheckView;
    pub use super::console_sessions::{
        PasswordAsk, ResetAsk, SessionView, SetUpAsk, SignInAsk, SignInView,
    };
    pub use super::me::Me;
    pub use super::members::{MemberAsk, MemberView};
    pub use super::notices::NoticeView;
    pub use super::oidc::OidcView;
    pub use super::page::Page;
    pub use super::platforms::PlatformView;
    pub use super::points::PointsView;
    pub use super::pools::{PoolAsk, PoolChangeAsk, PoolView};
    pub use super::token_ask::TokenAsk;
    pub use super::tokens::{GatewayTokenView, MintedView};
    pub use super::usage::UsageView;
    pub use super::view::AccountView;
}

/// A request as the server hands it on.
pub type Request = http::Request<hyper::body::Incoming>;
/// An answer.
pub type Response = http::Response<Body>;
