//! Totals: what charges and records add up to, for good; and what is left of an account that
//! is gone.

use jiff::civil::Date;
use tributary::accounts::{
    AccountId, Charge, ChargeKind, Counts, HoldAsk, HoldEnd, HoldKey, LeaseId, Purse, PurseState,
    Record, Settlement, TokenId, Tokens, Total, TotalKey, User,
};
use tributary::store::Keep;

use crate::contract;
use crate::people::token_for;
use crate::records::record;
use crate::rig::{Held, Rig, Wish, fresh_id};

/// A record of a call that was tried on these accounts.
fn on(rig: &Rig, user: &User, id: &str, accounts: &[AccountId]) -> Record {
    let mut record = record(rig, user, id);
    let attempt = record.attempts.remove(0);
    record.attempts = accounts
        .iter()
        .zip(0..)
        .map(|(&account, lease)| {
            let mut attempt = attempt.clone();
            (attempt.account, attempt.lease) = (account, LeaseId(lease));
            attempt
        })
        .collect();
    record
}

async fn totals(rig: &Rig, user: &User) -> Vec<Total> {
    let (first, last) = (Date::constant(2026, 1, 1), Date::constant(2027, 12, 31));
    rig.store.totals_of(user.id, first, last).await.unwrap()
}

/// Day, account, calls, attempts, prompt and exact tokens of each row.
fn rows(totals: &[Total]) -> Vec<(String, i64, u64, u64, u64, u64)> {
    let row = |Total { key, counts }: &Total| {
        let account = key.account.map_or(0, |account| account.0);
        let sums = (counts.calls, counts.attempts, counts.input.0, counts.exact.0);
        (key.day.to_string(), account, sums.0, sums.1, sums.2, sums.3)
    };
    totals.iter().map(row).collect()
}

contract! {
    async fn what_calls_used_is_summed_by_day_and_by_all_that_it_was_for(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let (one, two) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
        assert_eq!((one, two), (AccountId(1), AccountId(2)));
        rig.set("2026-11-24T23:59:59Z");
        let late = vec![
            on(&rig, &ann, "a", &[one]),
            on(&rig, &ann, "b", &[two, one]),
            on(&rig, &ben, "c", &[one]),
        ];
        rig.record(late).await.unwrap();
        rig.set("2026-11-25T00:00:00Z");
        let mut other = on(&rig, &ann, "e", &[one]);
        other.attempts[0].charge = Charge::Estimated(Tokens(7));
        other.attempts[0].model = "qwen-max 2".into();
        let early = vec![on(&rig, &ann, "d", &[one]), other, on(&rig, &ann, "f", &[])];
        rig.record(early).await.unwrap();

        let totals = totals(&rig, &ann).await;
        let (first, second) = ("2026-11-24".to_owned(), "2026-11-25".to_owned());
        let expected = [
            (first.clone(), 1, 2, 2, 200, 0),
            (first, 2, 0, 1, 0, 0),
            (second.clone(), 0, 1, 0, 100, 0),
            (second.clone(), 1, 1, 1, 100, 0),
            (second, 1, 1, 1, 100, 0),
        ];
        assert_eq!(rows(&totals), expected);
        let models: Vec<&str> = totals.iter().map(|total| total.key.model.as_str()).collect();
        assert_eq!(models, ["qwen-plus", "qwen-plus", "", "qwen-max 2", "qwen-plus"]);
        assert_eq!(totals[3].counts.estimated, Tokens::ZERO, "no lease was charged");
        let places: Vec<_> = totals.iter().map(|total| total.key.platform.is_some()).collect();
        assert_eq!(places, [true, true, false, true, true]);
        let cached = totals[0].counts;
        assert_eq!((cached.cache_read.0, cached.cache_write.0), (40, 6));
        assert_eq!((cached.output.0, cached.reasoning.0), (100, 8));

        let day = Date::constant(2026, 11, 24);
        let one_day = rig.store.totals_of(ann.id, day, day).await.unwrap();
        assert_eq!(rows(&one_day), expected[..2]);
        assert_eq!(rig.store.totals_of(ben.id, day, day).await.unwrap().len(), 1);
    }
}

