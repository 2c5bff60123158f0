use super::*;
use crate::accounts::{Origin, Period, Tokens, WindowSpec};
use crate::platforms::{Credential, DialectName, Kind};

fn load(operator: &str) -> Result<Catalogue, Vec<CatalogueError>> {
    Catalogue::load(&operator.parse().unwrap())
}

fn built_in() -> Catalogue {
    load("").unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

fn hops(catalogue: &Catalogue, name: &str) -> Vec<String> {
    let Resolution::Hops(hops) = catalogue.resolve(name) else { return Vec::new() };
    hops.iter().map(|hop| format!("{}/{}", hop.platform.id, hop.model.upstream)).collect()
}

#[test]
fn every_built_in_platform_has_what_a_person_and_the_gateway_need() {
    let catalogue = built_in();
    let ids: Vec<&str> = catalogue.platforms().map(|platform| platform.id.as_str()).collect();
    assert_eq!(ids, ["qwen", "openai", "glm", "spark", "claude", "ernie"]);
    for platform in catalogue.platforms() {
        let default = platform.default_model.as_deref().unwrap();
        assert!(platform.model(default).is_some(), "{}: {default}", platform.id);
        let face = platform.face(None).unwrap();
        assert!(!face.credential.help.is_empty() && !face.credential.get.is_empty());
    }
}

#[test]
fn every_name_of_the_guide_answers() {
    let catalogue = built_in();
    for (name, wanted) in [
        ("qwen-turbo", "qwen/qwen-flash"),
        ("qwen-plus", "qwen/qwen-plus"),
        ("qwen-max", "qwen/qwen-max"),
        ("gpt-3.5-turbo", "openai/gpt-5.4-mini"),
        ("gpt-4", "openai/gpt-5.4"),
        ("ernie-bot-turbo", "ernie/ernie-5.1"),
        ("ernie-bot", "ernie/ernie-5.1"),
        ("glm-3-turbo", "glm/glm-4.7-flash"),
        ("glm-4", "glm/glm-4.7"),
        ("spark-lite", "spark/lite"),
        ("spark-pro", "spark/generalv3"),
        ("claude-3-haiku", "claude/claude-haiku-4-5"),
        ("claude-3-sonnet", "claude/claude-sonnet-4-6"),
    ] {
        assert_eq!(hops(&catalogue, name), [wanted], "{name}");
        let Resolution::Hops(hops) = catalogue.resolve(name) else { unreachable!() };
        let current = hops[0].model.name == name;
        assert_eq!(hops[0].successor_of.as_deref(), (!current).then_some(name));
    }
}

#[test]
fn the_guide_names_every_key() {
    let guide = include_str!("../../../docs/adding-a-platform.md");
    let fields = include_str!("entry.rs").lines().filter_map(|line| {
        let (name, _) = line.trim().strip_prefix("pub(super) ")?.split_once(':')?;
        Some(name)
    });
    let is_named = |key: &&str| {
        let forms = [format!("`{key}`"), format!(".{key}`"), format!("`{key}.")];
        forms.iter().any(|form| guide.contains(form))
    };
    let (named, missing): (Vec<&str>, Vec<&str>) = fields.partition(is_named);
    assert!(missing.is_empty() && named.len() > 30, "docs/adding-a-platform.md lacks {missing:?}");
}

#[test]
fn sizes_that_a_vendor_states_are_listed_and_no_others() {
    let catalogue = built_in();
    let spark = catalogue.platform("spark").unwrap();
    let sizes: Vec<_> =
        spark.models.iter().map(|it| (it.name.as_str(), it.context, it.max_output)).collect();
    let longest = [
        ("lite", 4096),
        ("generalv3", 8192),
        ("pro-128k", 4096),
        ("generalv3.5", 8192),
        ("max-32k", 8192),
        ("4.0Ultra", 32768),
        ("spark-x", 65536),
        ("imagev3", 8192),
        ("kjwx", 8192),
    ];
    assert_eq!(sizes, longest.map(|(name, most)| (name, None, Some(most))));
}

#[test]
fn a_vendors_own_platform_comes_before_its_hosts() {
    let catalogue = built_in();
    assert_eq!(hops(&catalogue, "glm-5.1"), ["glm/glm-5.1", "ernie/glm-5.1"]);
    assert_eq!(hops(&catalogue, "ernie/glm-5.1"), ["ernie/glm-5.1"]);
}

#[test]
fn a_platforms_own_name_needs_no_listing_and_may_hold_slashes() {
    let catalogue = built_in();
    assert_eq!(hops(&catalogue, "qwen/vendor/new-model"), ["qwen/vendor/new-model"]);
    assert_eq!(hops(&catalogue, "openai/gpt-4"), ["openai/gpt-5.4"]);
    for unknown in ["nothing", "nowhere/model", "qwen/", "/x", ""] {
        assert!(hops(&catalogue, unknown).is_empty(), "{unknown}");
    }
    let glm = Arc::clone(catalogue.platform("glm").unwrap());
    let hop = catalogue.resolve_on(&glm, "glm-5.9-new");
    assert!(!hop.model.listed && hop.model.reach(DialectName::OpenaiChat).is_some());
}

#[test]
fn a_model_may_lie_in_one_dialect_alone() {
    let catalogue = built_in();
    let openai = catalogue.platform("openai").unwrap();
    let chat = openai.face(None).unwrap();
    assert_eq!(chat.dialect, DialectName::OpenaiChat);
    let key = Credential::parse(chat, "sk-1").unwrap();
    for (name, dialect) in [
        ("gpt-5.4-mini", DialectName::OpenaiChat),
        ("gpt-5.1-codex-max", DialectName::OpenaiResponses),
        ("gpt-9-pro", DialectName::OpenaiResponses),
        ("gpt-9-codex", DialectName::OpenaiResponses),
        ("gpt-9-prose", DialectName::OpenaiChat),
    ] {
        let model = catalogue.resolve_on(openai, name).model;
        assert_eq!(openai.reaching(chat, &model, &key).dialect, dialect, "{name}");
        let responses = openai.face(Some(DialectName::OpenaiResponses)).unwrap();
        let chosen = openai.reaching(responses, &model, &key).dialect;
        assert_eq!(chosen, DialectName::OpenaiResponses, "{name}");
    }
}

#[test]
fn a_login_picks_the_face_that_takes_it_and_is_served_there_by_its_own_rules() {
    let catalogue = built_in();
    let openai = catalogue.platform("openai").unwrap();
    let login = Credential::from_sealed(br#"{"kind":"oauth","access_token":"eyJ"}"#).unwrap();
    let face = openai.face_for(None, &login).unwrap();
    assert_eq!(face.dialect, DialectName::OpenaiResponses);
    let own = Face::of(face, login.kind());
    assert!(own.request.drop.iter().any(|name| name == "temperature"));
    assert!(own.request.tools.as_input && !face.request.tools.as_input);
    assert!(std::ptr::eq(&**Face::of(face, Kind::Key), &**face));
}

#[test]
fn a_platform_in_gateway_toml_alone_works() {
    let catalogue = load(
        r#"
        [platforms.deepseek]
        dialect = "openai_chat"
        base_url = "https://api.deepseek.com/v1"
        models = [{ name = "deepseek-chat", context = 128000, max_output = 8192 }]
        windows = [{ period = "day", limit = 1000000, zone = "Asia/Shanghai" }]
        "#,
    )
    .unwrap();
    let platform = catalogue.platform("deepseek").unwrap();
    assert_eq!(platform.default_model.as_deref(), Some("deepseek-chat"));
    let model = platform.model("deepseek-chat").unwrap();
    let reach = model.reach(DialectName::OpenaiChat).unwrap();
    assert_eq!(reach.url, "https://api.deepseek.com/v1/chat/completions");
    assert!(reach.is_plain);
    let zone = "Asia/Shanghai".to_owned();
    let window = WindowSpec {
        period: Period::Day { zone },
        limit: Some(Tokens(1_000_000)),
        origin: Origin::Catalogue,
    };
    assert_eq!(platform.windows, [window]);
    let face = platform.face(None).unwrap();
    assert!(!face.errors.is_empty() && face.own_codes);
}

#[test]
fn a_base_url_alone_keeps_the_models_and_moves_all_of_them() {
    let catalogue = load("[platforms.spark]\nbase_url = 'http://127.0.0.1:9/sim/v1'").unwrap();
    let spark = catalogue.platform("spark").unwrap();
    let url = |name: &str| {
        spark.model(name).unwrap().reach(DialectName::OpenaiChat).unwrap().url.to_string()
    };
    assert_eq!(url("lite"), "http://127.0.0.1:9/sim/v1/chat/completions");
    assert_eq!(url("spark-x"), "http://127.0.0.1:9/sim/v2/chat/completions");
}

#[test]
fn a_model_with_a_host_of_its_own_moves_with_its_face_alone() {
    let reached = |catalogue: &Catalogue| {
        let spark = catalogue.platform("spark").unwrap();
        let model = spark.model("imagev3").unwrap();
        assert!(model.reach(DialectName::OpenaiChat).is_none());
        let reach = model.reach(DialectName::SparkWs).unwrap();
        assert!(spark.may_be_sent_to(&reach.url));
        reach.url.to_string()
    };
    let own = "wss://spark-api.cn-huabei-1.xf-yun.com/v2.1/image";
    assert_eq!(reached(&built_in()), own);
    let http = load("[platforms.spark]\nbase_url = 'https://proxy.test/v1'").unwrap();
    assert_eq!(reached(&http), own);
    let socket = "[platforms.spark.faces.spark_ws]\nbase_url = 'wss://proxy.test'";
    assert_eq!(reached(&load(socket).unwrap()), "wss://proxy.test/v2.1/image");
}

#[test]
fn a_second_face_is_like_the_first_and_has_a_base_of_its_own() {
    let catalogue = load(
        "[platforms.qwen]
         base_url = 'http://127.0.0.1:9/compatible-mode/v1'
         faces.dashscope.base_url = 'http://127.0.0.1:8/api/v1'
         faces.openai_chat.request.drop = ['user']
         models = [{ name = 'mine', upstream = 'qwen3-vl-tuned' }]",
    )
    .unwrap();
    let qwen = catalogue.platform("qwen").unwrap();
    let usual = qwen.face(None).unwrap();
    let native = qwen.face(Some(DialectName::Dashscope)).unwrap();
    assert_eq!(usual.dialect, DialectName::OpenaiChat);
    assert_eq!(native.errors.len(), usual.errors.len());
    assert_eq!(native.request.drop, ["user"]);
    let url =
        |name: &str, dialect| qwen.model(name).unwrap().reach(dialect).unwrap().url.to_string();
    let text = "http://127.0.0.1:8/api/v1/services/aigc/text-generation/generation";
    assert_eq!(url("qwen-plus", DialectName::Dashscope), text);
    assert_eq!(url("mine", DialectName::Dashscope), text.replace("text", "multimodal"));
    assert_eq!(
        url("mine", DialectName::OpenaiChat),
        "http://127.0.0.1:9/compatible-mode/v1/chat/completions"
    );
}

#[test]
fn an_entry_can_be_changed_in_part() {
    let catalogue = load(
        "[platforms.qwen]
         windows = [{ period = '5h', limit = 5 }, { period = '7d' }]
         on_hangup = 'drain'
         models = [{ name = 'qwen-plus', max_output = 7 }, { name = 'mine', upstream = 'ft-1' }]",
    )
    .unwrap();
    let qwen = catalogue.platform("qwen").unwrap();
    assert_eq!(qwen.on_hangup, Some(Hangup::Drain));
    assert_eq!(qwen.windows.len(), 2);
    let plus = qwen.model("qwen-plus").unwrap();
    assert_eq!((plus.context, plus.max_output), (Some(1_000_000), Some(7)));
    assert_eq!(hops(&catalogue, "mine"), ["qwen/ft-1"]);
    assert_eq!(hops(&catalogue, "qwen-flash"), ["qwen/qwen-flash"]);
}

#[test]
fn an_alias_is_an_ordered_chain() {
    let catalogue = load(
        "[aliases]
         smart = ['qwen3-max', 'glm/glm-5.2', 'gpt-4']
         fast = 'qwen-flash'
         gpt-4 = 'glm-4.7'",
    )
    .unwrap();
    assert_eq!(hops(&catalogue, "smart"), ["qwen/qwen3-max", "glm/glm-5.2", "openai/gpt-5.4"]);
    assert_eq!(hops(&catalogue, "fast"), ["qwen/qwen-flash"]);
    // The operator's word wins over a retired name.
    assert_eq!(hops(&catalogue, "gpt-4"), ["glm/glm-4.7"]);
    assert_eq!(catalogue.aliases().count(), 3);
}

#[test]
fn a_header_that_carries_a_secret_is_refused_without_it() {
    for name in
        ["Authorization", "x-api-key", "Api-Key", "x-goog-api-key", "Cookie", "X-Auth-Token"]
    {
        let text = format!(
            "[platforms.mine]\nbase_url = 'https://x.test/v1'\nheaders = {{ {name} = 'hunter2' }}"
        );
        let said = load(&text).unwrap_err()[0].to_string();
        assert!(said.contains("account add --key-file") && !said.contains("hunter2"), "{said}");
    }
    load("[platforms.mine]\nbase_url = 'https://x.test/v1'\nheaders = { X-Region = 'cn' }")
        .unwrap();
}

#[test]
fn a_models_own_address_speaks_what_platforms_speak() {
    let of_path = |path: &str| {
        load(&format!(
            "[platforms.mine]\nbase_url = 'https://x.test/v1'\nmodels = [{{ name = 'm', path = '{path}' }}]"
        ))
    };
    assert!(of_path("wss://y.test/v2/chat").is_ok() && of_path("../v2/chat").is_ok());
    let refused = of_path("ftp://y.test/v2/chat").unwrap_err();
    assert!(refused[0].to_string().contains("is no address of a platform"), "{}", refused[0]);
}

#[test]
fn every_mistake_is_found_and_named() {
    let mistakes = load(
        "[platforms.qwen]
         colour = 'blue'
         [platforms.Bad]
         base_url = 'https://x/v1'
         [platforms.empty]
         [platforms.glm]
         base_url = 'ftp://x'
         windows = [{ period = 'hourly' }]
         [platforms.openai]
         default_face = 'telepathy'
         [platforms.spark]
         retired = { old = 'nowhere' }
         [platforms.claude]
         faces.openai_chat = { base_url = 'https://x/v1', like = 'telepathy' }
         [aliases]
         qwen-plus = 'qwen-flash'
         lost = 'no-such-model'
         none = []",
    )
    .unwrap_err();
    let said: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    for (path, words) in [
        ("platforms.qwen:", "colour"),
        ("platforms.Bad:", "a-z"),
        ("platforms.empty:", "base_url"),
        ("platforms.glm.faces.openai_chat:", "ftp://x"),
        ("platforms.glm.windows:", "5h"),
        ("platforms.openai:", "telepathy"),
        ("platforms.spark.retired.old:", "nowhere"),
        ("platforms.claude.faces.openai_chat:", "telepathy"),
        ("aliases.qwen-plus:", "always win"),
        ("aliases.lost:", "no-such-model"),
        ("aliases.none:", "nowhere"),
    ] {
        let found = said.iter().any(|said| said.starts_with(path) && said.contains(words));
        assert!(found, "{path} {words}: {said:#?}");
    }
}
