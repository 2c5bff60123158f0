//! Where a platform's credentials may go: to these origins, and nowhere else.

use std::sync::Arc;

use http::Uri;
use url::Url;

use super::load::mistake;
use super::{CatalogueError, Face, Model};

/// The origins of a platform's own addresses.
pub(super) fn of(faces: &[Arc<Face>], models: &[Arc<Model>]) -> Vec<Uri> {
    let mut origins = Vec::new();
    for address in addresses(faces, models) {
        if let Some(origin) = origin(address)
            && !origins.contains(&origin)
        {
            origins.push(origin);
        }
    }
    origins
}

/// The origins that the operator lists. Every address must have one of them.
pub(super) fn listed(
    listed: &[String],
    faces: &[Arc<Face>],
    models: &[Arc<Model>],
    path: &str,
    mistakes: &mut Vec<CatalogueError>,
) -> Vec<Uri> {
    let place = format!("{path}.api_origins");
    let mut origins = Vec::new();
    for text in listed {
        match read(text) {
            Some(origin) => origins.push(origin),
            None => {
                mistakes.push(mistake(&place, format!("`{text}` is no origin, as https://HOST")))
            }
        }
    }
    if origins.len() == listed.len() {
        for missing in of(faces, models).into_iter().filter(|origin| !origins.contains(origin)) {
            let missing = missing.to_string();
            let missing = missing.trim_end_matches('/');
            let message =
                format!("an address of the platform is at {missing}, which is not listed");
            mistakes.push(mistake(&place, message));
        }
    }
    origins
}

fn addresses<'a>(
    faces: &'a [Arc<Face>],
    models: &'a [Arc<Model>],
) -> impl Iterator<Item = &'a Uri> {
    let own = faces.iter().map(|face| &face.base_url);
    let issuers = faces.iter().flat_map(|face| face.credential.addresses());
    let reached = models.iter().flat_map(|model| &model.reach).map(|reach| &reach.url);
    own.chain(issuers).chain(reached)
}

/// An address without its path, as the `url` crate writes it: no default port.
fn origin(address: &Uri) -> Option<Uri> {
    let url: Url = address.to_string().parse().ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}/", url.scheme(), url.host_str()?).parse().ok()
}

fn read(text: &str) -> Option<Uri> {
    let url: Url = text.parse().ok()?;
    let is_bare = matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let is_spoken = matches!(url.scheme(), "http" | "https" | "ws" | "wss");
    if is_bare && is_spoken { origin(&text.parse().ok()?) } else { None }
}

#[cfg(test)]
mod tests {
    use crate::platforms::Catalogue;

    fn load(more: &str) -> Result<Catalogue, String> {
        let catalogue = Catalogue::load(&more.parse().unwrap());
        catalogue.map_err(|errors| errors.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_credential_goes_to_its_platforms_own_addresses_alone() {
        let catalogue = load("").unwrap();
        let ernie = catalogue.platform("ernie").unwrap();
        for (address, may) in [
            ("https://qianfan.baidubce.com/v2/chat/completions", true),
            ("https://qianfan.baidubce.com/anything", true),
            ("https://iam.bj.baidubce.com/v1/BCE-BEARER/token", true),
            ("http://qianfan.baidubce.com/v2/chat/completions", false),
            ("https://qianfan.baidubce.com:8443/v2/chat/completions", false),
            ("https://qianfan.baidubce.com.evil.test/v2/chat/completions", false),
            ("https://dashscope.aliyuncs.com/api/v1/tokens", false),
            ("/v2/chat/completions", false),
        ] {
            assert_eq!(ernie.may_be_sent_to(&address.parse().unwrap()), may, "{address}");
        }
        // Moved with its platform, and the default port is none.
        let moved = "[platforms.openai]\nbase_url = 'https://gw.test:443/v1'";
        let moved = load(moved).unwrap();
        let openai = moved.platform("openai").unwrap();
        let model = &openai.models[0].reach[0].url;
        assert!(openai.may_be_sent_to(model), "{model}");
        assert!(!openai.may_be_sent_to(&"https://api.openai.com/v1".parse().unwrap()));
    }

    #[test]
    fn an_address_outside_of_the_origins_listed_is_a_mistake() {
        let listed = |list: &str| format!("[platforms.ernie]\napi_origins = {list}");
        let both = "['https://qianfan.baidubce.com', 'https://iam.bj.baidubce.com/']";
        assert!(load(&listed(both)).is_ok());
        let error = load(&listed("['https://qianfan.baidubce.com']")).unwrap_err();
        assert_eq!(
            error,
            "platforms.ernie.api_origins: an address of the platform is at \
             https://iam.bj.baidubce.com, which is not listed"
        );
        for wrong in ["'qianfan'", "'https://a/b'", "'https://u:p@a'", "'ftp://a'"] {
            let error = load(&listed(&format!("[{wrong}]"))).unwrap_err();
            assert!(error.contains("is no origin"), "{error}");
        }
    }

    #[test]
    fn issuers_and_schemes_that_cannot_work_are_mistakes() {
        let ernie = "[[platforms.ernie.faces.openai_chat.credential.also]]\n";
        for (more, what) in [
            ("name = 'baidu_iam'\nissuer = { life = 60 }", "lives 300 to 2592000 seconds"),
            ("name = 'baidu_iam'\nissuer = { url = 'https://u:p@[' }", "invalid"),
            ("scheme = 'bearer'\nname = ''", "has a name of its own"),
        ] {
            let error = load(&format!("{ernie}{more}")).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
        // The address alone, and the rest stays.
        let own = "name = 'baidu_iam'\nissuer = { url = 'http://127.0.0.1:9/v1/BCE-BEARER/token' }";
        let catalogue = load(&format!("{ernie}{own}")).unwrap();
        let ernie = catalogue.platform("ernie").unwrap();
        assert!(ernie.may_be_sent_to(&"http://127.0.0.1:9/".parse().unwrap()));
        assert!(
            ernie.may_be_sent_to(&"https://iam.bj.baidubce.com/".parse().unwrap()),
            "baidu_key"
        );
    }
}
