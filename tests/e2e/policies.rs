//! Pools that pick by a policy, as a caller sees it.

use http::Request;
use serde_json::{Value, json};
use tributary::accounts::{AccountId, Policy, Priority};

use crate::both;
use crate::rig::{Answer, CHAT, Grants, Rig, Wish, ask, credential};

const MODEL: &str = "gpt-4.1";

async fn set(rig: &Rig, policy: Policy) {
    rig.store.set_pool_policy(rig.user.pool, Some(policy)).await.unwrap();
}

/// One call, settled.
async fn say(rig: &Rig, body: &Value) -> Answer {
    say_with(rig, body, &[]).await
}

async fn say_with(rig: &Rig, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let request = Request::post(CHAT);
    let request =
        headers.iter().fold(request, |request, (name, text)| request.header(*name, *text));
    let answer = rig.call(request, body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    rig.all_settled("openai").await;
    answer
}

fn with(mut body: Value, field: &str, value: &str) -> Value {
    body[field] = json!(value);
    body
}

both! {
    async fn a_record_names_the_policy_that_chose_the_account(rig: Rig) {
        for policy in Policy::ALL {
            set(&rig, policy).await;
            let body = with(ask(MODEL, "hi"), "prompt_cache_key", policy.name());
            for stays in [false, policy == Policy::Sticky] {
                let attempt = rig.record(&say(&rig, &body).await).await.attempts.remove(0);
                assert_eq!((attempt.policy, attempt.stayed), (Some(policy), stays));
            }
        }
        let pinned = rig.accounts("openai").await[0].account.id;
        let mut body = ask(MODEL, "hi");
        body["account_id"] = json!(pinned.0);
        let attempt = rig.record(&say(&rig, &body).await).await.attempts.remove(0);
        assert_eq!((attempt.policy, attempt.stayed), (None, false));
    }
}

both! {
    async fn a_conversation_is_known_by_the_first_word_that_its_caller_gives(rig: Rig) {
        set(&rig, Policy::Sticky).await;
        // Each line names the one before by what comes first, and would be another by what
        // comes behind.
        let first = ask(MODEL, "one");
        let by_key = with(with(first.clone(), "prompt_cache_key", "k"), "user", "u1");
        let by_user = with(first.clone(), "user", "u2");
        for (body, header, same, same_header) in [
            (by_key.clone(), "h1", with(with(ask(MODEL, "two"), "prompt_cache_key", "k"), "user", "u9"), "h2"),
            (by_user.clone(), "h1", with(ask(MODEL, "two"), "user", "u2"), "h2"),
            (first.clone(), "h3", ask(MODEL, "two"), "h3"),
        ] {
            let home = say_with(&rig, &body, &[("x-session-id", header)]).await.account();
            // By what is left the other account would be next.
            for _ in 0..3 {
                let answer = say_with(&rig, &same, &[("x-session-id", same_header)]).await;
                assert_eq!(answer.account(), home, "{body}");
            }
        }
    }
}

both! {
    async fn a_conversation_without_a_name_is_known_by_its_beginning(rig: Rig) {
        set(&rig, Policy::Sticky).await;
        let mut homes = Vec::new();
        for topic in ["rivers", "bridges"] {
            // Longer than what tells conversations apart, and cut within a character.
            let system = "你知道水和石头的一切。".repeat(400);
            let mut messages = vec![
                json!({"role": "system", "content": system}),
                json!({"role": "user", "content": format!("Tell me about {topic}.")}),
            ];
            let mut home = None;
            for turn in 0..4 {
                let answer = say(&rig, &json!({"model": MODEL, "messages": messages})).await;
                assert_eq!(*home.get_or_insert(answer.account()), answer.account(), "turn {turn}");
                let cached = answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"]
                    .as_u64()
                    .unwrap();
                assert_eq!(cached > 1024, turn > 0, "turn {turn}: {cached} cached");
                messages.push(json!({"role": "assistant", "content": answer.content()}));
                messages.push(json!({"role": "user", "content": format!("And {turn}?")}));
            }
            homes.push(home.unwrap());
        }
        // The second began where more was left.
        assert_ne!(homes[0], homes[1]);
    }
}

both! {
    async fn a_conversation_whose_account_fails_moves_and_stays_there(rig: Rig) {
        set(&rig, Policy::Sticky).await;
        let body = with(ask(MODEL, "hi"), "prompt_cache_key", "k");
        let accounts: Vec<i64> =
            rig.accounts("openai").await.iter().map(|state| state.account.id.0).collect();
        let home = say(&rig, &body).await.account();
        let number = accounts.iter().position(|id| *id == home).unwrap();
        let other = accounts[1 - number];
        rig.fault("openai", json!({"kind": "status", "status": 429,
            "headers": {"retry-after": "30"}, "credential": credential("openai", number)}))
            .await;
        let moved = say(&rig, &body).await;
        assert_eq!((moved.account(), moved.attempts()), (other, "2"));
        rig.behave("openai").await;
        let active = tributary::accounts::Health::Active;
        rig.store.set_health(AccountId(home), active).await.unwrap();
        for _ in 0..3 {
            let answer = say(&rig, &body).await;
            assert_eq!((answer.account(), answer.attempts()), (other, "1"));
        }
    }
}

both! {
    async fn one_users_conversations_are_not_anothers(rig: Rig) {
        set(&rig, Policy::Sticky).await;
        let body = with(ask(MODEL, "hi"), "prompt_cache_key", "k");
        let home = say(&rig, &body).await.account();
        // A member of the same pool.
        let stranger = rig.store.add_user("member").await.unwrap();
        let grants = Grants { pools: vec![rig.let_in(&stranger).await], ..Grants::default() };
        let (_, token) = rig.token(&stranger, grants).await;
        let answer = rig.chat_as(&token, body.clone()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        rig.all_settled("openai").await;
        assert_ne!(answer.account(), home);
        assert_eq!(say(&rig, &body).await.account(), home);
    }
}

both! {
    #[wish(Wish { limits: [1_000_000, 900_000], ..Wish::default() })]
    async fn priority_and_turns_choose_where_most_left_would_not(rig: Rig) {
        let ids: Vec<AccountId> =
            rig.accounts("openai").await.iter().map(|state| state.account.id).collect();
        rig.store.set_priority(ids[1], Priority::try_from(1).unwrap()).await.unwrap();
        let body = ask(MODEL, "hi");
        let order = async |policy| {
            set(&rig, policy).await;
            let mut order = Vec::new();
            for _ in 0..4 {
                order.push(AccountId(say(&rig, &body).await.account()));
            }
            order
        };
        assert_eq!(order(Policy::MostRemaining).await, [ids[0]; 4]);
        assert_eq!(order(Policy::Priority).await, [ids[1]; 4]);
        assert_eq!(order(Policy::RoundRobin).await, [ids[0], ids[1], ids[0], ids[1]]);
    }
}
