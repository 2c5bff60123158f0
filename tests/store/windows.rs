//! Windows: resets at the instant, in every zone, and what platforms tell of them.

use std::time::Duration;

use jiff::SignedDuration;
use tributary::accounts::{
    AccountId, Charge, EARLY_TRY, End, Origin, Period, Refusal, Resets, Tokens, Told, User, Window,
    WindowTold,
};

use crate::contract;
use crate::rig::{MIDNIGHT, Rig, ZONES, at, day, day_in, hours};

async fn use_up(rig: &Rig, user: &User, tokens: u64) {
    let held = rig.ask(user, tokens).held().await;
    rig.settle(&held, Charge::Exact(Tokens(tokens))).await;
}

async fn tell(rig: &Rig, account: AccountId, window: WindowTold) {
    let batch = vec![Told { account, windows: vec![window] }];
    rig.store.learn(batch, &rig.resets()).await.unwrap();
}

async fn windows(rig: &Rig, user: &User, id: AccountId) -> Vec<Window> {
    rig.shown(user, id).await.windows
}

fn five_hours() -> WindowTold {
    let period = Period::FromFirstUse { seconds: 18_000 };
    WindowTold { period, limit: None, left: None, end: None }
}

contract! {
    async fn a_day_ends_at_midnight_to_the_millisecond(rig: Rig) {
        let ann = rig.user().await;
        rig.account_with(&ann, "qwen", vec![day(100)]).await;
        use_up(&rig, &ann, 100).await;
        rig.set(MIDNIGHT);
        rig.pass_back(Duration::from_millis(1));
        let refusal = rig.ask(&ann, 1).refused().await;
        assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(at(MIDNIGHT)) });
        rig.pass(Duration::from_millis(1));
        assert_eq!(rig.ask(&ann, 1).held().await.grant.remaining, Some(100));
    }
}

contract! {
    async fn a_window_that_nobody_looked_at_for_days_ends_at_the_next_midnight(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![day(100)]).await;
        use_up(&rig, &ann, 40).await;
        rig.set("2026-11-29T10:00:00Z");
        use_up(&rig, &ann, 30).await;
        let window = windows(&rig, &ann, one).await.remove(0);
        assert_eq!(window.used, Tokens(30));
        assert_eq!(window.resets_at, Some(at("2026-11-29T16:00:00Z")));
    }
}

contract! {
    async fn a_day_is_as_long_as_its_zone_makes_it(rig: Rig) {
        let ann = rig.user().await;
        // Europe/Berlin: 23 hours, then 25. Africa/Cairo: a midnight that is skipped.
        for (zone, from, ends) in [
            ("Europe/Berlin", "2027-03-27T23:00:00Z", ["2027-03-28T22:00:00Z", "2027-03-29T22:00:00Z"]),
            ("Africa/Cairo", "2027-04-28T22:00:00Z", ["2027-04-29T22:00:00Z", "2027-04-30T21:00:00Z"]),
            ("Europe/Berlin", "2027-10-30T22:00:00Z", ["2027-10-31T23:00:00Z", "2027-11-01T23:00:00Z"]),
        ] {
            rig.set(from);
            let one = rig.account_with(&ann, zone, vec![day_in(zone, 100)]).await;
            for end in ends {
                let ask = || rig.ask(&ann, 100).platform(zone).only(one);
                let held = ask().held().await;
                rig.settle(&held, Charge::Exact(Tokens(100))).await;
                let refusal = Refusal::Exhausted { resets_at: Some(at(end)) };
                assert_eq!(ask().refused().await, refusal, "{zone}");
                rig.set(end);
                rig.pass_back(Duration::from_millis(1));
                assert_eq!(ask().refused().await, refusal, "{zone}");
                rig.pass(Duration::from_millis(1));
            }
            assert_eq!(windows(&rig, &ann, one).await[0].used, Tokens::ZERO, "{zone}");
        }
    }
}

