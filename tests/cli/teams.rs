//! Teams as an operator makes them, beside a live gateway.

use serde_json::json;
use tributary::simulator::Simulator;

use crate::rig::Rig;
use crate::until::until;
use crate::walk::{chat, config, run, serve};

#[tokio::test(flavor = "multi_thread")]
async fn a_team_shares_an_account_and_who_leaves_has_it_no_more() {
    let simulator = Simulator::start().await.unwrap();
    let rig = Rig::new(&config(&simulator));
    for name in ["ann", "ben"] {
        run!(rig, ["user", "add", name]).ok();
    }
    let (gateway, base_url) = serve(&rig);
    // Made before there was a team.
    let token = run!(rig, ["token", "create", "--user", "ben"]).ok().out.trim().to_owned();
    let made = run!(rig, ["pool", "add", "lab", "--owner", "ann", "--json"]).json();
    assert_eq!((&made["id"], &made["kind"]), (&json!(3), &json!("team")));
    let refused = run!(rig, ["pool", "add", "a\nb", "--owner", "ann"]);
    assert_eq!(refused.code, 64);
    let add = ["account", "add", "--platform", "qwen", "--name", "shared", "--key-file", "-"];
    let key = "sk-of-the-team-0123456789";
    let bring = |user| [&add[..], &["--user", user, "--pool", "lab"]].concat();
    let refused = run!(rig, bring("ben"), key);
    assert!(refused.code == 1 && refused.all().contains("pool member add"), "{refused:?}");
    run!(rig, bring("ann"), key).ok();
    assert_eq!(chat(&base_url, &token).await.0, 404);

    let joined = run!(rig, ["pool", "member", "add", "lab", "ben", "--json"]).json();
    assert_eq!(joined, json!({"pool": 3, "user": "ben", "role": "member"}));
    let members = json!([{"user": "ann", "role": "owner"}, {"user": "ben", "role": "member"}]);
    assert_eq!(run!(rig, ["pool", "member", "list", "lab", "--json"]).json(), members);
    // The gateway takes callers for what they were for 50 ms here.
    let call = async || chat(&base_url, &token).await.0;
    until(&call, |status| *status == 200).await;
    let lists = run!(rig, ["account", "list", "--user", "ben", "--json"]).json();
    assert_eq!((&lists[0]["name"], &lists[0]["user"]), (&json!("shared"), &json!("ann")));

    let limited = ["token", "create", "--user", "ben", "--pools", "ben"];
    let limited = run!(rig, limited).ok().out.trim().to_owned();
    assert_eq!(chat(&base_url, &limited).await.0, 404, "it is for ben's own pool alone");
    let of_team = ["token", "create", "--user", "ben", "--pools", "lab,ben", "--json"];
    let of_team = run!(rig, of_team).json();
    assert_eq!(of_team["pools"], json!([3, 2]));
    assert_eq!(chat(&base_url, of_team["token"].as_str().unwrap()).await.0, 200);
    let foreign = run!(rig, ["token", "create", "--user", "ben", "--pools", "ann"]);
    assert_eq!(foreign.code, 1, "{foreign:?}");

    // It goes to its owner's own pool, and comes back.
    let moved = run!(rig, ["account", "move", "shared", "--pool", "ann", "--json"]).json();
    let facts = json!({"id": 1, "platform": "qwen", "name": "shared", "from_pool": 3, "pool": 1});
    assert_eq!(moved, facts);
    assert_eq!(chat(&base_url, &token).await.0, 404);
    let foreign = run!(rig, ["account", "move", "shared", "--pool", "ben"]);
    assert!(foreign.code == 1 && foreign.all().contains("does not draw from"), "{foreign:?}");
    let again = run!(rig, ["account", "move", "1", "--pool", "ann"]).ok();
    assert_eq!(again.out, "account 1 `shared` is in pool 1\n");
    run!(rig, [&add[..], &["--user", "ann", "--pool", "lab"]].concat(), key).ok();
    let taken = run!(rig, ["account", "move", "1", "--pool", "lab"]);
    assert!(taken.code == 1 && taken.all().contains("account edit 1 --name"), "{taken:?}");
    run!(rig, ["account", "remove", "2"]).ok();
    run!(rig, ["account", "move", "shared", "--pool", "lab"]).ok();
    assert_eq!(chat(&base_url, &token).await.0, 200, "its credential opens there");

    let refused = run!(rig, ["pool", "member", "remove", "lab", "ann"]);
    assert!(refused.code == 1 && refused.all().contains("account 1"), "{refused:?}");
    run!(rig, ["pool", "member", "remove", "lab", "ben"]).ok();
    let again = run!(rig, ["pool", "member", "remove", "lab", "ben"]);
    assert!(again.code == 1 && again.all().contains("no member"), "{again:?}");
    until(&call, |status| *status == 404).await;

    run!(rig, ["pool", "rename", "lab", "studio"]).ok();
    run!(rig, ["pool", "policy", "studio", "sticky"]).ok();
    let refused = run!(rig, ["pool", "remove", "studio"]);
    assert!(refused.code == 1 && refused.all().contains("has accounts"), "{refused:?}");
    let refused = run!(rig, ["pool", "remove", "ann"]);
    assert!(refused.code == 64 && refused.all().contains("personal"), "{refused:?}");
    run!(rig, ["account", "remove", "shared"]).ok();
    let last = run!(rig, ["pool", "member", "remove", "studio", "ann"]);
    assert!(last.code == 1 && last.all().contains("last owner"), "{last:?}");
    run!(rig, ["pool", "remove", "studio"]).ok();
    let pools = run!(rig, ["pool", "list", "--json"]).json();
    assert_eq!(pools.as_array().unwrap().len(), 2);
    tokio::task::block_in_place(|| gateway.terminate());
}
