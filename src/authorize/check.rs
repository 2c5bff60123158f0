//! Checking an account: open its credential and try it where that is free.
//!
//! What is asked is the platform's list of models, or a WebSocket's handshake. It spends no
//! token and refreshes nothing; if the platform takes it, an account is active again and its pause over, unless
//! a person switched it off. A refusal is read as any other answer of the platform is.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use schemars::JsonSchema;
use serde::Serialize;

use super::fetch::{KeyError, fetch};
use super::open::open;
use crate::accounts::{AccountState, Health, Window};
use crate::platforms::{
    Catalogue, Credential, DialectName, ErrorClass, Face, LimitsTold, Platform, Reader,
    UpstreamRequest, understand,
};
use crate::store::{Answer, Directory};
use crate::telemetry::clock;
use crate::upstream::Client;
use crate::vault::{Vault, mask};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The platform takes it.
    Valid,
    /// The platform does not take it.
    Expired,
    /// The platform has shut the account.
    Banned,
    /// Its quota is used up, by the platform's word or by our count.
    Exhausted,
    /// Too much was asked of it just now.
    Limited,
    /// The platform can't be reached, or is broken.
    Unreachable,
    /// It opens; whether the platform takes it can't be told for free.
    Unknown,
    /// It can't be opened with this ring.
    Locked,
}

/// A verdict with what was seen and what to do.
#[derive(Debug)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    saw: String,
    /// What was tried says nothing of a ban, or of quota.
    key_alone: bool,
    /// The platform's own words: for the account's owner.
    said: Option<String>,
    /// What to do; empty where nothing is.
    pub fix: &'static str,
}

/// A finding, and the account after it.
#[derive(Debug)]
pub struct Checked {
    /// What was found.
    pub finding: Finding,
    /// The account's health now.
    pub health: Health,
}

/// Tries an account's credential, and moves its health by what was proved.
///
/// # Errors
/// When the store fails.
pub async fn check(
    directory: &(impl Directory + ?Sized),
    vault: &Vault,
    catalogue: &Catalogue,
    client: &Client,
    state: &AccountState,
) -> Answer<Checked> {
    let finding = examine(vault, catalogue, client, state).await.about(&state.health);
    let mut health = state.health.clone();
    if let Some(moved) = moved(&health, &finding)
        // Somebody may have switched it off meanwhile: that stays.
        && directory.amend_health(state.account.id, &health, moved.clone()).await?
    {
        health = moved;
    }
    Ok(Checked { finding: finding.with_windows(&state.windows), health })
}

async fn examine(
    vault: &Vault,
    catalogue: &Catalogue,
    client: &Client,
    state: &AccountState,
) -> Finding {
    let account = &state.account;
    let credential = match open(vault, account) {
        Ok(credential) => credential,
        Err(error) => return Finding::of(Verdict::Locked, error.to_string()),
    };
    let dialect = account.dialect.as_deref().and_then(DialectName::named);
    let platform = catalogue.platform(account.platform.as_str());
    let Some((platform, face)) =
        platform.and_then(|p| Some((p, p.face_for(dialect, &credential)?)))
    else {
        let saw = "the configuration has no such platform or dialect".to_owned();
        return Finding::of(Verdict::Unknown, saw).fixed_by("Add it to gateway.toml.");
    };
    let Some(probe) = probe(platform, face) else {
        let saw = "the credential opens; this platform offers no check that costs nothing".into();
        return Finding::of(Verdict::Unknown, saw).fixed_by("Send it a request.");
    };
    if let Some(end) = account.expires_at
        && end <= clock::now()
    {
        return Finding::of(Verdict::Expired, format!("its login ended at {end}"));
    }
    match short_lived(client, platform, face, credential).await {
        Ok(credential) => ask(client, platform, face, credential, probe).await,
        Err(finding) => *finding,
    }
}

/// With a short-lived key in the credential's place, where the platform makes such.
async fn short_lived(
    client: &Client,
    platform: &Platform,
    face: &Face,
    credential: Credential,
) -> Result<Credential, Box<Finding>> {
    let Some(issuer) = credential.issuer_for_checks(face) else { return Ok(credential) };
    let error = match fetch(client, platform, face, issuer, &credential).await {
        Ok(issued) => return Ok(credential.with_issued(issued.key)),
        Err(KeyError::Refused(error)) => error,
        Err(error) => return Err(Box::new(Finding::of(Verdict::Unreachable, error.to_string()))),
    };
    let status = error.status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
    if issuer.only_checks && matches!(status.as_u16(), 404 | 405) {
        return Ok(credential); // A host that has no such keys; the credential does as well.
    }
    let saw = format!("{}'s issuer of keys answers {status}", platform.name);
    Err(Box::new(Finding::of(verdict(status, error.class), saw).with_words(error.message)))
}