contract! {
    async fn a_gateway_whose_clock_is_off_moves_no_reset(rig: Rig) {
        let ann = rig.user().await;
        for minutes in [-30, 0, 30] {
            // A minute before midnight by the store's clock, which alone counts.
            rig.set(MIDNIGHT);
            rig.pass_back(Duration::from_secs(60));
            let skewed = rig.now() + SignedDuration::from_mins(minutes);
            let resets = Resets::after(skewed, ZONES);
            let one = rig.account_with(&ann, "qwen", vec![day(100)]).await;
            let lease = rig.ask(&ann, 100).only(one).held().await.key;
            let charge = Charge::Exact(Tokens(100));
            let batch = vec![tributary::accounts::Settlement { lease: lease.into(), charge }];
            rig.store.settle(batch, &resets).await.unwrap();
            let states = rig.store.accounts_in(&[ann.pool], &resets).await.unwrap();
            let state = states.iter().find(|state| state.account.id == one).unwrap();
            assert_eq!(state.windows[0].used, Tokens(100), "{minutes} min");
            assert_eq!(state.windows[0].resets_at, Some(at(MIDNIGHT)), "{minutes} min");
            rig.set(MIDNIGHT);
            rig.store.sweep(&Resets::after(skewed, ZONES)).await.unwrap();
            let window = windows(&rig, &ann, one).await.remove(0);
            assert_eq!(window.used, Tokens::ZERO, "{minutes} min");
            assert_eq!(window.resets_at, Some(at("2026-11-25T16:00:00Z")), "{minutes} min");
        }
    }
}

contract! {
    async fn a_limit_that_was_told_decides_and_one_set_by_hand_stays(rig: Rig) {
        let ann = rig.user().await;
        let by_hand = tributary::accounts::WindowSpec { origin: Origin::Hand, ..hours(5, 100) };
        let set = rig.account_with(&ann, "qwen", vec![by_hand]).await;
        let guessed = rig.account_with(&ann, "qwen", vec![hours(5, 90)]).await;
        assert_eq!(rig.ask(&ann, 1).lands_on().await, set);
        for id in [set, guessed] {
            tell(&rig, id, WindowTold { limit: Some(Tokens(500)), ..five_hours() }).await;
        }
        let limits = async |id| {
            let window = windows(&rig, &ann, id).await.remove(0);
            (window.limit.unwrap().0, window.origin)
        };
        assert_eq!(limits(set).await, (100, Origin::Hand));
        assert_eq!(limits(guessed).await, (500, Origin::Learned));
        let held = rig.ask(&ann, 1).held().await;
        assert_eq!((held.grant.account, held.grant.remaining), (guessed, Some(500)));
        // Lower again: what is left follows.
        tell(&rig, guessed, WindowTold { limit: Some(Tokens(50)), ..five_hours() }).await;
        assert_eq!(rig.ask(&ann, 1).lands_on().await, set);
    }
}

contract! {
    async fn a_window_that_nobody_knew_is_learned(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![day(1000)]).await;
        let end = at("2026-11-24T15:00:00Z");
        let told = WindowTold {
            limit: Some(Tokens(50)),
            end: Some(End::At(end)),
            ..five_hours()
        };
        tell(&rig, one, told).await;
        let learned = windows(&rig, &ann, one).await.remove(1);
        assert_eq!((learned.origin, learned.end_told), (Origin::Learned, true));
        assert_eq!((learned.limit, learned.resets_at), (Some(Tokens(50)), Some(end)));
        use_up(&rig, &ann, 50).await;
        let refusal = rig.ask(&ann, 1).refused().await;
        assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(end) });
        rig.set("2026-11-24T15:00:00Z");
        assert_eq!(rig.ask(&ann, 1).held().await.grant.remaining, Some(50));
        // A day has a zone, which no platform tells.
        let bare = rig.account_with(&ann, "qwen", vec![]).await;
        let period = Period::Day { zone: "UTC".into() };
        tell(&rig, bare, WindowTold { period, limit: Some(Tokens(9)), ..five_hours() }).await;
        assert_eq!(windows(&rig, &ann, bare).await, []);
    }
}

