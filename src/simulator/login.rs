//! Logins that are no keys: an access token, and what a browser holds after a login.
//!
//! No vendor documents them for other people's programs, so they are the simulator's own, and
//! good on every platform:
//!
//! | login | sent as |
//! | --- | --- |
//! | access token | `Authorization: Bearer at_END_ID`, good until END (Unix seconds) |
//! | session | the cookies `sim_sid=ID` and `sim_end=END`, and the header `x-sim-csrf: ID` |

use http::{HeaderMap, header};

use super::clock;

/// A login that a request came with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Login {
    /// It is good, and this one's.
    Good(String),
    /// It has ended, or its parts do not belong together.
    Bad,
}

/// The login of a request; `None`: it has none.
pub(super) fn of(headers: &HeaderMap, key: Option<&str>) -> Option<Login> {
    if let Some(cookies) = headers.get(header::COOKIE) {
        return Some(session(headers, cookies.to_str().unwrap_or_default()));
    }
    let (end, id) = key?.strip_prefix("at_")?.split_once('_')?;
    Some(good_until(end, id))
}

fn session(headers: &HeaderMap, cookies: &str) -> Login {
    let cookie = |name: &str| {
        let pairs = cookies.split("; ").filter_map(|pair| pair.split_once('='));
        pairs.clone().find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let csrf = headers.get("x-sim-csrf").and_then(|value| value.to_str().ok());
    match (cookie("sim_sid"), cookie("sim_end")) {
        (Some(id), Some(end)) if csrf == Some(id) => good_until(end, id),
        _ => Login::Bad,
    }
}

fn good_until(end: &str, id: &str) -> Login {
    let lives = end.parse::<u64>().is_ok_and(|end| clock::now_s() < end);
    if lives && id.len() >= 8 { Login::Good(id.to_owned()) } else { Login::Bad }
}