/// What a face is asked that costs nothing: the list of models, or the handshake of a
/// WebSocket, which the request would follow.
fn probe(platform: &Platform, face: &Face) -> Option<UpstreamRequest> {
    let list = |face: &Face| {
        let base = face.base_url.to_string();
        format!("{}/models", base.trim_end_matches('/')).parse().ok()
    };
    let url = match face.dialect {
        DialectName::OpenaiChat | DialectName::OpenaiResponses | DialectName::AnthropicMessages => {
            list(face)?
        }
        // It has no list; the same key reads that of the compatible face.
        DialectName::Dashscope => list(platform.face(Some(DialectName::OpenaiChat))?)?,
        DialectName::SparkWs => platform.models.first()?.reach(face.dialect)?.url.clone(),
    };
    Some(UpstreamRequest { url, body: "{}".into(), streams: true, headers: face.headers.clone() })
}

async fn ask(
    client: &Client,
    platform: &Platform,
    face: &Face,
    credential: Credential,
    mut probe: UpstreamRequest,
) -> Finding {
    let unreachable = |saw: String| Finding::of(Verdict::Unreachable, saw);
    if !platform.may_be_sent_to(&probe.url) {
        return unreachable("the address is not among the platform's api_origins".into());
    }
    let proof = match credential.prove(face, clock::now(), &mut probe) {
        Ok(proof) => proof,
        Err(error) => {
            let finding = Finding::of(Verdict::Expired, error.to_string());
            return finding.fixed_by("Bind the account anew.");
        }
    };
    let mut request = Request::new(Full::<Bytes>::default());
    *request.uri_mut() = probe.url;
    *request.headers_mut() = probe.headers;
    let (status, headers, body) = match client.knock(request).await {
        Ok(told) => told,
        Err(failure) => return unreachable(failure.to_string()),
    };
    if status.is_success() {
        let told = LimitsTold::read(face, &headers);
        let saw = format!("{} answers {status}", platform.name);
        let verdict = if told.spent.is_some() { Verdict::Exhausted } else { Verdict::Valid };
        let key_alone = face.dialect == DialectName::SparkWs;
        return Finding { key_alone, ..Finding::of(verdict, saw) };
    }
    let said = mask(std::str::from_utf8(&body).unwrap_or_default(), &proof.secrets());
    let error = understand(platform, face, status, &headers, said.as_bytes());
    let words: String = error.message.chars().take(300).collect();
    let saw = format!("{} answers {status}", platform.name);
    if error.of_our_clock {
        let finding = Finding::of(Verdict::Unreachable, saw).with_words(words);
        return finding.fixed_by("Set this machine's clock; the account is not to blame.");
    }
    Finding::of(verdict(status, error.class), saw).with_words(words)
}

/// What a refusal of the list of models means.
fn verdict(status: StatusCode, class: ErrorClass) -> Verdict {
    match (status.as_u16(), class) {
        (_, ErrorClass::Banned) => Verdict::Banned,
        (_, ErrorClass::AuthExpired) => Verdict::Expired,
        (_, ErrorClass::QuotaExhausted) => Verdict::Exhausted,
        (_, ErrorClass::RateLimited) => Verdict::Limited,
        (404 | 405, _) => Verdict::Unknown,
        // No word that the table knows, but a refusal of the credential all the same.
        (401 | 403, _) => Verdict::Expired,
        _ => Verdict::Unreachable,
    }
}

impl Finding {
    fn of(verdict: Verdict, saw: String) -> Self {
        let fix = match verdict {
            Verdict::Valid => "",
            Verdict::Expired => "Make a new key on the platform and bind it.",
            Verdict::Banned => "Ask the platform's support; waiting does not help.",
            Verdict::Exhausted => "Wait for the reset, or order more on the platform.",
            Verdict::Limited => "Try again in a minute.",
            Verdict::Unreachable => {
                "See base_url, the network, or the platform's status page; then try again."
            }
            Verdict::Unknown => "It has no list of models to try: send it a request.",
            Verdict::Locked => "Put the key back into the ring, or bind the account anew.",
        };
        Self { verdict, saw, key_alone: false, said: None, fix }
    }

    fn fixed_by(self, fix: &'static str) -> Self {
        Self { fix, ..self }
    }

    fn with_words(self, said: String) -> Self {
        Self { said: Some(said), ..self }
    }

    /// What was seen; the platform's own words for the owner of the account alone.
    pub fn saw(&self, reader: Reader) -> String {
        match (&self.said, reader) {
            (Some(said), Reader::Owner) => format!("{}: {said}", self.saw),
            _ => self.saw.clone(),
        }
    }

    /// A handshake names no account: it can't say that a ban is over, or that quota is back.
    fn about(self, health: &Health) -> Self {
        let is_said = match health {
            Health::Banned { .. } => true,
            Health::Cooling { out_of_quota, .. } => *out_of_quota,
            _ => false,
        };
        if !self.key_alone || !is_said || self.verdict != Verdict::Valid {
            return self;
        }
        let saw = format!("{}; that it is {} only a request shows", self.saw, health.status());
        Self::of(Verdict::Unknown, saw).fixed_by("Enable the account and send it a request.")
    }

