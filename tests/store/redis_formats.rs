//! What an older or a newer version left on Redis.

use tributary::accounts::{Charge, ChargeKind, Tokens};
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