contract! {
    #[wish(Wish { keep: Keep { records_an_account: 5, ..Keep::default() } })]
    async fn totals_outlive_the_records_that_they_sum(rig: Rig) {
        let ann = rig.user().await;
        let (often, seldom) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
        for turn in 0..40 {
            rig.pass_secs(1);
            let one = on(&rig, &ann, &format!("r{turn}"), &[often]);
            rig.record(vec![one]).await.unwrap();
        }
        let rare = on(&rig, &ann, "rare", &[seldom]);
        rig.record(vec![rare]).await.unwrap();
        let kept = rig.store.records_of(ann.id, None, 100).await.unwrap();
        assert!((6..=7).contains(&kept.len()), "{}", kept.len());
        let day = "2026-11-24".to_owned();
        let expected =
            [(day.clone(), often.0, 40, 40, 4000, 0), (day, seldom.0, 1, 1, 100, 0)];
        assert_eq!(rows(&totals(&rig, &ann).await), expected);
    }
}

contract! {
    async fn callers_cannot_make_totals_without_bound(rig: Rig) {
        let ann = rig.user().await;
        let named = |turn: usize| {
            let mut record = on(&rig, &ann, &format!("r{turn}"), &[AccountId(1)]);
            record.attempts[0].model = format!("model-{turn}").into();
            record
        };
        for first in (0..1500).step_by(500) {
            rig.record((first..first + 500).map(named).collect()).await.unwrap();
        }
        let totals = totals(&rig, &ann).await;
        assert_eq!(totals.len(), TotalKey::MOST_A_DAY + 1);
        let other = totals.iter().find(|total| total.key.model == TotalKey::OTHER).unwrap();
        assert_eq!(other.counts.calls, 500);
    }
}

contract! {
    async fn a_full_day_has_room_again_once_removed_accounts_count_as_one(rig: Rig) {
        let ann = rig.user().await;
        let accounts = [rig.account(&ann, 1000).await, rig.account(&ann, 1000).await];
        let named = |turn: usize, model: usize, account: AccountId| {
            let mut record = on(&rig, &ann, &format!("r{turn}"), &[account]);
            record.attempts[0].model = format!("model-{model}").into();
            record
        };
        let half = TotalKey::MOST_A_DAY / 2;
        for (number, account) in accounts.into_iter().enumerate() {
            let all = (0..half).map(|model| named(number * half + model, model, account));
            rig.record(all.collect()).await.unwrap();
        }
        rig.record(vec![named(2 * half, half, accounts[0])]).await.unwrap();
        let models = async || {
            let totals = totals(&rig, &ann).await;
            totals.into_iter().map(|total| total.key.model).collect::<Vec<_>>()
        };
        assert!(models().await.iter().any(|model| model == TotalKey::OTHER), "it is full");
        for account in accounts {
            assert!(rig.store.remove_account(account).await.unwrap());
        }
        rig.record(vec![named(2 * half + 1, half + 1, AccountId(7))]).await.unwrap();
        let newest = format!("model-{}", half + 1);
        assert!(models().await.contains(&newest), "it has a row of its own");
    }
}

