//! What an older or a newer version left on Redis.

use tributary::accounts::{Account, Charge, ChargeKind, Health, Moving, Tokens};
use tributary::store::StoreError;
use tributary::store::redis::{Options, RedisStore};

use crate::rig::{Rig, Server, Wish, cli};

/// Runs a command on the database of a URL.
fn run(server: &Server, url: &str, command: &[&str]) -> String {
    let database = url.rsplit_once('/').unwrap().1;
    cli(server.port(), &[&["-n", database], command].concat()).trim().to_owned()
}

#[tokio::test]
async fn what_a_newer_version_wrote_is_left_alone() {
    let server = Server::shared();
    let url = server.fresh_url();
    // Nothing lies here, or what is from before there were formats.
    RedisStore::open(&url, Options::default()).await.unwrap();
    let ours = run(&server, &url, &["GET", "format"]);
    assert!(ours.parse::<u32>().is_ok(), "{ours}");
    RedisStore::open(&url, Options::default()).await.unwrap();
    run(&server, &url, &["SET", "format", "4711"]);
    let error = RedisStore::open(&url, Options::default()).await.err().unwrap();
    assert!(matches!(&error, StoreError::Unusable(why) if why.contains("4711")), "{error:?}");
    assert_eq!(run(&server, &url, &["GET", "format"]), "4711");
}

#[tokio::test]
async fn an_estimate_that_an_older_version_kept_is_corrected() {
    let server = Server::shared();
    let url = server.fresh_url();
    let rig = Rig::on_url(&url, Wish::default()).await;
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 50).held().await;
    rig.pass_secs(120);
    assert_eq!(rig.sweep().await, 1);
    // As it was kept before totals counted charges: without token, model and time.
    let (key, lease) = (format!("{{p:{}}}:qwen:ls", ann.pool), held.key.id);
    let older = format!(
        "local kept = cmsgpack.unpack(redis.call('HGET', KEYS[1], '{lease}'))
         for _ = 1, 3 do table.remove(kept, 5) end
         redis.call('HSET', KEYS[1], '{lease}', cmsgpack.pack(kept)) return #kept"
    );
    assert_eq!(run(&server, &url, &["EVAL", &older, "1", &key]), "5");
    rig.settle(&held, Charge::Exact(Tokens(30))).await;
    assert_eq!(rig.used(&ann, one).await, 30);
    let rows = rig.charges_of(&ann, held.key.id).await;
    assert_eq!(rows, [(ChargeKind::Estimated, 50), (ChargeKind::Correction, -20)]);
}

// Before moves had numbers, a row that arrived said `in`, one that left `out` and a mark.
#[tokio::test]
async fn a_move_that_an_older_version_began_is_ended() {
    let server = Server::shared();
    let is_made = [false, true];
    for (made, again) in is_made.into_iter().flat_map(|made| [(made, false), (made, true)]) {
        let what = format!("made: {made}, moved again: {again}");
        let url = server.fresh_url();
        let rig = Rig::on_url(&url, Wish::default()).await;
        let (ann, ben) = (rig.user().await, rig.user().await);
        let id = rig.account(&ann, 1000).await;
        let held = rig.ask(&ann, 30).held().await;
        rig.settle(&held, Charge::Exact(Tokens(45))).await;
        let before = rig.shown(&ann, id).await.account;
        let there = |account: &Account| {
            let mut after = account.bound_for(ben.pool);
            after.sealed.body = "sealed anew".into();
            after
        };
        let rows = [&ann, &ben].map(|user| format!("{{p:{}}}:qwen:", user.pool));
        let arrived = serde_json::to_string(&there(&before)).unwrap();
        let older = format!(
            "local s = cmsgpack.unpack(redis.call('HGET', KEYS[1], '{id}'))
             for i, word in ipairs({{ 'out 0123456789abcdef', 'in' }}) do
               s[1], s[12], s[8] = 100, word, 0
               redis.call('HSET', KEYS[i], '{id}', cmsgpack.pack(s))
             end
             redis.call('HSET', KEYS[3], '{id}', ARGV[1])
             redis.call('HSET', KEYS[4], '{name}', '{id}')
             redis.call('SADD', KEYS[5], 'qwen')
             for i = 6, 8 do redis.call('DEL', KEYS[i]) end
             return 1",
            name = before.name
        );
        let [from, to] = &rows;
        let keys = [
            format!("{from}a"),
            format!("{to}a"),
            format!("{to}f"),
            format!("{to}nm"),
            format!("{{p:{}}}:platforms", ben.pool),
            format!("{from}q"),
            format!("{from}qi"),
            format!("{from}t"),
        ];
        let mut words = vec!["EVAL", &older, "8"];
        words.extend(keys.iter().map(String::as_str));
        words.push(&arrived);
        assert_eq!(run(&server, &url, &words), "1");
        let families = [&ann, &ben].map(|user| format!("{} qwen", user.pool));
        run(&server, &url, &["SADD", &format!("acw:{id}"), &families[0], &families[1]]);
        run(&server, &url, &["SADD", "families", &families[1]]);
        let place =
            if made { families[1].clone() } else { format!("{} {}", families[0], ben.pool) };
        run(&server, &url, &["SET", &format!("acx:{id}"), &place]);

        if again && !made {
            let moved = rig.store.move_account(&before, there(&before)).await.unwrap();
            assert_eq!(moved, Moving::Done, "{what}");
        } else if again {
            rig.store.end_move(id).await.unwrap();
        } else {
            rig.sweep().await;
        }
        let (at, other) = if made || again { (&ben, &ann) } else { (&ann, &ben) };
        let state = rig.shown(at, id).await;
        assert_eq!((&state.health, state.windows[0].used.0), (&Health::Active, 45), "{what}");
        assert!(rig.store.accounts_in(&[other.pool], &rig.resets()).await.unwrap().is_empty());
        assert_eq!(rig.ask(at, 10).lands_on().await, id, "{what}");
    }
}
