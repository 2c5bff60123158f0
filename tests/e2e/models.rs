//! What a caller is told that it can name.

use http::Request;
use serde_json::Value;

use crate::both;
use crate::rig::{Grants, Rig, Wish};

const MODELS: &str = "/v1/models";
const ALIASES: &str = r#"
[aliases]
fast = ["gone/gone-1", "qwen/qwen-plus"]
lost = ["gone/gone-1"]
"#;

fn aliases() -> Wish {
    Wish { toml: ALIASES, ..Wish::default() }
}

both! {
    #[wish(aliases())]
    async fn aliases_that_lead_to_a_bound_account_are_listed(rig: Rig) {
        let list = rig.call(Request::get(MODELS), "").await.json();
        let fast = list["data"].as_array().unwrap().iter().find(|model| model["id"] == "fast");
        let plus = rig.call(Request::get(format!("{MODELS}/qwen/qwen-plus")), "").await.json();
        assert_eq!(fast.unwrap()["owned_by"], "qwen");
        assert_eq!(fast.unwrap()["context_length"], plus["context_length"]);
        assert!(!ids(&list).contains(&"lost".to_owned()), "{list}");
        let shown = rig.call(Request::get(format!("{MODELS}/fast")), "").await.json();
        assert_eq!(&shown, fast.unwrap());
    }
}

both! {
    #[wish(aliases())]
    async fn a_limited_token_sees_what_it_may_call_and_no_more(rig: Rig) {
        let id = rig.accounts("qwen").await[0].account.id;
        let other = rig.accounts("glm").await[0].account.id;
        let named = Grants {
            models: vec!["qwen-plus".into()],
            platforms: vec!["qwen".into()],
            ..Grants::default()
        };
        let (_, token) = rig.token(&rig.user, named).await;
        let get = async |path: &str| {
            let request = Request::get(path).header("authorization", format!("Bearer {token}"));
            rig.send(request, "").await
        };
        let list = get(MODELS).await.json();
        assert!(ids(&list).iter().all(|id| id.ends_with("qwen-plus")), "{list}");
        for (name, status) in [
            ("qwen-plus".to_owned(), 200),
            (format!("account:{id}/qwen-plus"), 200),
            (format!("account:{id}/qwen-max"), 404),
            (format!("account:{other}/qwen-plus"), 404),
            ("glm/glm-4.6".to_owned(), 404),
            ("fast".to_owned(), 404),
        ] {
            assert_eq!(get(&format!("{MODELS}/{name}")).await.status, status, "{name}");
        }

        let (_, token) = rig.token(&rig.user, Grants {
            platforms: vec!["glm".into()],
            ..Grants::default()
        }).await;
        let request = Request::get(MODELS).header("authorization", format!("Bearer {token}"));
        let list = rig.send(request, "").await.json();
        assert!(!ids(&list).contains(&"fast".to_owned()), "{list}");
    }
}

fn ids(list: &Value) -> Vec<String> {
    let models = list["data"].as_array().unwrap();
    assert!(!models.is_empty());
    models.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}