contract! {
    async fn an_account_is_removed_with_all_but_what_it_counted(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let (gone, stays) = (rig.account(&ann, 1000).await, rig.account(&ann, 900).await);
        let name = rig.shown(&ann, gone).await.account.name;
        for (user, account) in [(&ann, gone), (&ann, stays), (&ann, gone)] {
            let held = rig.ask(user, 10).only(account).held().await;
            rig.settle(&held, Charge::Exact(Tokens(10))).await;
        }
        let open = rig.ask(&ann, 10).only(gone).held().await;
        rig.block(gone, "qwen-max", 90).await;
        rig
            .record(vec![
                on(&rig, &ann, "a", &[gone]),
                on(&rig, &ann, "b", &[stays]),
                on(&rig, &ann, "c", &[stays, gone]),
                // A caller of another user's pool.
                on(&rig, &ben, "d", &[gone]),
                on(&rig, &ann, "e", &[]),
                on(&rig, &ann, "f", &[gone]),
            ])
            .await
            .unwrap();

        assert!(rig.store.remove_account(gone).await.unwrap());
        assert!(!rig.store.remove_account(gone).await.unwrap());
        assert!(rig.store.account(gone).await.unwrap().is_none());
        let states = rig.store.accounts_in(&[ann.pool], &rig.resets()).await.unwrap();
        assert_eq!(states.iter().map(|state| state.account.id).collect::<Vec<_>>(), [stays]);
        let kept: Vec<String> = rig
            .store
            .records_of(ann.id, None, 10)
            .await
            .unwrap()
            .into_iter()
            .map(|record| record.id)
            .collect();
        assert_eq!(kept, ["e", "b"]);
        assert!(rig.store.records_of(ben.id, None, 10).await.unwrap().is_empty());
        assert_eq!(rig.charges(&ann).await.len(), 1);
        let day = || "2026-11-24".to_owned();
        let all = totals(&rig, &ann).await;
        let without: Vec<_> = all.iter().filter(|total| total.key.platform.is_some()).collect();
        let without: Vec<Total> = without.into_iter().cloned().collect();
        let expected = [(day(), 0, 3, 3, 300, 20), (day(), stays.0, 1, 2, 100, 10)];
        assert_eq!(rows(&without), expected);
        assert_eq!(rows(&totals(&rig, &ben).await), [(day(), 0, 1, 1, 100, 0)]);

        // What ran on it ends and counts, without its id; nothing else lands there.
        rig.settle(&open, Charge::Exact(Tokens(10))).await;
        rig.sweep().await;
        let listed: Vec<_> =
            rig.charges(&ann).await.iter().map(|row| (row.account.0, row.tokens)).collect();
        assert_eq!(listed, [(stays.0, 10), (0, 10)]);
        let after = totals(&rig, &ann).await;
        assert!(rows(&after).contains(&(day(), 0, 3, 3, 300, 30)), "{after:?}");
        assert_eq!(rig.ask(&ann, 10).model("qwen-max").lands_on().await, stays);
        assert!(rig.ask(&ann, 10).only(gone).answer().await.is_err());
        // Its name is free.
        let mut again = rig.new_account(&ann, "qwen", vec![]).await;
        again.name = name;
        rig.store.add_account(again).await.unwrap();
    }
}

contract! {
    async fn a_call_that_ends_after_its_account_was_removed_is_kept_without_its_id(rig: Rig) {
        let ann = rig.user().await;
        let (gone, stays) = (rig.account(&ann, 1000).await, rig.account(&ann, 1000).await);
        let mut calls = Vec::new();
        for (id, accounts) in [("a", &[gone][..]), ("b", &[stays, gone]), ("c", &[stays])] {
            rig.pass_secs(1);
            calls.push(on(&rig, &ann, id, accounts));
        }
        assert!(rig.store.remove_account(gone).await.unwrap());
        rig.record(calls).await.unwrap();

        let kept = rig.store.records_of(ann.id, None, 10).await.unwrap();
        let kept: Vec<(&str, Vec<i64>)> = kept
            .iter()
            .map(|one| (one.id.as_str(), one.attempts.iter().map(|it| it.account.0).collect()))
            .collect();
        assert_eq!(kept, [("c", vec![stays.0]), ("b", vec![stays.0, 0]), ("a", vec![0])]);
        let day = || "2026-11-24".to_owned();
        let expected = [(day(), 0, 2, 2, 200, 0), (day(), stays.0, 1, 2, 100, 0)];
        assert_eq!(rows(&totals(&rig, &ann).await), expected);
    }
}

