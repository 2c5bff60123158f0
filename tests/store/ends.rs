//! How leases end, and what they are charged.

use tributary::accounts::{Charge, ChargeKind, Refusal, Settlement, Tokens};

use crate::contract;
use crate::rig::{MIDNIGHT, Rig, at, day, fresh_id, hours, key};

contract! {
    async fn a_lease_is_charged_what_the_platform_counted(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.settle(&held, Charge::Exact(Tokens(45))).await;
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens(45), Tokens::ZERO));
        assert_eq!(rig.charges_of(&ann, held.key.id).await, [(ChargeKind::Exact, 45)]);
    }
}

contract! {
    async fn a_lease_that_is_released_costs_nothing(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.settle(&held, Charge::Release).await;
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens::ZERO, Tokens::ZERO));
        assert_eq!(rig.charges_of(&ann, held.key.id).await, [(ChargeKind::Released, 0)]);
    }
}

contract! {
    async fn settling_twice_counts_once(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        for end in [Charge::Exact(Tokens(40)), Charge::Release] {
            let held = rig.ask(&ann, 30).held().await;
            rig.settle(&held, end).await;
            for late in [Charge::Exact(Tokens(7)), Charge::Estimated(Tokens(8)), Charge::Release] {
                rig.settle(&held, late).await;
            }
            assert_eq!(rig.charges_of(&ann, held.key.id).await.len(), 1);
        }
        assert_eq!(rig.used(&ann, one).await, 40);
    }
}

contract! {
    async fn a_lease_that_is_seen_to_have_ended_has_its_row(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100_000).await;
        let mut seen: Option<String> = None;
        for _ in 0..100 {
            let held = rig.ask(&ann, 30).held().await;
            let batch = vec![Settlement { lease: held.key.clone().into(), charge: Charge::Release }];
            let resets = rig.resets();
            let look = async {
                while rig.shown(&ann, one).await.leased > Tokens::ZERO {
                    tokio::task::yield_now().await;
                }
                rig.store.charges(ann.pool, &"qwen".into(), seen.as_deref(), 7).await.unwrap()
            };
            let (settled, rows) = tokio::join!(rig.store.settle(batch, &resets), look);
            settled.unwrap();
            assert_eq!(rows.iter().map(|row| row.lease).collect::<Vec<_>>(), [held.key.id]);
            seen = Some(rows[0].cursor.clone());
        }
    }
}

/// Lets a lease's deadline charge its estimate.
async fn expire(rig: &Rig) {
    rig.pass_secs(120);
    assert!(rig.sweep().await > 0);
}

contract! {
    async fn a_late_exact_figure_replaces_a_deadlines_estimate_once(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        for (exact, used) in [(10, 10), (70, 80)] {
            let held = rig.ask(&ann, 50).held().await;
            expire(&rig).await;
            rig.settle(&held, Charge::Estimated(Tokens(60))).await;
            rig.settle(&held, Charge::Release).await;
            rig.settle(&held, Charge::Exact(Tokens(exact))).await;
            rig.settle(&held, Charge::Exact(Tokens(99))).await;
            assert_eq!(rig.used(&ann, one).await, used);
            let difference = exact.cast_signed() - 50;
            let rows = [(ChargeKind::Estimated, 50), (ChargeKind::Correction, difference)];
            assert_eq!(rig.charges_of(&ann, held.key.id).await, rows);
        }
        // What is left follows, too.
        assert_eq!(rig.ask(&ann, 1).held().await.grant.remaining, Some(920));
    }
}

contract! {
    async fn an_estimate_that_was_settled_is_the_last_word(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.settle(&held, Charge::Estimated(Tokens(50))).await;
        rig.settle(&held, Charge::Estimated(Tokens(60))).await;
        rig.settle(&held, Charge::Exact(Tokens(10))).await;
        assert_eq!(rig.charges_of(&ann, held.key.id).await, [(ChargeKind::Estimated, 50)]);
        assert_eq!(rig.used(&ann, one).await, 50);
    }
}