    /// The platform takes the credential, and our own count says that nothing is left.
    fn with_windows(self, windows: &[Window]) -> Self {
        let spent = windows.iter().filter(|window| window.left().is_some_and(|left| left <= 0));
        let Some(last) = spent.max_by_key(|window| window.resets_at) else { return self };
        if self.verdict != Verdict::Valid {
            return self;
        }
        let until = last.resets_at.map_or_else(String::new, |at| format!(" until {at}"));
        let saw = format!("{}; its {} window is used up{until}", self.saw, last.period);
        Self::of(Verdict::Exhausted, saw)
    }
}

/// The health that a finding moves an account to, if it does.
fn moved(now: &Health, finding: &Finding) -> Option<Health> {
    match (finding.verdict, now) {
        (Verdict::Valid, Health::Active) => None,
        (Verdict::Valid, now) if !now.is_disabled_by_hand() => Some(Health::Active),
        (Verdict::Expired, Health::Active | Health::Cooling { .. }) => {
            Some(Health::Expired { reason: finding.saw(Reader::Owner) })
        }
        (Verdict::Banned, Health::Active | Health::Cooling { .. } | Health::Expired { .. }) => {
            Some(Health::Banned { reason: finding.saw(Reader::Owner) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_judged_by_the_platforms_table_before_its_status() {
        let catalogue = Catalogue::load(&toml::Table::new()).unwrap();
        let judged = |platform: &str, status: u16, body: &str| {
            let platform = catalogue.platform(platform).unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            let face = platform.face(None).unwrap();
            let error = understand(platform, face, status, &Default::default(), body.as_bytes());
            verdict(status, error.class)
        };
        let code = |code: &str| format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"m\"}}}}");
        assert_eq!(judged("glm", 429, &code("1121")), Verdict::Banned);
        assert_eq!(judged("glm", 429, &code("1113")), Verdict::Exhausted);
        assert_eq!(judged("glm", 429, &code("1302")), Verdict::Limited);
        assert_eq!(judged("openai", 401, &code("account_deactivated")), Verdict::Banned);
        assert_eq!(judged("openai", 429, &code("insufficient_quota")), Verdict::Exhausted);
        for (status, is) in [
            (401, Verdict::Expired),
            (403, Verdict::Expired),
            (402, Verdict::Exhausted),
            (429, Verdict::Limited),
            (404, Verdict::Unknown),
            (503, Verdict::Unreachable),
            (302, Verdict::Unreachable),
        ] {
            assert_eq!(judged("openai", status, "<html>"), is, "{status}");
        }
    }

    #[test]
    fn a_check_moves_what_it_proved_and_no_person_s_word() {
        let finding = |verdict| Finding::of(verdict, "401".into());
        let handshake =
            |health: &Health| Finding { key_alone: true, ..finding(Verdict::Valid) }.about(health);
        let expired = Health::Expired { reason: "401".into() };
        let disabled = Health::disabled_by_hand();
        let failed = Health::Disabled { reason: "the seal is broken".into() };
        let locked = Health::Locked { reason: "key `a` is missing".into() };
        assert_eq!(moved(&failed, &finding(Verdict::Valid)), Some(Health::Active));
        assert_eq!(moved(&locked, &finding(Verdict::Valid)), Some(Health::Active));
        assert_eq!(moved(&locked, &finding(Verdict::Unknown)), None);
        assert_eq!(moved(&expired, &finding(Verdict::Valid)), Some(Health::Active));
        assert_eq!(moved(&Health::Active, &finding(Verdict::Expired)), Some(expired.clone()));
        assert_eq!(moved(&disabled, &finding(Verdict::Valid)), None);
        assert_eq!(moved(&disabled, &finding(Verdict::Expired)), None);
        let cooling = Health::Cooling {
            until: "2026-11-25T00:00:00Z".parse().unwrap(),
            reason: "429".into(),
            out_of_quota: true,
            tries_at: None,
        };
        assert_eq!(moved(&cooling, &finding(Verdict::Valid)), Some(Health::Active));
        for no_word in [Verdict::Unreachable, Verdict::Exhausted, Verdict::Limited] {
            assert_eq!(moved(&Health::Active, &finding(no_word)), None);
        }
        let banned = Health::Banned { reason: "401".into() };
        for stays in [&banned, &cooling] {
            assert_eq!(handshake(stays).verdict, Verdict::Unknown);
            assert_eq!(moved(stays, &handshake(stays)), None);
        }
        assert_eq!(moved(&expired, &handshake(&expired)), Some(Health::Active));
        assert_eq!(moved(&expired, &finding(Verdict::Banned)), Some(banned));
    }
}
