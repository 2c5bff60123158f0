//! What the document says of signing in, of sessions, and of the operators' calls.

use serde_json::json;

use super::openapi::{Described, Param, Types, WHOLE_PAGE, text};
use super::routes::{AdminHandler, OpenHandler, SessionHandler};
use crate::api::schema::{
    AddUserAsk, ChangeUserAsk, GrantAsk, GrantView, HealthView, OidcView, Page, PasswordAsk,
    ResetAsk, SessionView, SetUpAsk, SignInAsk, SignInView, UserView, WholeAuditView,
};

fn row(does: &'static str, status: u16, answer: Option<serde_json::Value>) -> Described {
    Described {
        does,
        query: &[],
        body: None,
        answer: (status, answer),
        also: &[],
        refuses: &[],
        kind: "application/json",
    }
}

/// What an OpenID provider sends a browser back with.
const RETURNED: &[Param] = &[
    ("state", "What the sign-in was begun with", text),
    ("iss", "The provider's issuer", text),
    ("code", "What the provider gives tokens for", text),
    ("error", "Why there is none", text),
];

/// What answers anyone.
pub(super) fn described_open(handler: OpenHandler, of: &mut Types<'_>) -> Described {
    match handler {
        OpenHandler::OpenApi => {
            row("This surface, machine-readable", 200, Some(json!({"type": "object"})))
        }
        OpenHandler::Docs => {
            let page = row("This surface, for people", 200, Some(json!({"type": "string"})));
            Described { kind: "text/html", ..page }
        }
        OpenHandler::DocsStyle => {
            let style = row("The stylesheet of that page", 200, Some(json!({"type": "string"})));
            Described { kind: "text/css", ..style }
        }
        OpenHandler::SignIn => Described {
            body: of.one::<SignInAsk>(),
            refuses: &[401, 429, 503],
            ..row("Signs in to the console: sets its cookie", 200, of.one::<SessionView>())
        },
        OpenHandler::SetUp => Described {
            body: of.one::<SetUpAsk>(),
            refuses: &[404, 409, 503],
            ..row(
                "Makes the first operator, by the token that `serve` printed",
                201,
                of.one::<SessionView>(),
            )
        },
        OpenHandler::ResetPassword => Described {
            body: of.one::<ResetAsk>(),
            refuses: &[404, 503],
            ..row("Sets a password, by a link that an operator made", 200, of.one::<SessionView>())
        },
        OpenHandler::BeginOidc => Described {
            refuses: &[404, 429, 503],
            ..row("Leads a browser to the OpenID provider, to sign in there", 303, None)
        },
        OpenHandler::FinishOidc => Described {
            query: RETURNED,
            refuses: &[403, 404, 409, 429, 502, 503],
            ..row("Takes back whom the OpenID provider sends: sets the console's cookie", 303, None)
        },
    }
}

/// What answers whoever is signed in.
pub(super) fn described_session(handler: SessionHandler, of: &mut Types<'_>) -> Described {
    match handler {
        SessionHandler::WhoAmI => row("Who is signed in", 200, of.one::<SessionView>()),
        SessionHandler::SignOut => row("Signs out", 204, None),
        SessionHandler::ListSignIns => {
            row("The user's console sessions", 200, of.one::<Page<SignInView>>())
        }
        SessionHandler::EndSignIn => row("Ends one of them", 204, None),
        SessionHandler::ConnectOidc => Described {
            refuses: &[404, 429],
            ..row(
                "Begins to connect the OpenID provider to the user, in this browser",
                200,
                of.one::<OidcView>(),
            )
        },
        SessionHandler::DisconnectOidc => {
            row("Lets the OpenID provider sign the user in no more", 204, None)
        }
        SessionHandler::ChangePassword => Described {
            body: of.one::<PasswordAsk>(),
            refuses: &[429],
            ..row(
                "Changes the user's password; its other sessions end",
                200,
                of.one::<SessionView>(),
            )
        },
    }
}

/// What answers operators.
pub(super) fn described_admin(handler: AdminHandler, of: &mut Types<'_>) -> Described {
    match handler {
        AdminHandler::ListUsers => row("Every user", 200, of.one::<Page<UserView>>()),
        AdminHandler::AddUser => Described {
            body: of.one::<AddUserAsk>(),
            refuses: &[409],
            ..row("Adds a user, with a link to set its password", 201, of.one::<UserView>())
        },
        AdminHandler::ChangeUser => Described {
            body: of.one::<ChangeUserAsk>(),
            refuses: &[409],
            ..row(
                "Changes a user's role, disables it, resets its password",
                200,
                of.one::<UserView>(),
            )
        },
        AdminHandler::GrantPoints => Described {
            body: of.one::<GrantAsk>(),
            ..row("Gives points to a user", 200, of.one::<GrantView>())
        },
        AdminHandler::ShowHealth => {
            row("How many accounts fare how on each platform", 200, of.one::<Page<HealthView>>())
        }
        AdminHandler::ShowWholeAudit => Described {
            query: WHOLE_PAGE,
            refuses: &[404],
            ..row(
                "Who did what, newest first: the whole log, or one user's part",
                200,
                of.one::<Page<WholeAuditView>>(),
            )
        },
    }
}
