//! `tributary account check`: open the credential and try it where that is free.
//!
//! What is asked is the platform's list of models. It spends no token and refreshes
//! nothing; if the platform takes it, an account is active again, unless a person switched
//! it off.

use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use super::which::Which;
use crate::accounts::{AccountState, Health};
use crate::cli::{Desk, Failure, print};
use crate::platforms::{Credential, DialectName, Face, Platform};
use crate::relay::CREDENTIAL_FIELD;
use crate::upstream::Client;
use crate::vault::{Place, Vault, mask};

/// Try an account's credential, where that costs nothing.
#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    which: Which,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// The platform takes it.
    Valid,
    /// The platform does not take it.
    Expired,
    /// Its quota or rate is used up.
    Exhausted,
    /// The platform can't be reached, or is broken.
    Unreachable,
    /// It opens; whether the platform takes it can't be told for free.
    Unknown,
    /// It can't be opened with this ring.
    Locked,
}

/// A verdict with what was seen and what to do.
struct Finding {
    verdict: Verdict,
    saw: String,
    fix: &'static str,
}

impl Check {
    pub(in crate::cli) async fn run(self, desk: &Desk) -> Result<(), Failure> {
        let (directory, vault) = desk.sealing().await?;
        let state = self.which.find(desk, &*directory).await?;
        let finding = examine(desk, &vault, &state).await?;
        let health = moved(&state.health, &finding);
        if let Some(health) = health.clone() {
            directory.set_health(state.account.id, health).await?;
        }
        let status = health.as_ref().unwrap_or(&state.health).status();
        let Finding { verdict, saw, fix } = finding;
        if desk.json {
            print::json(&serde_json::json!({
                "id": state.account.id,
                "platform": state.account.platform,
                "name": state.account.name,
                "verdict": verdict,
                "saw": saw,
                "fix": fix,
                "status": status,
            }))?;
        } else {
            let word = serde_json::to_value(verdict).unwrap_or_default();
            let (id, name) = (state.account.id, &state.account.name);
            let word = word.as_str().unwrap_or_default();
            print::line(format!("account {id} `{name}`: {word}: {saw}\n{fix}").trim_end())?;
        }
        match verdict {
            Verdict::Valid | Verdict::Unknown => Ok(()),
            _ => Err(Failure::Told { config: false }),
        }
    }
}

async fn examine(desk: &Desk, vault: &Vault, state: &AccountState) -> Result<Finding, Failure> {
    let account = &state.account;
    let place = Place {
        pool: account.pool.0,
        account: account.id.0,
        platform: account.platform.as_str(),
        field: CREDENTIAL_FIELD,
        generation: account.generation,
    };
    let opened = vault.open_credential(&place, &account.sealed).map_err(|error| error.to_string());
    let credential = opened.and_then(|plain| {
        Credential::from_sealed(plain.expose_secret()).map_err(|error| error.to_string())
    });
    let credential = match credential {
        Ok(credential) => credential,
        Err(saw) => {
            let fix = "Put the key back into the ring, or bind the account anew.";
            return Ok(Finding { verdict: Verdict::Locked, saw, fix });
        }
    };
    let dialect = account.dialect.as_deref().and_then(DialectName::named);
    let platform = desk.config.catalogue.platform(account.platform.as_str());
    let Some((platform, face)) = platform.and_then(|p| Some((p, p.face(dialect)?))) else {
        let saw = "the configuration has no such platform or dialect".to_owned();
        let fix = "Add it to gateway.toml.";
        return Ok(Finding { verdict: Verdict::Unknown, saw, fix });
    };
    if !matches!(face.dialect, DialectName::OpenaiChat | DialectName::AnthropicMessages) {
        let saw = "the credential opens; this platform offers no check that costs nothing".into();
        return Ok(Finding { verdict: Verdict::Unknown, saw, fix: "Send it a request." });
    }
    let client = Client::new(&desk.config.settings.upstream)
        .map_err(|why| Failure::other(why, "See [upstream]."))?;
    Ok(ask(&client, platform, face, &credential).await)
}

