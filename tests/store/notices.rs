//! Notices: said once by whoever says it first, read by those whose pool it is about, sent by
//! one gateway at a time.

use std::time::Duration;

use tributary::accounts::{
    AccountId, Channel, Matter, NewNotice, Notice, PoolId, Tokens, User, UserId,
};
use tributary::store::{Keep, Reading};

use crate::contract;
use crate::rig::{Rig, Wish, day};

const LIFE: Duration = Duration::from_secs(60);

fn about(user: &User, account: AccountId, key: &str) -> NewNotice {
    NewNotice {
        key: key.into(),
        instead_of: Vec::new(),
        owner: user.id,
        pool: user.pool,
        account,
        platform: "qwen".into(),
        name: "a \"name\" 通义".into(),
        matter: Matter::Quota {
            percent: 70,
            period: "day".into(),
            used: Tokens(70),
            limit: Tokens(100),
            resets_at: None,
        },
    }
}

async fn post(rig: &Rig, new: NewNotice) -> Option<Notice> {
    rig.store.post_notice(new, &[]).await.unwrap()
}

async fn seen(rig: &Rig, pools: &[PoolId], reader: UserId, reading: Reading) -> Vec<(i64, bool)> {
    let found = rig.store.notices_in(pools, reader, reading, None, 50).await.unwrap();
    found.iter().map(|(notice, read)| (notice.id, *read)).collect()
}

async fn claimed(rig: &Rig, channel: Channel) -> Vec<(i64, u32)> {
    let found = rig.store.claim_notices(channel, 10, LIFE).await.unwrap();
    found.iter().map(|delivery| (delivery.notice.id, delivery.tries)).collect()
}

contract! {
    async fn a_thing_is_said_once_however_many_say_it_at_once(rig: Rig) {
        let ann = rig.user().await;
        let said = (0..20).map(|_| post(&rig, about(&ann, AccountId(1), "q:1:70")));
        let said: Vec<_> = futures_util::future::join_all(said).await.into_iter().flatten().collect();
        assert_eq!(said.len(), 1);
        let shown = rig.store.notices_in(&[ann.pool], ann.id, Reading::All, None, 9).await.unwrap();
        assert_eq!(shown, [(said[0].clone(), false)]);
        assert_eq!(shown[0].0.at, rig.now());
        assert!(post(&rig, about(&ann, AccountId(1), "q:1:90")).await.is_some());
        assert!(post(&rig, about(&ann, AccountId(1), "q:1:90")).await.is_none());
    }
}

contract! {
    async fn a_later_stage_takes_the_earlier_ones_with_it(rig: Rig) {
        let ann = rig.user().await;
        let earlier = vec!["q:1:90".into(), "q:1:70".into()];
        let last = NewNotice { instead_of: earlier, ..about(&ann, AccountId(1), "q:1:100") };
        assert!(post(&rig, last).await.is_some());
        for key in ["q:1:90", "q:1:70"] {
            assert!(post(&rig, about(&ann, AccountId(1), key)).await.is_none(), "{key}");
        }
    }
}

contract! {
    async fn members_of_a_pool_see_its_notices_and_each_reads_for_itself(rig: Rig) {
        let (ann, ben) = (rig.user().await, rig.user().await);
        let mut ids = Vec::new();
        for number in 0..5 {
            let of = if number % 2 == 0 { &ann } else { &ben };
            let posted = post(&rig, about(of, AccountId(number), &format!("k{number}"))).await;
            ids.push(posted.unwrap().id);
        }
        let both = [ann.pool, ben.pool];
        let all: Vec<_> = ids.iter().rev().map(|id| (*id, false)).collect();
        assert_eq!(seen(&rig, &both, ann.id, Reading::All).await, all);
        assert_eq!(seen(&rig, &[ben.pool], ben.id, Reading::All).await, [all[1], all[3]]);
        assert_eq!(seen(&rig, &[], ben.id, Reading::All).await, []);

        assert!(rig.store.read_notice(&both, ann.id, ids[3]).await.unwrap());
        assert!(rig.store.read_notice(&both, ann.id, ids[3]).await.unwrap());
        assert!(!rig.store.read_notice(&[ann.pool], ann.id, ids[1]).await.unwrap());
        assert!(!rig.store.read_notice(&both, ann.id, 999).await.unwrap());
        assert_eq!(seen(&rig, &both, ann.id, Reading::All).await[1], (ids[3], true));
        let unread = seen(&rig, &both, ann.id, Reading::Unread).await;
        assert_eq!(unread, [all[0], all[2], all[3], all[4]]);
        assert_eq!(seen(&rig, &both, ben.id, Reading::Unread).await, all);

        // Page by page.
        let page = async |before, reading| {
            let found = rig.store.notices_in(&both, ann.id, reading, before, 2).await.unwrap();
            found.iter().map(|(notice, _)| notice.id).collect::<Vec<_>>()
        };
        assert_eq!(page(None, Reading::All).await, [ids[4], ids[3]]);
        assert_eq!(page(Some(ids[3]), Reading::All).await, [ids[2], ids[1]]);
        assert_eq!(page(Some(ids[4]), Reading::Unread).await, [ids[2], ids[1]]);
        assert_eq!(page(Some(ids[0]), Reading::All).await, [0; 0]);
    }
}