/// Day, account, model, exact and estimated tokens of each row.
async fn charged(rig: &Rig, user: &User) -> Vec<(String, i64, String, u64, u64)> {
    let row = |Total { key, counts }: Total| {
        let account = key.account.map_or(0, |account| account.0);
        assert_eq!(key.platform, Some("qwen".into()));
        (key.day.to_string(), account, key.model, counts.exact.0, counts.estimated.0)
    };
    totals(rig, user).await.into_iter().map(row).collect()
}

contract! {
    async fn every_open_lease_of_a_removed_account_ends_in_one_charge_without_its_id(rig: Rig) {
        let mut rig = rig;
        let (ann, ben) = (rig.user().await, rig.user().await);
        let gone = rig.account(&ann, 10_000).await;
        rig.account(&ben, 10_000).await;
        let purse = Purse::Budget { token: TokenId(7), index: "t".into(), limit: Tokens(1000) };
        let (id, granted_at) = (fresh_id(), rig.now());
        let hold = HoldKey { id, purse: purse.clone(), estimate: 50, granted_at, note: "".into() };
        rig.store.hold(HoldAsk { key: &hold, most: 500 }).await.unwrap().unwrap();
        let mut open = Vec::new();
        for turn in 0..4 {
            open.push(rig.ask(&ann, 50).held().await);
            // Some were folded, some are in the journal.
            if turn == 1 {
                rig.sweep().await;
            }
        }
        assert!(rig.store.remove_account(gone).await.unwrap());
        rig.crash();
        // The token's day has the call's hold until the call ends, as any.
        assert_eq!(rig.store.purse(&purse).await.unwrap().held, 500);
        let end = HoldEnd { hold, kind: ChargeKind::Exact, amount: 30 };
        rig.store.end_holds(vec![end]).await.unwrap();
        let PurseState { left, held, .. } = rig.store.purse(&purse).await.unwrap();
        assert_eq!((left, held), (970, 0));
        rig.pass_secs(100);
        let lives = [open[2].key.clone(), open[3].key.clone()];
        assert_eq!(rig.store.renew(&lives).await.unwrap(), []);
        rig.crash();
        rig.settle(&open[2], Charge::Estimated(Tokens(7))).await;
        rig.settle(&open[3], Charge::Release).await;
        rig.pass_secs(20);
        rig.settle(&open[0], Charge::Exact(Tokens(30))).await;
        assert_eq!(rig.sweep().await, 1, "its deadline has passed, and its gateway is gone");
        // Ended, they stay so; there is no window left that a late figure could correct.
        for _ in 0..2 {
            rig.crash();
            for held in &open {
                rig.settle(held, Charge::Exact(Tokens(12))).await;
            }
            rig.pass_secs(120);
            assert_eq!(rig.sweep().await, 0);
            let expected = [("2026-11-24".to_owned(), 0, "qwen-plus".to_owned(), 30, 57)];
            assert_eq!(charged(&rig, &ann).await, expected);
            // Each is told by its lease: what the totals have is explained.
            let told = rig.charges(&ann).await;
            assert!(told.iter().all(|row| row.account == AccountId::OPERATOR), "{told:?}");
            let told = told.iter().map(|row| (row.lease, row.kind, row.tokens));
            let expected = [
                (open[2].key.id, ChargeKind::Estimated, 7),
                (open[3].key.id, ChargeKind::Released, 0),
                (open[0].key.id, ChargeKind::Exact, 30),
                (open[1].key.id, ChargeKind::Estimated, 50),
            ];
            assert_eq!(told.collect::<Vec<_>>(), expected);
            assert_eq!(rig.charges(&ben).await, []);
        }
    }
}

/// What the charges on a user's accounts come to, and what the totals say.
pub async fn sums(rig: &Rig, user: &User) -> (i64, i64) {
    let charges = rig.charges(user).await.iter().map(|row| row.tokens).sum();
    let totals = totals(rig, user).await;
    let total = |total: &Total| (total.counts.exact + total.counts.estimated).signed();
    (charges, totals.iter().map(total).sum())
}

