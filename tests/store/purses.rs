//! Purses: points with their ledger, gateway tokens' days and rates.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tributary::accounts::{
    ChargeKind, EntryKind, HoldAsk, HoldEnd, HoldKey, HoldRefusal, Points, PointsEntry, Purse,
    PurseState, TokenId, Tokens, User, UserId,
};

use crate::contract;
use crate::rig::{Rig, at, fresh_id};

fn points(user: &User) -> Purse {
    Purse::Points(user.id)
}

fn budget(name: &str, limit: u64) -> Purse {
    let number = i64::from(name.bytes().map(u32::from).sum::<u32>());
    Purse::Budget { token: TokenId(number), index: name.into(), limit: Tokens(limit) }
}

fn key(rig: &Rig, purse: &Purse, estimate: u64) -> HoldKey {
    HoldKey {
        id: fresh_id(),
        purse: purse.clone(),
        estimate,
        granted_at: rig.now(),
        note: "qwen/qwen-plus".into(),
    }
}

async fn ask(rig: &Rig, purse: &Purse, most: u64) -> Result<HoldKey, HoldRefusal> {
    let key = key(rig, purse, most / 2);
    let granted_at = rig.store.hold(HoldAsk { key: &key, most }).await.unwrap()?;
    Ok(HoldKey { granted_at, ..key })
}

async fn end(rig: &Rig, hold: &HoldKey, kind: ChargeKind, amount: u64) {
    let end = HoldEnd { hold: hold.clone(), kind, amount };
    rig.store.end_holds(vec![end]).await.unwrap();
}

async fn grant(rig: &Rig, user: &User, millionths: i64) -> Option<Points> {
    rig.store.grant_points(user.id, Points(millionths), "a gift, of sorts").await.unwrap()
}

/// What is left and what is held.
async fn state(rig: &Rig, purse: &Purse) -> (i64, u64) {
    let PurseState { left, held, .. } = rig.store.purse(purse).await.unwrap();
    (left, held)
}