contract! {
    async fn an_end_that_was_told_holds_for_that_window_alone(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![hours(5, 100)]).await;
        use_up(&rig, &ann, 30).await;
        // It had begun before we came.
        let wait = Duration::from_secs(3600);
        tell(&rig, one, WindowTold { end: Some(End::In(wait)), ..five_hours() }).await;
        let window = windows(&rig, &ann, one).await.remove(0);
        assert_eq!((window.used, window.end_told), (Tokens(30), true));
        assert_eq!(window.resets_at, Some(rig.now() + wait));
        rig.pass(wait);
        let window = windows(&rig, &ann, one).await.remove(0);
        assert_eq!((window.used, window.resets_at, window.end_told), (Tokens::ZERO, None, false));
        use_up(&rig, &ann, 1).await;
        let window = windows(&rig, &ann, one).await.remove(0);
        assert_eq!(window.resets_at, Some(rig.now() + SignedDuration::from_hours(5)));
        // An end that has passed tells nothing.
        tell(&rig, one, WindowTold { end: Some(End::At(rig.now())), ..five_hours() }).await;
        assert_eq!(windows(&rig, &ann, one).await[0], window);
    }
}

contract! {
    async fn a_reset_before_its_time_is_noticed(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![hours(5, 100)]).await;
        use_up(&rig, &ann, 100).await;
        assert!(matches!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { .. }));
        // A little left may be older than our last charge.
        tell(&rig, one, WindowTold { left: Some(Tokens(40)), ..five_hours() }).await;
        assert!(matches!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { .. }));
        tell(&rig, one, WindowTold { left: Some(Tokens(80)), ..five_hours() }).await;
        assert_eq!(rig.ask(&ann, 1).held().await.grant.remaining, Some(80));

        // An end so late that the window must have begun anew.
        let other = rig.account_with(&ann, "glm", vec![hours(5, 100)]).await;
        let held = rig.ask(&ann, 100).platform("glm").held().await;
        rig.settle(&held, Charge::Exact(Tokens(100))).await;
        rig.pass(Duration::from_secs(4 * 3600));
        let wait = Duration::from_secs(18_000);
        tell(&rig, other, WindowTold { end: Some(End::In(wait)), ..five_hours() }).await;
        let held = rig.ask(&ann, 1).platform("glm").held().await;
        assert_eq!(held.grant.remaining, Some(100));
        assert_eq!(windows(&rig, &ann, other).await[0].resets_at, Some(rig.now() + wait));
    }
}

contract! {
    async fn what_was_told_of_an_unknown_account_changes_nothing(rig: Rig) {
        let told = WindowTold { limit: Some(Tokens(1)), ..five_hours() };
        tell(&rig, AccountId(12345), told).await;
    }
}

contract! {
    /// CLIProxyAPI #5277: a model's cooldown outlived the quota's reset by days, for the
    /// proxy believed the announced instant and never looked again.
    async fn cli_proxy_api_5277_a_cooldown_does_not_outlive_an_early_reset(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        let days = Duration::from_secs(5 * 24 * 3600);
        let rest = tributary::accounts::Rest::after(days);
        rig.store.block_model(one, "qwen-max", rest.clone()).await.unwrap();
        let harm = tributary::accounts::Harm::Rest {
            rest,
            reason: "usage_limit_reached".into(),
            out_of_quota: true,
        };
        rig.harm(one, harm).await;
        assert!(matches!(rig.ask(&ann, 1).refused().await, Refusal::Exhausted { .. }));
        rig.pass(EARLY_TRY);
        let held = rig.ask(&ann, 1).model("qwen-max").held().await;
        assert!(held.grant.ailing);
        rig.store.recovered(one).await.unwrap();
        for model in ["qwen-max", "qwen-plus"] {
            assert_eq!(rig.ask(&ann, 1).model(model).lands_on().await, one);
        }
    }
}