contract! {
    async fn every_charge_counts_once_whether_or_not_its_record_comes(rig: Rig) {
        let ann = rig.user().await;
        let (one, two) = (rig.account(&ann, 10_000).await, rig.account(&ann, 9000).await);
        let held = async |account, model| rig.ask(&ann, 50).only(account).model(model).held().await;
        let exact = held(one, "qwen-plus").await;
        let estimated = held(one, "qwen-plus").await;
        let released = held(one, "qwen-plus").await;
        let other = held(two, "qwen max").await;
        // A gateway that is killed before its records were written.
        for _ in 0..2 {
            rig.settle(&exact, Charge::Exact(Tokens(30))).await;
            rig.settle(&estimated, Charge::Estimated(Tokens(7))).await;
            rig.settle(&released, Charge::Release).await;
            rig.settle(&other, Charge::Exact(Tokens(5))).await;
        }
        // One that ends before it has settled.
        held(two, "qwen-plus").await;
        rig.pass_secs(120);
        assert_eq!(rig.sweep().await, 1);
        let day = || "2026-11-24".to_owned();
        let expected = [
            (day(), one.0, "qwen-plus".to_owned(), 30, 7),
            (day(), two.0, "qwen max".to_owned(), 5, 0),
            (day(), two.0, "qwen-plus".to_owned(), 0, 50),
        ];
        assert_eq!(charged(&rig, &ann).await, expected);
        // A record adds its call, and no charge again.
        let mut late = on(&rig, &ann, "late", &[two]);
        late.attempts[0].charge = Charge::Estimated(Tokens(50));
        rig.record(vec![late]).await.unwrap();
        assert_eq!(charged(&rig, &ann).await, expected);
        let last = totals(&rig, &ann).await.pop().unwrap();
        assert_eq!((last.counts.calls, last.key.token), (1, TokenId(7)));
        let by_token = rig.ask(&ann, 50).only(one).token(TokenId(8)).held().await;
        rig.settle(&by_token, Charge::Exact(Tokens(1))).await;
        assert_eq!(totals(&rig, &ann).await.len(), 4);
        assert_eq!(sums(&rig, &ann).await, (93, 93));
    }
}

contract! {
    async fn a_late_figure_takes_the_estimates_place_where_that_was_counted(rig: Rig) {
        let ann = rig.user().await;
        // Its day ends at 16:00 UTC: the figures come within it, and on another day in UTC.
        let one = rig.account(&ann, 10_000).await;
        rig.set("2026-11-24T23:56:00Z");
        let (more, less) = (rig.ask(&ann, 50).held().await, rig.ask(&ann, 50).held().await);
        let closed = rig.ask(&ann, 50).held().await;
        rig.pass_secs(120);
        assert_eq!(rig.sweep().await, 3);
        rig.set("2026-11-25T00:01:00Z");
        for _ in 0..2 {
            rig.settle(&more, Charge::Exact(Tokens(90))).await;
            rig.settle(&less, Charge::Exact(Tokens(20))).await;
        }
        let row = |exact, estimated| {
            [("2026-11-24".to_owned(), one.0, "qwen-plus".to_owned(), exact, estimated)]
        };
        assert_eq!(charged(&rig, &ann).await, row(110, 50));
        // Where the charge stays, the total does.
        rig.set("2026-11-25T16:00:00Z");
        rig.settle(&closed, Charge::Exact(Tokens(60))).await;
        assert_eq!(charged(&rig, &ann).await, row(110, 50));
        assert_eq!(sums(&rig, &ann).await, (160, 160));
    }
}

contract! {
    async fn callers_cannot_make_sums_of_charges_without_bound(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 1_000_000).await;
        let models: Vec<String> = (0..1200).map(|turn| format!("model-{turn}")).collect();
        for some in models.chunks(400) {
            let asks = some.iter().map(|model| rig.ask(&ann, 1).model(model).held());
            let held: Vec<Held> = futures_util::future::join_all(asks).await;
            let end = |held: Held| Settlement { lease: held.key.into(), charge: Charge::Exact(Tokens(2)) };
            let batch = held.into_iter().map(end).collect();
            rig.store.settle(batch, &rig.resets()).await.unwrap();
        }
        let rows = totals(&rig, &ann).await;
        assert_eq!(rows.len(), TotalKey::MOST_A_DAY + 1);
        let other = rows.iter().find(|total| total.key.model == TotalKey::OTHER).unwrap();
        assert_eq!(other.counts, Counts { exact: Tokens(400), ..Counts::default() });
        assert_eq!(sums(&rig, &ann).await, (2400, 2400));
    }
}

