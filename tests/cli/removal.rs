//! Removing an account, where the store fails half way.

#[path = "../common/redis_ready.rs"]
mod redis_ready;
#[path = "../common/redis_server.rs"]
mod server;

use serde_json::json;
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::walk::{config, run};
use server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_that_failed_half_way_is_repeated_by_the_accounts_id() {
    let simulator = Simulator::start().await.unwrap();
    let server = Server::start();
    let url = server.fresh_url();
    let mut rig = Rig::new(&config(&simulator));
    rig.set("TRIBUTARY_STORE__URL", &url);
    run!(rig, ["user", "add", "me"]).ok();
    run!(rig, ["user", "add", "you"]).ok();
    for name in ["first", "second"] {
        let add = ["account", "add", "--user", "me", "--platform", "qwen", "--name", name];
        run!(rig, [&add[..], &["--key-file", "-"]].concat(), "sk-mine-0123456789").ok();
    }
    let mut redis = redis::Client::open(url).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg("{u:1}:ra").arg("x").exec(&mut redis).unwrap();
    assert_ne!(run!(rig, ["account", "remove", "first"]).code, 0);
    redis::cmd("DEL").arg("{u:1}:ra").exec(&mut redis).unwrap();
    let log = run!(rig, ["audit", "--json"]).ok().json();
    let told = (&log[0]["action"], &log[0]["details"]["name"]);
    assert_eq!(told, (&json!("account.delete"), &json!("first")));

    // Its name is gone, so its id is what is left to say.
    assert_eq!(run!(rig, ["account", "remove", "first"]).code, 1);
    let done = run!(rig, ["account", "remove", "1"]).ok();
    assert_eq!(done.out, "account 1 is removed, with its records\n");
    assert_eq!(run!(rig, ["account", "remove", "1"]).code, 1);

    // An id is no way around whose it is.
    assert_eq!(run!(rig, ["account", "remove", "--user", "you", "2"]).code, 1);
    let done = run!(rig, ["account", "remove", "--user", "me", "2", "--json"]).json();
    let removed = json!({ "id": 2, "platform": "qwen", "name": "second", "removed": true });
    assert_eq!(done, removed);
}