/// Asks for the list of models.
async fn ask(
    client: &Client,
    platform: &Platform,
    face: &Face,
    credential: &Credential,
) -> Finding {
    let unreachable = |saw: String| Finding {
        verdict: Verdict::Unreachable,
        saw,
        fix: "See base_url, the network, or the platform's status page; then try again.",
    };
    let url = format!("{}/models", face.base_url.to_string().trim_end_matches('/'));
    let mut request = match Request::get(url).body(Full::<Bytes>::default()) {
        Ok(request) => request,
        Err(error) => return unreachable(error.to_string()),
    };
    request.headers_mut().extend(face.headers.clone());
    if let Err(error) = credential.authorize(face, request.headers_mut()) {
        let fix = "Bind the account anew.";
        return Finding { verdict: Verdict::Expired, saw: error.to_string(), fix };
    }
    let reply = match client.open_stream(request).await {
        Ok(reply) => reply,
        Err(failure) => return unreachable(failure.to_string()),
    };
    let status = reply.status;
    let body = client.collect(reply.body).await.unwrap_or_default();
    let saw = format!("{} answers {status}{}", platform.name, words(&body, credential));
    judge(status, saw)
}

fn judge(status: StatusCode, saw: String) -> Finding {
    let (verdict, fix) = match status.as_u16() {
        200..=299 => (Verdict::Valid, ""),
        401 | 403 => (Verdict::Expired, "Make a new key on the platform and bind it."),
        402 | 429 => (Verdict::Exhausted, "Wait for the reset, or order more on the platform."),
        404 | 405 => (Verdict::Unknown, "It has no list of models to try: send it a request."),
        _ => (Verdict::Unreachable, "Try again later."),
    };
    Finding { verdict, saw, fix }
}

/// A refusal's own words, without the secrets that it may repeat.
fn words(body: &[u8], credential: &Credential) -> String {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else { return String::new() };
    let message = body.pointer("/error/message").or_else(|| body.get("message"));
    let message = message.and_then(serde_json::Value::as_str).unwrap_or_default();
    if message.is_empty() {
        return String::new();
    }
    let message: String = message.chars().take(300).collect();
    format!(": {}", mask(&message, &credential.secrets()))
}

/// The health that a finding moves an account to, if it does.
fn moved(now: &Health, finding: &Finding) -> Option<Health> {
    match (finding.verdict, now) {
        (Verdict::Valid, Health::Active) => None,
        (Verdict::Valid, now) if !now.is_disabled_by_hand() => Some(Health::Active),
        (Verdict::Expired, Health::Active | Health::Cooling { .. }) => {
            Some(Health::Expired { reason: finding.saw.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_its_status() {
        let verdict = |status| judge(StatusCode::from_u16(status).unwrap(), String::new()).verdict;
        assert_eq!(verdict(200), Verdict::Valid);
        assert_eq!(verdict(401), Verdict::Expired);
        assert_eq!(verdict(429), Verdict::Exhausted);
        assert_eq!(verdict(404), Verdict::Unknown);
        assert_eq!(verdict(503), Verdict::Unreachable);
        assert_eq!(verdict(302), Verdict::Unreachable);
    }

    #[test]
    fn a_check_moves_what_it_proved_and_no_person_s_word() {
        let finding = |verdict| Finding { verdict, saw: "401".into(), fix: "" };
        let expired = Health::Expired { reason: "401".into() };
        let disabled = Health::disabled_by_hand();
        let failed = Health::Disabled { reason: "the seal is broken".into() };
        let locked = Health::Locked { reason: "key `a` is missing".into() };
        assert_eq!(moved(&failed, &finding(Verdict::Valid)), Some(Health::Active));
        assert_eq!(moved(&locked, &finding(Verdict::Valid)), Some(Health::Active));
        assert_eq!(moved(&locked, &finding(Verdict::Unknown)), None);
        assert_eq!(moved(&expired, &finding(Verdict::Valid)), Some(Health::Active));
        assert_eq!(moved(&Health::Active, &finding(Verdict::Expired)), Some(expired));
        assert_eq!(moved(&disabled, &finding(Verdict::Valid)), None);
        assert_eq!(moved(&disabled, &finding(Verdict::Expired)), None);
        assert_eq!(moved(&Health::Active, &finding(Verdict::Unreachable)), None);
    }
}