contract! {
    async fn a_late_figure_finds_its_estimate_among_the_others_when_the_day_has_room_again(rig: Rig) {
        let ann = rig.user().await;
        let (one, two) = (rig.account(&ann, 1_000_000).await, rig.account(&ann, 1_000_000).await);
        let late = rig.account(&ann, 1000).await;
        let models: Vec<String> =
            (0..TotalKey::MOST_A_DAY / 2).map(|turn| format!("model-{turn}")).collect();
        for account in [one, two] {
            let asks = models.iter().map(|model| rig.ask(&ann, 1).only(account).model(model).held());
            let held: Vec<Held> = futures_util::future::join_all(asks).await;
            let end = |held: Held| Settlement { lease: held.key.into(), charge: Charge::Exact(Tokens(2)) };
            rig.store.settle(held.into_iter().map(end).collect(), &rig.resets()).await.unwrap();
        }
        let estimated = rig.ask(&ann, 50).only(late).model("one more").held().await;
        rig.pass_secs(120);
        assert_eq!(rig.sweep().await, 1);
        let row = |model: &str, exact, estimated| {
            ("2026-11-24".to_owned(), late.0, model.to_owned(), exact, estimated)
        };
        assert!(charged(&rig, &ann).await.contains(&row("other", 0, 50)));
        // Of two rows each becomes one.
        for account in [one, two] {
            assert!(rig.store.remove_account(account).await.unwrap());
        }
        rig.settle(&estimated, Charge::Exact(Tokens(30))).await;
        let all = totals(&rig, &ann).await;
        let exact: u64 = all.iter().map(|total| total.counts.exact.0).sum();
        let estimated: u64 = all.iter().map(|total| total.counts.estimated.0).sum();
        assert_eq!((exact, estimated), (2030, 0));
    }
}

contract! {
    async fn a_token_for_another_pool_counts_to_its_own_user(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        rig.account(&ann, 1000).await;
        let token = token_for(&rig, &ben, "index", ann.pool).await.grant.id;
        let guest = User { pool: ann.pool, ..ben.clone() };
        let held = rig.ask(&guest, 10).token(token).held().await;
        rig.settle(&held, Charge::Exact(Tokens(4))).await;
        let [row] = &totals(&rig, &ben).await[..] else { panic!("one row") };
        assert_eq!((row.key.token, row.counts.exact), (token, Tokens(4)));
        assert_eq!(totals(&rig, &ann).await, []);
    }
}

contract! {
    async fn an_estimate_whose_account_is_gone_keeps_its_place(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        let (before, after) = (rig.ask(&ann, 50).held().await, rig.ask(&ann, 60).held().await);
        rig.pass_secs(60);
        rig.store.renew(std::slice::from_ref(&after.key)).await.unwrap();
        rig.pass_secs(60);
        assert_eq!(rig.sweep().await, 1);
        assert!(rig.store.remove_account(one).await.unwrap());
        rig.pass_secs(60);
        rig.sweep().await;
        for late in [&before, &after] {
            rig.settle(late, Charge::Exact(Tokens(1))).await;
        }
        let rows = [("2026-11-24".to_owned(), 0, "qwen-plus".to_owned(), 0, 110)];
        assert_eq!(charged(&rig, &ann).await, rows);
        let left = rig.charges(&ann).await;
        assert!(left.iter().all(|row| row.account.0 == 0), "{left:?}");
        assert!(left.iter().all(|row| row.kind != ChargeKind::Correction), "{left:?}");
    }
}