/// A ledger, oldest first, read in small pages; each entry leads to the next balance.
async fn ledger(rig: &Rig, user: UserId) -> Vec<PointsEntry> {
    let mut all: Vec<PointsEntry> = Vec::new();
    loop {
        let before = all.last().map(|entry| entry.cursor.clone());
        let page = rig.store.points_ledger(user, before.as_deref(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    all.reverse();
    let mut balance = Points::ZERO;
    for entry in &all {
        balance = balance + entry.points;
        assert_eq!(entry.balance, balance, "{entry:?}");
    }
    all
}

async fn moves(rig: &Rig, user: &User) -> Vec<(EntryKind, i64)> {
    ledger(rig, user.id).await.iter().map(|entry| (entry.kind, entry.points.0)).collect()
}

contract! {
    async fn points_are_given_and_taken_back_as_far_as_nobody_holds_them(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        assert_eq!(grant(&rig, &ann, 100).await, Some(Points(100)));
        assert_eq!(grant(&rig, &ann, -30).await, Some(Points(70)));
        assert_eq!(grant(&rig, &ann, -71).await, None);
        let hold = ask(&rig, &points(&ann), 50).await.unwrap();
        assert_eq!(grant(&rig, &ann, -21).await, None);
        assert_eq!(grant(&rig, &ann, -20).await, Some(Points(50)));
        assert_eq!(grant(&rig, &ann, Points::MOST.0).await, None);
        end(&rig, &hold, ChargeKind::Exact, 50).await;
        assert_eq!(state(&rig, &points(&ann)).await, (0, 0));
        assert_eq!(state(&rig, &points(&ben)).await, (0, 0));
        let entries = ledger(&rig, ann.id).await;
        assert_eq!((&*entries[0].note, entries[0].hold, entries[0].at), ("a gift, of sorts", None, rig.now()));
        assert_eq!((&*entries[3].note, entries[3].hold), ("qwen/qwen-plus", Some(hold.id)));
        let expected = [
            (EntryKind::Grant, 100), (EntryKind::Grant, -30), (EntryKind::Grant, -20),
            (EntryKind::Exact, -50),
        ];
        assert_eq!(moves(&rig, &ann).await, expected);
        assert_eq!(moves(&rig, &ben).await, []);
    }
}

contract! {
    async fn a_hold_ends_once_by_what_was_used(rig: Rig) {
        let ann = rig.user().await;
        grant(&rig, &ann, 1000).await;
        for (kind, amount, left) in [
            (ChargeKind::Exact, 45, 955), (ChargeKind::Estimated, 5, 950), (ChargeKind::Released, 0, 950),
        ] {
            let hold = ask(&rig, &points(&ann), 100).await.unwrap();
            assert_eq!(state(&rig, &points(&ann)).await.1, 100);
            // Asking again with the same id holds once.
            rig.store.hold(HoldAsk { key: &hold, most: 100 }).await.unwrap().unwrap();
            assert_eq!(state(&rig, &points(&ann)).await.1, 100);
            end(&rig, &hold, kind, amount).await;
            assert_eq!(state(&rig, &points(&ann)).await, (left, 0));
            for late in [ChargeKind::Exact, ChargeKind::Estimated, ChargeKind::Released] {
                end(&rig, &hold, late, 7).await;
            }
            assert_eq!(state(&rig, &points(&ann)).await, (left, 0));
        }
        let expected =
            [(EntryKind::Grant, 1000), (EntryKind::Exact, -45), (EntryKind::Estimated, -5)];
        assert_eq!(moves(&rig, &ann).await, expected);
    }
}

contract! {
    async fn a_hold_past_its_deadline_is_charged_its_estimate_until_the_figure_comes(rig: Rig) {
        let ann = rig.user().await;
        grant(&rig, &ann, 1000).await;
        let hold = ask(&rig, &points(&ann), 100).await.unwrap();
        rig.pass_secs(119);
        rig.sweep().await;
        assert_eq!(state(&rig, &points(&ann)).await, (1000, 100));
        rig.pass_secs(1);
        rig.sweep().await;
        assert_eq!(state(&rig, &points(&ann)).await, (950, 0));
        for (late, amount) in [(ChargeKind::Released, 0), (ChargeKind::Estimated, 9)] {
            end(&rig, &hold, late, amount).await;
            assert_eq!(state(&rig, &points(&ann)).await, (950, 0));
        }
        for amount in [20, 99] {
            end(&rig, &hold, ChargeKind::Exact, amount).await;
            assert_eq!(state(&rig, &points(&ann)).await, (980, 0));
        }
        // An estimate whose figure never comes stays.
        let never = ask(&rig, &points(&ann), 60).await.unwrap();
        rig.pass_secs(120);
        rig.sweep().await;
        rig.pass_secs(24 * 3600);
        rig.sweep().await;
        end(&rig, &never, ChargeKind::Exact, 60).await;
        assert_eq!(state(&rig, &points(&ann)).await, (950, 0));
        let expected = [
            (EntryKind::Grant, 1000), (EntryKind::Estimated, -50), (EntryKind::Correction, 30),
            (EntryKind::Estimated, -30),
        ];
        assert_eq!(moves(&rig, &ann).await, expected);
    }
}

contract! {
    async fn a_renewed_hold_lives_on(rig: Rig) {
        let ann = rig.user().await;
        grant(&rig, &ann, 1000).await;
        let hold = ask(&rig, &points(&ann), 100).await.unwrap();
        let day = ask(&rig, &budget("t", 50), 20).await.unwrap();
        let ended = ask(&rig, &points(&ann), 100).await.unwrap();
        end(&rig, &ended, ChargeKind::Released, 0).await;
        for _ in 0..5 {
            rig.pass_secs(100);
            rig.store.renew_holds(&[hold.clone(), day.clone(), ended.clone()]).await.unwrap();
            rig.sweep().await;
        }
        assert_eq!(state(&rig, &points(&ann)).await, (1000, 100));
        assert_eq!(state(&rig, &budget("t", 50)).await, (50, 20));
        rig.pass_secs(120);
        rig.sweep().await;
        assert_eq!(state(&rig, &points(&ann)).await, (950, 0));
        assert_eq!(state(&rig, &budget("t", 50)).await, (40, 0));
    }
}

contract! {
    async fn the_last_points_go_to_one_request_at_a_time(rig: Rig) {
        let ann = rig.user().await;
        let purse = points(&ann);
        assert_eq!(ask(&rig, &purse, 10).await, Err(HoldRefusal::Empty { resets_at: None }));
        grant(&rig, &ann, 100).await;
        let lone = ask(&rig, &purse, 500).await.unwrap();
        assert_eq!(state(&rig, &purse).await, (100, 100));
        assert_eq!(ask(&rig, &purse, 1).await, Err(HoldRefusal::Busy));
        end(&rig, &lone, ChargeKind::Exact, 40).await;
        let fits = ask(&rig, &purse, 50).await.unwrap();
        assert_eq!(ask(&rig, &purse, 11).await, Err(HoldRefusal::Busy));
        let too = ask(&rig, &purse, 10).await.unwrap();
        end(&rig, &fits, ChargeKind::Exact, 50).await;
        end(&rig, &too, ChargeKind::Exact, 45).await;
        assert_eq!(state(&rig, &purse).await, (-35, 0));
        assert_eq!(ask(&rig, &purse, 0).await, Err(HoldRefusal::Empty { resets_at: None }));
        grant(&rig, &ann, 35).await;
        // What costs nothing needs no points, but no debt either.
        ask(&rig, &purse, 0).await.unwrap();
    }
}

contract! {
    async fn a_tokens_day_is_used_up_until_midnight(rig: Rig) {
        let purse = budget("a-token", 100);
        let midnight = at("2026-11-25T00:00:00Z");
        let first = ask(&rig, &purse, 60).await.unwrap();
        assert_eq!(ask(&rig, &purse, 60).await, Err(HoldRefusal::Busy));
        end(&rig, &first, ChargeKind::Exact, 70).await;
        let shown = rig.store.purse(&purse).await.unwrap();
        assert_eq!(shown, PurseState { left: 30, held: 0, resets_at: Some(midnight) });
        // The lone request may take more than is left.
        let lone = ask(&rig, &purse, 60).await.unwrap();
        end(&rig, &lone, ChargeKind::Estimated, 50).await;
        let refusal = HoldRefusal::Empty { resets_at: Some(midnight) };
        assert_eq!(ask(&rig, &purse, 1).await, Err(refusal));
        // Another token has a day of its own.
        ask(&rig, &budget("b-token", 100), 100).await.unwrap();
        rig.set("2026-11-24T23:59:59.999Z");
        assert_eq!(ask(&rig, &purse, 1).await, Err(refusal));
        rig.set("2026-11-25T00:00:00Z");
        let over_midnight = ask(&rig, &purse, 100).await.unwrap();
        end(&rig, &over_midnight, ChargeKind::Exact, 10).await;
        assert_eq!(state(&rig, &purse).await, (90, 0));
    }
}

contract! {
    async fn a_days_figure_that_comes_late_is_no_other_days(rig: Rig) {
        let purse = budget("a-token", 100);
        rig.set("2026-11-24T23:50:00Z");
        let [same_day, next_day] =
            [ask(&rig, &purse, 20).await.unwrap(), ask(&rig, &purse, 20).await.unwrap()];
        rig.pass_secs(120);
        rig.sweep().await;
        assert_eq!(state(&rig, &purse).await, (80, 0));
        end(&rig, &same_day, ChargeKind::Exact, 15).await;
        assert_eq!(state(&rig, &purse).await, (75, 0));
        let unseen = ask(&rig, &purse, 20).await.unwrap();
        rig.set("2026-11-25T00:30:00Z");
        end(&rig, &next_day, ChargeKind::Exact, 15).await;
        assert_eq!(state(&rig, &purse).await, (100, 0));
        // Its deadline was yesterday's, though nobody looked.
        end(&rig, &unseen, ChargeKind::Estimated, 15).await;
        assert_eq!(state(&rig, &purse).await, (100, 0));
    }
}

contract! {
    async fn a_crowd_overdraws_points_by_one_request_at_most(rig: Rig) {
        const DEAREST: i64 = 120;
        let ann = rig.user().await;
        grant(&rig, &ann, 20_000).await;
        let (rig, ann) = (Arc::new(rig), Arc::new(ann));
        let mut tasks = JoinSet::new();
        for task in 0..64_u64 {
            let (rig, ann) = (rig.clone(), ann.clone());
            tasks.spawn(async move {
                let purse = points(&ann);
                let mut spent = 0;
                for turn in 0..20 {
                    let dice = (task * 31 + turn * 17) % 100;
                    // Never more than it asked for, but for the lone one, which may get less.
                    let most = 20 + dice;
                    let Ok(hold) = ask(&rig, &purse, most).await else { continue };
                    assert!(state(&rig, &purse).await.0 > -DEAREST);
                    match dice % 10 {
                        0 => end(&rig, &hold, ChargeKind::Released, 0).await,
                        1 => {
                            let twice = end(&rig, &hold, ChargeKind::Exact, most);
                            tokio::join!(twice, end(&rig, &hold, ChargeKind::Exact, most));
                            spent += most;
                        }
                        2 => spent += most / 2, // left to its deadline
                        _ => {
                            end(&rig, &hold, ChargeKind::Exact, most - dice % 7).await;
                            spent += most - dice % 7;
                        }
                    }
                }
                spent
            });
        }
        let spent: u64 = tasks.join_all().await.into_iter().sum();
        rig.pass_secs(120);
        rig.sweep().await;
        let (left, held) = state(&rig, &points(&ann)).await;
        assert_eq!((left, held), (20_000 - spent.cast_signed(), 0));
        assert!(spent > 15_000, "{spent}");
        assert!(left > -DEAREST, "{left}");
        let entries = ledger(&rig, ann.id).await;
        assert_eq!(entries.iter().map(|entry| entry.points).sum::<Points>(), Points(left));
        let mut holds: Vec<_> = entries.iter().filter_map(|entry| entry.hold).collect();
        let count = holds.len();
        holds.sort_unstable();
        holds.dedup();
        assert_eq!(holds.len(), count, "a hold was charged twice");
    }
}

contract! {
    async fn no_two_requests_of_a_crowd_overdraw_points_together(rig: Rig) {
        const MOST: u64 = 100;
        let ann = Arc::new(rig.user().await);
        let rig = Arc::new(rig);
        for round in 0..15_u64 {
            let left = state(&rig, &points(&ann)).await.0;
            grant(&rig, &ann, 250 - left).await.unwrap();
            let mut tasks = JoinSet::new();
            for task in 0..64_u64 {
                let (rig, ann) = (rig.clone(), ann.clone());
                tasks.spawn(async move {
                    for turn in 0..8 {
                        let Ok(hold) = ask(&rig, &points(&ann), MOST).await else { continue };
                        let pause = (task * 7 + turn * 13 + round * 31) % 4;
                        if task % 2 == 0 {
                            tokio::time::sleep(Duration::from_millis(pause)).await;
                        } else {
                            for _ in 0..pause + 1 {
                                tokio::task::yield_now().await;
                            }
                        }
                        match (task + turn + round) % 3 {
                            0 => end(&rig, &hold, ChargeKind::Released, 0).await,
                            // Less than it asked for: what is left fits nobody else.
                            1 => end(&rig, &hold, ChargeKind::Exact, 60).await,
                            _ => end(&rig, &hold, ChargeKind::Exact, MOST).await,
                        }
                    }
                });
            }
            tasks.join_all().await;
            let (left, held) = state(&rig, &points(&ann)).await;
            assert!(left > -MOST.cast_signed() && held == 0, "{left} left, {held} held");
        }
    }
}

contract! {
    async fn a_crowd_overdraws_a_day_by_one_request_at_most(rig: Rig) {
        let rig = Arc::new(rig);
        let mut tasks = JoinSet::new();
        for _ in 0..64 {
            let rig = rig.clone();
            tasks.spawn(async move {
                let purse = budget("crowd", 5_000);
                let mut used = 0;
                for _ in 0..5 {
                    if let Ok(hold) = ask(&rig, &purse, 30).await {
                        end(&rig, &hold, ChargeKind::Exact, 30).await;
                        used += 30;
                    }
                }
                used
            });
        }
        let used: i64 = tasks.join_all().await.into_iter().sum();
        assert_eq!(state(&rig, &budget("crowd", 5_000)).await, (5_000 - used, 0));
        assert!((4_000..5_030).contains(&used), "{used}");
    }
}

contract! {
    async fn a_tokens_rate_is_so_many_at_once_then_so_many_a_minute(rig: Rig) {
        let rate = |n| NonZeroU32::new(n).unwrap();
        let admit = async |token: &str, n| rig.store.admit(token, rate(n)).await.unwrap();
        for _ in 0..6 {
            assert_eq!(admit("one", 6).await, Ok(()));
        }
        assert_eq!(admit("one", 6).await, Err(Duration::from_secs(10)));
        assert_eq!(admit("other", 6).await, Ok(()));
        rig.pass(Duration::from_millis(9_999));
        assert_eq!(admit("one", 6).await, Err(Duration::from_millis(1)));
        rig.pass(Duration::from_millis(1));
        assert_eq!(admit("one", 6).await, Ok(()));
        assert_eq!(admit("one", 6).await, Err(Duration::from_secs(10)));
        rig.pass_secs(60);
        for _ in 0..6 {
            assert_eq!(admit("one", 6).await, Ok(()));
        }
        assert!(admit("one", 6).await.is_err());
        assert_eq!(admit("slow", 1).await, Ok(()));
        assert_eq!(admit("slow", 1).await, Err(Duration::from_secs(60)));
    }
}

contract! {
    async fn what_purses_held_is_there_after_a_crash(rig: Rig) {
        let mut rig = rig;
        let ann = rig.user().await;
        grant(&rig, &ann, 1000).await;
        let (day, open) = (budget("day", 100), ask(&rig, &points(&ann), 100).await.unwrap());
        let used = ask(&rig, &day, 30).await.unwrap();
        end(&rig, &used, ChargeKind::Exact, 30).await;
        ask(&rig, &day, 20).await.unwrap();
        let charged = ask(&rig, &points(&ann), 100).await.unwrap();
        rig.store.renew_holds(std::slice::from_ref(&open)).await.unwrap();
        rig.pass_secs(119);
        rig.store.renew_holds(std::slice::from_ref(&open)).await.unwrap();
        rig.pass_secs(1);
        rig.sweep().await;
        rig.crash();
        assert_eq!(state(&rig, &points(&ann)).await, (950, 100));
        assert_eq!(state(&rig, &day).await, (60, 0));
        end(&rig, &charged, ChargeKind::Exact, 80).await;
        rig.crash();
        rig.pass_secs(120);
        rig.sweep().await;
        assert_eq!(state(&rig, &points(&ann)).await, (870, 0));
        let expected = [
            (EntryKind::Grant, 1000), (EntryKind::Estimated, -50), (EntryKind::Correction, -30),
            (EntryKind::Estimated, -50),
        ];
        assert_eq!(moves(&rig, &ann).await, expected);
    }
}

contract! {
    async fn a_ledgers_cursor_that_is_none_finds_nothing(rig: Rig) {
        let ann = rig.user().await;
        rig.store.grant_points(ann.id, Points(5), "").await.unwrap().unwrap();
        for cursor in ["", "x", "(", "-", "1-2-3", "99999999999999999999", "+"] {
            let found = rig.store.points_ledger(ann.id, Some(cursor), 9).await.unwrap();
            assert_eq!(found, [], "{cursor}");
        }
    }
}
