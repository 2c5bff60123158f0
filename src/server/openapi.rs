//! `GET /openapi.json`: the callers' surface, from the route table and the types of what is
//! asked and answered.
//!
//! A handler without its row in [`described`] does not compile. OpenAPI 3.1's schemas are
//! JSON Schema 2020-12, which is what the types say of themselves.

mod document;
mod shapes;

use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

pub(super) use document::document;
#[cfg(test)]
pub(super) use document::generator;
use shapes::{chat, completion, model, models};

use super::console::{self, described_open};
use super::routes::{CallerHandler, Handler};
use crate::api::schema::{
    AccountView, AuditView, AuthorizeAsk, BindAsk, ChangeAsk, CheckView, GatewayTokenView, Me,
    MemberAsk, MemberView, MintedView, NoticeView, Page, PlatformView, PointsView, PoolAsk,
    PoolChangeAsk, PoolView, RecordView, TokenAsk, UsageView,
};

/// What a route's row in the document says, beside its path and its role.
pub(super) struct Described {
    /// What it does, in a line.
    pub(super) does: &'static str,
    /// Its query.
    pub(super) query: &'static [Param],
    /// What its body must be.
    pub(super) body: Option<Value>,
    /// How it answers: a status, and a schema by media type.
    pub(super) answer: (u16, Option<Value>),
    /// The answer's media type.
    pub(super) kind: &'static str,
    /// Other media types of the same answer.
    pub(super) also: &'static [&'static str],
    /// Refusals beside those that its role and its path bring.
    pub(super) refuses: &'static [u16],
}

#[cfg(test)]
impl Described {
    /// The names of its query's parameters.
    pub(super) fn query_names(&self) -> String {
        let names: Vec<&str> = self.query.iter().map(|(name, ..)| *name).collect();
        names.join("&")
    }
}

pub(super) type Param = (&'static str, &'static str, fn() -> Value);

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

fn date() -> Value {
    json!({"type": "string", "format": "date"})
}

fn integer() -> Value {
    json!({"type": "integer", "format": "int64", "minimum": 1})
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50})
}

fn form() -> Value {
    json!({"type": "string", "enum": ["json", "csv"], "default": "json"})
}

fn truth() -> Value {
    json!({"type": "boolean", "default": false})
}

fn by() -> Value {
    let words = "(day|token|account|platform|model|member)";
    json!({"type": "string", "pattern": format!("^{words}(,{words})*$"),
        "default": "day,platform,model"})
}

const PAGE: &[Param] =
    &[("before", "The `next` of the page before", text), ("limit", "How many rows at most", count)];
pub(super) const WHOLE_PAGE: &[Param] = &[
    PAGE[0],
    PAGE[1],
    ("user_id", "What this user did, and what was done to its things", integer),
];
const UNREAD_PAGE: &[Param] =
    &[PAGE[0], PAGE[1], ("unread", "Those alone that the caller has not read", truth)];
const PLATFORM: &[Param] = &[("platform", "On this platform alone", text)];
const REPORT: &[Param] = &[
    ("from", "The first day, in UTC; 30 days before the last", date),
    ("to", "The last day; today", date),
    ("by", "What rows are told apart by, with commas", by),
    ("format", "As what", form),
    ("pool", "On the accounts of this pool, by all of its members", integer),
];
const EVENTS: &[&str] = &["text/event-stream"];
const SHEET: &[&str] = &["text/csv"];
/// What a call of a model may come to, beside its caller's own mistakes.
const OF_CALLS: &[u16] = &[400, 404, 413, 429, 500, 502, 503, 504];