contract! {
    async fn a_late_exact_figure_leaves_closed_windows_alone(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![day(1000), hours(168, 1000)]).await;
        let other = rig.account_with(&ann, "qwen", vec![day(900)]).await;
        let bare = rig.account_with(&ann, "qwen", vec![]).await;
        let held = rig.ask(&ann, 50).only(one).held().await;
        let on_day = rig.ask(&ann, 50).only(other).held().await;
        let on_none = rig.ask(&ann, 50).only(bare).held().await;
        expire(&rig).await;
        rig.set(MIDNIGHT);
        for late in [&held, &on_day, &on_none] {
            rig.settle(late, Charge::Exact(Tokens(60))).await;
        }
        let windows = rig.shown(&ann, one).await.windows;
        assert_eq!((windows[0].used, windows[1].used), (Tokens::ZERO, Tokens(60)));
        assert_eq!(rig.used(&ann, other).await, 0);
        // Its only window is gone, so the estimate stands in the books.
        assert_eq!(rig.charges_of(&ann, on_day.key.id).await, [(ChargeKind::Estimated, 50)]);
        let rows = [(ChargeKind::Estimated, 50), (ChargeKind::Correction, 10)];
        assert_eq!(rig.charges_of(&ann, on_none.key.id).await, rows);
    }
}

contract! {
    async fn a_charge_goes_to_the_windows_that_are_open_when_it_is_made(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.set(MIDNIGHT);
        rig.settle(&held, Charge::Exact(Tokens(25))).await;
        let window = rig.shown(&ann, one).await.windows.remove(0);
        assert_eq!(window.used, Tokens(25));
        assert_eq!(window.resets_at, Some(at("2026-11-25T16:00:00Z")));
    }
}

contract! {
    async fn a_lease_past_its_deadline_is_charged_its_estimate_and_marked(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 100).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.pass_secs(119);
        assert_eq!(rig.sweep().await, 0);
        rig.pass_secs(1);
        assert_eq!(rig.sweep().await, 1);
        assert_eq!(rig.sweep().await, 0);
        let state = rig.shown(&ann, one).await;
        assert_eq!((state.windows[0].used, state.leased), (Tokens(30), Tokens::ZERO));
        assert_eq!(rig.charges_of(&ann, held.key.id).await, [(ChargeKind::Estimated, 30)]);
        // The gateway was alive after all, and has the figure.
        rig.settle(&held, Charge::Exact(Tokens(12))).await;
        assert_eq!(rig.used(&ann, one).await, 12);
    }
}

contract! {
    async fn a_renewed_lease_lives_on_and_one_that_ended_is_told(rig: Rig) {
        let ann = rig.user().await;
        rig.account(&ann, 100).await;
        let held = rig.ask(&ann, 30).held().await;
        let ended = rig.ask(&ann, 20).held().await;
        rig.settle(&ended, Charge::Release).await;
        let never = key(fresh_id(), &ann, held.grant.account, rig.now());
        for _ in 0..5 {
            rig.pass_secs(100);
            let keys = [held.key.clone(), ended.key.clone(), never.clone()];
            let gone = rig.store.renew(&keys).await.unwrap();
            assert_eq!(gone, [ended.key.id, never.id]);
            assert_eq!(rig.sweep().await, 0);
        }
        rig.pass_secs(120);
        assert_eq!(rig.sweep().await, 1);
    }
}

contract! {
    async fn hours_begin_with_the_first_use_after_the_last_end(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account_with(&ann, "qwen", vec![hours(5, 100)]).await;
        assert_eq!(rig.shown(&ann, one).await.windows[0].resets_at, None);
        let held = rig.ask(&ann, 30).held().await;
        rig.pass_secs(60);
        let end = rig.now() + jiff::SignedDuration::from_hours(5);
        rig.settle(&held, Charge::Exact(Tokens(100))).await;
        assert_eq!(rig.shown(&ann, one).await.windows[0].resets_at, Some(end));
        let refusal = rig.ask(&ann, 1).refused().await;
        assert_eq!(refusal, Refusal::Exhausted { resets_at: Some(end) });
        rig.pass_secs(5 * 3600);
        let window = rig.shown(&ann, one).await.windows.remove(0);
        assert_eq!((window.used, window.resets_at), (Tokens::ZERO, None));
        assert_eq!(rig.ask(&ann, 1).held().await.grant.remaining, Some(100));
    }
}

contract! {
    async fn a_batch_ends_many_leases_at_once(rig: Rig) {
        let ann = rig.user().await;
        let one = rig.account(&ann, 1000).await;
        let mut batch = Vec::new();
        for tokens in 1..=200 {
            let lease = rig.ask(&ann, 1).held().await.key;
            let charge = Charge::Exact(Tokens(tokens % 4));
            batch.push(tributary::accounts::Settlement { lease: lease.into(), charge });
        }
        rig.store.settle(batch, &rig.resets()).await.unwrap();
        assert_eq!(rig.used(&ann, one).await, 300);
        assert_eq!(rig.charges(&ann).await.len(), 200);
    }
}
