use super::super::{Account, Origin, Period, Window};
use super::*;
use crate::vault::SealedCredential;

const NOON: &str = "2026-11-24T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn state() -> AccountState {
    AccountState {
        account: Account {
            id: AccountId(5),
            pool: PoolId(3),
            owner_proof: String::new(),
            owner: UserId(2),
            platform: "qwen".into(),
            name: "main".into(),
            dialect: None,
            sealed: SealedCredential { wrapped_key: "".into(), body: "".into() },
            generation: 1,
            expires_at: None,
            created_at: at("2026-01-01T00:00:00Z"),
            short_key: None,
        },
        priority: Default::default(),
        health: Health::Active,
        windows: vec![Window {
            period: Period::Day { zone: "UTC".into() },
            limit: Some(Tokens(1000)),
            origin: Origin::Hand,
            used: Tokens(0),
            resets_at: Some(at("2026-11-25T00:00:00Z")),
            end_told: false,
        }],
        leased: Tokens(0),
        last_used_at: None,
    }
}

fn due(state: &AccountState) -> Vec<NewNotice> {
    notices_due(state, at(NOON))
}

#[test]
fn a_window_is_told_of_at_70_90_and_100_percent_and_each_window_anew() {
    let percent = |used: u64| {
        let mut state = state();
        state.windows[0].used = Tokens(used);
        let due = due(&state);
        due.first().map(|one| match one.matter {
            Matter::Quota { percent, .. } => (percent, one.instead_of.len()),
            _ => panic!("{one:?}"),
        })
    };
    assert_eq!(percent(699), None);
    assert_eq!(percent(700), Some((70, 0)));
    assert_eq!(percent(899), Some((70, 0)));
    assert_eq!(percent(900), Some((90, 1)));
    assert_eq!(percent(5000), Some((100, 2)));
    let mut today = state();
    today.windows[0].used = Tokens(950);
    let mut tomorrow = today.clone();
    tomorrow.windows[0].resets_at = Some(at("2026-11-26T00:00:00Z"));
    assert_ne!(due(&today)[0].key, due(&tomorrow)[0].key);
    let mut later = today.clone();
    later.windows[0].used = Tokens(960);
    assert_eq!(due(&today)[0].key, due(&later)[0].key);
    today.windows[0].limit = None;
    assert_eq!(due(&today), []);
}

#[test]
fn a_credential_is_told_of_7_3_and_1_days_before_its_end() {
    let stage = |ends: &str| {
        let mut state = state();
        state.account.expires_at = Some(at(ends));
        due(&state).first().map(|one| match one.matter {
            Matter::CredentialEnds { stage, .. } => (stage, one.instead_of.len()),
            _ => panic!("{one:?}"),
        })
    };
    assert_eq!(stage("2026-12-01T12:00:01Z"), None);
    assert_eq!(stage("2026-12-01T12:00:00Z"), Some((Stage::Days7, 0)));
    assert_eq!(stage("2026-11-27T12:00:00Z"), Some((Stage::Days3, 1)));
    assert_eq!(stage("2026-11-25T12:00:00Z"), Some((Stage::Day, 2)));
    // One that has ended is for the account's health to tell.
    assert_eq!(stage(NOON), None);
    let mut next = state();
    next.account.expires_at = Some(at("2026-11-25T12:00:00Z"));
    let first = due(&next)[0].key.clone();
    next.account.generation = 2;
    assert_ne!(due(&next)[0].key, first);
}

#[test]
fn a_short_lived_credential_is_told_of_at_half_of_its_life() {
    let mut state = state();
    state.account.created_at = at("2026-11-20T12:00:00Z");
    state.account.expires_at = Some(at("2026-11-28T12:00:01Z"));
    assert_eq!(due(&state), []);
    state.account.expires_at = Some(at("2026-11-28T12:00:00Z"));
    let due = due(&state);
    assert!(matches!(due[0].matter, Matter::CredentialEnds { stage: Stage::Half, .. }), "{due:?}");
}

#[test]
fn an_account_that_stopped_is_told_of_without_the_platforms_words() {
    let words = "your key sk-1 is void";
    let reason = || words.to_owned();
    for (health, told) in [
        (Health::Expired { reason: reason() }, true),
        (Health::Banned { reason: reason() }, true),
        (Health::Disabled { reason: reason() }, true),
        (Health::disabled_by_hand(), false),
        (Health::Locked { reason: reason() }, false),
        (Health::Active, false),
    ] {
        let mut state = state();
        state.health = health.clone();
        let due = due(&state);
        assert_eq!(due.len(), usize::from(told), "{health:?}");
        for one in due {
            let posted = one.posted(1, at(NOON));
            assert!(posted.text().contains(health.status()), "{}", posted.text());
            assert!(!serde_json::to_string(&posted).unwrap().contains(words));
            assert!(!posted.text().contains(words));
            // The next stop is another one.
            state.last_used_at = Some(at(NOON));
            assert_ne!(notices_due(&state, at(NOON))[0].key, one.key);
        }
    }
}