/// A handler's row.
pub(super) fn described(handler: Handler, types: &mut SchemaGenerator) -> Option<Described> {
    let row = |does, status, answer| Described {
        does,
        query: &[],
        body: None,
        answer: (status, answer),
        kind: "application/json",
        also: &[],
        refuses: &[],
    };
    let handler = match handler {
        Handler::Caller(_, handler) => handler,
        Handler::Open(handler) => return Some(described_open(handler, &mut Types(types))),
        Handler::Session(handler) => {
            return Some(console::described_session(handler, &mut Types(types)));
        }
        Handler::Admin(handler) => {
            return Some(console::described_admin(handler, &mut Types(types)));
        }
        Handler::Operator(_) => return None,
    };
    use CallerHandler as To;
    let mut of = Types(types);
    Some(match handler {
        To::ChatCompletions => Described {
            body: Some(chat(&["model", "messages"])),
            also: EVENTS,
            refuses: OF_CALLS,
            ..row("OpenAI's chat completions, whole or streamed", 200, Some(completion()))
        },
        To::OauthChatCompletions => Described {
            body: Some(chat(&["messages"])),
            also: EVENTS,
            refuses: OF_CALLS,
            ..row(
                "The same on one account (`account_id`); `model` may be left out",
                200,
                Some(completion()),
            )
        },
        To::ListModels => row("What the caller can name, accounts included", 200, Some(models())),
        To::ShowModel => Described {
            refuses: &[404],
            ..row("One model by any name that a call could use", 200, Some(model()))
        },
        To::ShowMe => row("The token: its limits, what it used, its resets", 200, of.one::<Me>()),
        To::ShowUsage => Described {
            query: REPORT,
            also: SHEET,
            refuses: &[400, 404],
            ..row("What the caller's calls add up to", 200, of.one::<UsageView>())
        },
        To::ShowPoints => Described {
            query: PAGE,
            refuses: &[400],
            ..row("The caller's balance of points, and its ledger", 200, of.one::<PointsView>())
        },
        To::ShowNotices => Described {
            query: UNREAD_PAGE,
            refuses: &[400],
            ..row(
                "What the caller should know of its accounts, newest first",
                200,
                of.one::<Page<NoticeView>>(),
            )
        },
        To::ReadNotice => {
            Described { refuses: &[404], ..row("Marks a notice as read by the caller", 204, None) }
        }
        To::ShowAudit => Described {
            query: PAGE,
            refuses: &[400],
            ..row(
                "Who did what to the caller's things, newest first",
                200,
                of.one::<Page<AuditView>>(),
            )
        },
        To::ListPlatforms => {
            row("Platforms, and what binds an account on them", 200, of.one::<Page<PlatformView>>())
        }
        To::ListAccounts => Described {
            query: PLATFORM,
            refuses: &[400],
            ..row("The caller's accounts", 200, of.one::<Page<AccountView>>())
        },
        To::BindAccount => Described {
            body: of.one::<BindAsk<'static>>(),
            refuses: &[400, 404, 409, 413, 500],
            ..row("Binds an account by a documented key", 201, of.one::<AccountView>())
        },
        To::AuthorizeAccount => Described {
            body: of.one::<AuthorizeAsk>(),
            ..row("Binds an account by a login: no platform offers one here", 400, refusal())
        },
        To::ShowAccount => row("One account", 200, of.one::<AccountView>()),
        To::ChangeAccount => Described {
            body: of.one::<ChangeAsk>(),
            refuses: &[400, 409, 413],
            ..row(
                "Renames, enables, disables, limits an account, or moves it to another pool",
                200,
                of.one::<AccountView>(),
            )
        },
        To::DeleteAccount => row("Deletes an account with all its records", 204, None),
        To::CheckAccount => Described {
            ..row("Tries its credential where that is free", 200, of.one::<CheckView>())
        },
        To::AccountUsage => Described {
            query: PAGE,
            refuses: &[400],
            ..row(
                "The caller's calls on an account, newest first",
                200,
                of.one::<Page<RecordView>>(),
            )
        },
        To::ListPools => {
            row("The pools that the caller draws from, in order", 200, of.one::<Page<PoolView>>())
        }
        To::AddPool => Described {
            body: of.one::<PoolAsk>(),
            refuses: &[409],
            ..row(
                "Makes a pool that a team shares, with the caller as its owner",
                201,
                of.one::<PoolView>(),
            )
        },
        To::ShowPool => row("One pool", 200, of.one::<PoolView>()),
        To::ChangePool => Described {
            body: of.one::<PoolChangeAsk>(),
            ..row("Renames a pool, says how it picks: for owners", 200, of.one::<PoolView>())
        },
        To::DeletePool => Described {
            refuses: &[409],
            ..row("Deletes a pool that has no account: for owners", 204, None)
        },
        To::ListMembers => {
            row("A pool's members, in the order of joining", 200, of.one::<Page<MemberView>>())
        }
        To::PutMember => Described {
            body: of.one::<MemberAsk>(),
            refuses: &[409],
            ..row("Adds a member, or says what it may do: for owners", 200, of.one::<MemberView>())
        },
        To::RemoveMember => Described {
            refuses: &[409],
            ..row("Ends a membership: for owners, and for oneself", 204, None)
        },
        To::ReauthorizeAccount => {
            row("Binds the same account anew by a login: none is offered here", 400, refusal())
        }
        To::ListTokens => {
            row("The caller's gateway tokens", 200, of.one::<Page<GatewayTokenView>>())
        }
        To::CreateToken => Described {
            body: of.one::<TokenAsk>(),
            refuses: &[400, 403, 409, 413, 500],
            ..row("Makes a gateway token, shown once", 201, of.one::<MintedView>())
        },
        To::ShowToken => row("One gateway token", 200, of.one::<GatewayTokenView>()),
        To::ChangeToken => Described {
            body: of.one::<TokenAsk>(),
            refuses: &[400, 403, 409, 413],
            ..row("Renames a gateway token, or tightens it", 200, of.one::<GatewayTokenView>())
        },
        To::RevokeToken => row("Revokes a gateway token", 204, None),
        To::ShowSession => row("A login's state: there is none", 404, refusal()),
        To::EndSession => row("Gives a login up: there is none", 404, refusal()),
    })
}

/// The schemas of types, each written once and named.
pub(super) struct Types<'g>(&'g mut SchemaGenerator);

impl Types<'_> {
    pub(super) fn one<T: JsonSchema>(&mut self) -> Option<Value> {
        Some(self.0.subschema_for::<T>().into())
    }
}

fn refusal() -> Option<Value> {
    Some(json!({"$ref": "#/components/schemas/Error"}))
}