contract! {
    async fn an_accounts_notices_go_with_it(rig: Rig) {
        let ann = rig.user().await;
        let gone = rig.account_with(&ann, "qwen", vec![day(100)]).await;
        let stays = rig.account_with(&ann, "qwen", vec![day(100)]).await;
        let new = about(&ann, gone, "a");
        rig.store.post_notice(new, &[Channel::Webhook]).await.unwrap().unwrap();
        let kept = post(&rig, about(&ann, stays, "b")).await.unwrap();
        assert_eq!(rig.store.pools_of_accounts().await.unwrap(), [ann.pool]);
        assert!(rig.store.remove_account(gone).await.unwrap());
        assert_eq!(seen(&rig, &[ann.pool], ann.id, Reading::All).await, [(kept.id, false)]);
        assert_eq!(claimed(&rig, Channel::Webhook).await, []);
    }
}

contract! {
    async fn a_notice_is_sent_by_one_at_a_time_until_it_is_done(rig: Rig) {
        let ann = rig.user().await;
        let post = async |key, channels: &[Channel]| {
            let posted = rig.store.post_notice(about(&ann, AccountId(1), key), channels).await;
            posted.unwrap().unwrap().id
        };
        let both = post("a", &[Channel::Webhook, Channel::Mail]).await;
        let one = post("b", &[Channel::Webhook]).await;
        post("c", &[]).await;
        // Several at once: each notice goes to one of them.
        let crowd = (0..8).map(|_| claimed(&rig, Channel::Webhook));
        let mut all = futures_util::future::join_all(crowd).await.concat();
        all.sort_unstable();
        assert_eq!(all, [(both, 1), (one, 1)]);
        assert_eq!(claimed(&rig, Channel::Mail).await, [(both, 1)]);
        rig.store.end_delivery(Channel::Webhook, one, None).await.unwrap();

        // Its sender was killed: after a while another one tries.
        rig.pass_secs(59);
        assert_eq!(claimed(&rig, Channel::Webhook).await, []);
        rig.pass_secs(1);
        assert_eq!(claimed(&rig, Channel::Webhook).await, [(both, 2)]);
        let again = Some(Duration::from_secs(300));
        rig.store.end_delivery(Channel::Webhook, both, again).await.unwrap();
        rig.pass_secs(299);
        assert_eq!(claimed(&rig, Channel::Webhook).await, []);
        rig.pass_secs(1);
        assert_eq!(claimed(&rig, Channel::Webhook).await, [(both, 3)]);
        rig.store.end_delivery(Channel::Webhook, both, None).await.unwrap();
        rig.pass_secs(3600);
        assert_eq!(claimed(&rig, Channel::Webhook).await, []);
        assert_eq!(claimed(&rig, Channel::Mail).await, [(both, 2)]);
    }
}

contract! {
    #[wish(Wish { keep: Keep { audit: Duration::from_secs(3600), ..Keep::default() } })]
    async fn old_notices_go(rig: Rig) {
        let ann = rig.user().await;
        for key in ["a", "b"] {
            post(&rig, about(&ann, AccountId(1), key)).await.unwrap();
        }
        rig.pass_secs(3601);
        let last = post(&rig, about(&ann, AccountId(1), "c")).await.unwrap();
        rig.sweep().await;
        assert_eq!(seen(&rig, &[ann.pool], ann.id, Reading::Unread).await, [(last.id, false)]);
    }
}

#[tokio::test]
async fn notices_outlive_the_process_with_what_was_read_and_what_waits() {
    let mut rig = Rig::sqlite(Wish::default());
    let ann = rig.user().await;
    let id = rig.store.post_notice(about(&ann, AccountId(1), "a"), &[Channel::Mail]).await;
    let id = id.unwrap().unwrap().id;
    assert!(rig.store.read_notice(&[ann.pool], ann.id, id).await.unwrap());
    assert_eq!(claimed(&rig, Channel::Mail).await, [(id, 1)]);
    rig.crash();
    assert_eq!(seen(&rig, &[ann.pool], ann.id, Reading::All).await, [(id, true)]);
    assert!(post(&rig, about(&ann, AccountId(1), "a")).await.is_none());
    assert_eq!(post(&rig, about(&ann, AccountId(1), "b")).await.unwrap().id, id + 1);
    rig.pass_secs(60);
    assert_eq!(claimed(&rig, Channel::Mail).await, [(id, 2)]);
}
