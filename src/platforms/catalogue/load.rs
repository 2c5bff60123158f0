//! From TOML to platforms: merge, read, check, join.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use toml::{Table, Value};
use url::Url;

use super::entry::{FaceEntry, ModelEntry, PlatformEntry, WindowEntry};
use super::platform::family;
use super::{CatalogueError, Face, Model, Platform, Reach, merge, origins};
use crate::accounts::{Origin, Period, Tokens, WindowSpec};
use crate::platforms::DialectName;
use crate::platforms::rules::{ErrorRule, LimitRule};

/// The built-in platforms, in the catalogue's order.
const BUILT_IN: [(&str, &str); 6] = [
    ("qwen", include_str!("qwen.toml")),
    ("openai", include_str!("openai.toml")),
    ("glm", include_str!("glm.toml")),
    ("spark", include_str!("spark.toml")),
    ("claude", include_str!("claude.toml")),
    ("ernie", include_str!("ernie.toml")),
];

/// Every platform, and every mistake in the operator's tables.
pub(super) fn platforms(
    operator: &Table,
    mistakes: &mut Vec<CatalogueError>,
) -> Vec<Arc<Platform>> {
    let built_in = built_in();
    let common = Common::of(&built_in);
    let mut tables = built_in.clone();
    match operator.get("platforms") {
        None => {}
        Some(Value::Table(theirs)) => {
            for (id, table) in theirs {
                lay_over(&mut tables, id, table, mistakes);
            }
        }
        Some(_) => mistakes.push(mistake("platforms", "expected a table of platforms")),
    }
    let read = |(id, table): (String, Value)| match read(&id, table, &common) {
        Ok(platform) => Some(Arc::new(platform)),
        Err(more) => {
            mistakes.extend(more);
            // So that aliases are judged by what is there without the mistake.
            let (_, table) = built_in.iter().find(|(there, _)| *there == id)?;
            self::read(&id, table.clone(), &common).ok().map(Arc::new)
        }
    };
    tables.into_iter().filter_map(read).collect()
}

fn built_in() -> Vec<(String, Value)> {
    let read = |(id, text): &(&str, &str)| {
        let table = text.parse().expect("the built-in catalogue is TOML, as its test proves");
        ((*id).to_owned(), Value::Table(table))
    };
    BUILT_IN.iter().map(read).collect()
}

/// OpenAI's tables, which hold for every platform that brings none.
#[derive(Default)]
struct Common {
    errors: Vec<ErrorRule>,
    limits: Vec<LimitRule>,
}

impl Common {
    fn of(tables: &[(String, Value)]) -> Self {
        let (_, openai) = tables.iter().find(|(id, _)| id == "openai").expect("openai is built in");
        let mut openai = openai.clone();
        merge::fill_in(&mut openai).expect("the built-in faces are like others that are there");
        let entry: PlatformEntry = openai.try_into().expect("the built-in catalogue reads");
        let face = entry.faces.into_iter().find(|(dialect, _)| *dialect == DialectName::OpenaiChat);
        let Some((_, face)) = face else { return Self::default() };
        let (errors, limits) = (face.errors, face.limits);
        Self { errors: errors.unwrap_or_default(), limits: limits.unwrap_or_default() }
    }
}

fn lay_over(
    tables: &mut Vec<(String, Value)>,
    id: &str,
    theirs: &Value,
    mistakes: &mut Vec<CatalogueError>,
) {
    let path = format!("platforms.{id}");
    let Value::Table(theirs) = theirs else {
        return mistakes.push(mistake(path, "expected a table"));
    };
    // An id stands in model names (`ID/MODEL`), in Redis keys and in headers.
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-'
    };
    if id.is_empty() || id == "account" || !id.bytes().all(fits) {
        return mistakes.push(mistake(path, "a platform's name is of a-z, 0-9, _ and -"));
    }
    let built_in = tables.iter_mut().find(|(there, _)| there == id);
    let usual = built_in.as_ref().and_then(|(_, table)| usual_face(table));
    let mut theirs = theirs.clone();
    merge::spell_out(&mut theirs, usual.as_deref().unwrap_or("openai_chat"));
    match built_in {
        Some((_, base)) => {
            merge::move_models(base, &theirs);
            merge::lay(base, Value::Table(theirs));
        }
        None => tables.push((id.to_owned(), Value::Table(theirs))),
    }
}

fn usual_face(table: &Value) -> Option<String> {
    let named = table.get("default_face").and_then(Value::as_str);
    let only = || table.get("faces")?.as_table()?.keys().next().map(String::as_str);
    named.or_else(only).map(str::to_owned)
}

/// Reads one platform and notes every mistake in it.
fn read(id: &str, mut table: Value, common: &Common) -> Result<Platform, Vec<CatalogueError>> {
    let path = format!("platforms.{id}");
    merge::fill_in(&mut table)
        .map_err(|(face, why)| vec![mistake(format!("{path}.faces.{face}"), why)])?;
    let mut entry: PlatformEntry = table
        .try_into()
        .map_err(|error: toml::de::Error| vec![mistake(&path, error.to_string().trim())])?;
    let mut mistakes = Vec::new();
    let faces = read_faces(&mut entry, &path, common, &mut mistakes);
    let windows = read_windows(&entry.windows, &path, &mut mistakes);
    let models = read_models(&mut entry, &faces, &path, &mut mistakes);
    let api_origins = match entry.api_origins.take() {
        None => origins::of(&faces, &models),
        Some(listed) => origins::listed(&listed, &faces, &models, &path, &mut mistakes),
    };
    let mut retired = Vec::new();
    for (name, successor) in entry.retired {
        match models.iter().find(|model| model.name == successor) {
            Some(model) => retired.push((Arc::from(name), Arc::clone(model))),
            None => mistakes.push(mistake(
                format!("{path}.retired.{name}"),
                format!("no model is named `{successor}`"),
            )),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    Ok(Platform {
        id: id.to_owned(),
        name: entry.name.unwrap_or_else(|| id.to_owned()),
        default_model: entry.default_model.or_else(|| Some(models.first()?.name.clone())),
        windows,
        on_hangup: entry.on_hangup,
        vocabulary: entry.tokenizer.unwrap_or_default(),
        api_origins,
        faces,
        models,
        retired,
        families: entry.families,
    })
}

fn read_faces(
    entry: &mut PlatformEntry,
    path: &str,
    common: &Common,
    mistakes: &mut Vec<CatalogueError>,
) -> Vec<Arc<Face>> {
    if entry.faces.is_empty() {
        mistakes.push(mistake(path, "a platform needs a base_url, or faces"));
    }
    let mut faces = Vec::new();
    let tables: Vec<_> = entry.faces.iter().map(|(name, it)| (*name, it.errors.clone())).collect();
    for (dialect, mut face) in std::mem::take(&mut entry.faces) {
        if let Some(other) = face.errors_as {
            let table = tables.iter().find(|(name, _)| *name == other);
            let rows = table.and_then(|(_, rows)| rows.clone()).unwrap_or_default();
            face.errors.get_or_insert_default().extend(rows);
        }
        match read_face(dialect, face, common) {
            Ok(face) => faces.push(Arc::new(face)),
            Err(message) => {
                mistakes.push(mistake(format!("{path}.faces.{}", dialect.as_str()), message));
            }
        }
    }
    if let Some(usual) = entry.default_face {
        faces.sort_by_key(|face| face.dialect != usual);
    }
    faces
}

fn read_windows(
    entries: &[WindowEntry],
    path: &str,
    mistakes: &mut Vec<CatalogueError>,
) -> Vec<WindowSpec> {
    let mut windows = Vec::new();
    for window in entries {
        match read_window(window) {
            Ok(window) => windows.push(window),
            Err(message) => mistakes.push(mistake(format!("{path}.windows"), message)),
        }
    }
    if windows.is_empty() {
        let period = Period::Day { zone: "UTC".to_owned() };
        windows.push(WindowSpec { period, limit: None, origin: Origin::Catalogue });
    }
    windows
}

fn read_models(
    entry: &mut PlatformEntry,
    faces: &[Arc<Face>],
    path: &str,
    mistakes: &mut Vec<CatalogueError>,
) -> Vec<Arc<Model>> {
    let mut models = Vec::new();
    for model in std::mem::take(&mut entry.models) {
        let place = || format!("{path}.models.{}", model.name);
        if model.name.is_empty() || model.name.starts_with("account:") {
            let message = "a model's name is not empty and does not begin with `account:`";
            mistakes.push(mistake(place(), message));
        }
        let traits = model.traits.over(&family(&entry.families, &model.name));
        let mut reach = Vec::new();
        for face in faces.iter().filter(|face| traits.reaches(face.dialect)) {
            match address(&model, face) {
                Ok(url) => reach.push(Reach::new(face, url, &traits)),
                Err(message) => mistakes.push(mistake(place(), message)),
            }
        }
        models.push(Arc::new(Model {
            upstream: model.upstream.unwrap_or_else(|| model.name.clone()).into(),
            name: model.name,
            context: model.context,
            max_output: model.max_output,
            sees: model.sees.or(traits.sees),
            price: model.price,
            // Another vendor's model is counted by another vocabulary.
            vocabulary: model
                .tokenizer
                .or(entry.tokenizer.filter(|_| !model.guest))
                .unwrap_or_default(),
            listed: true,
            guest: model.guest,
            reach,
        }));
    }
    models
}

fn read_face(dialect: DialectName, face: FaceEntry, common: &Common) -> Result<Face, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in face.headers {
        let name: HeaderName = name.parse().map_err(|_| format!("`{name}` is no header's name"))?;
        if holds_secret(&name) {
            return Err(format!(
                "header `{name}` carries a credential, and files get copied: bind it to an \
                 account by `tributary account add --key-file FILE`"
            ));
        }
        let value: HeaderValue =
            value.parse().map_err(|_| format!("the value of header `{name}` is none"))?;
        headers.insert(name, value);
    }
    for path in face.paths.iter().map(|row| row.path.as_str()).chain([dialect.path()]) {
        join(&face.base_url, path)?;
    }
    let mut credential = face.credential;
    credential.settle(|address| join(&face.base_url, address))?;
    let own = Face {
        dialect,
        base_url: plain(&face.base_url)?,
        credential,
        headers,
        request: face.request,
        answer: face.answer,
        own_codes: face.own_codes.unwrap_or(face.errors.is_none()),
        errors: face.errors.unwrap_or_else(|| common.errors.clone()),
        limits: face.limits.unwrap_or_else(|| common.limits.clone()),
        param_names: face.param_names,
        paths: face.paths,
        login: None,
    };
    let login = face.login.map(|request| Arc::new(Face { request, ..own.clone() }));
    Ok(Face { login, ..own })
}

/// Whether a header's name says that its value is a secret: those are sealed, and never
/// stand in a file.
fn holds_secret(name: &HeaderName) -> bool {
    const WORDS: [&str; 8] =
        ["authorization", "auth-", "-auth", "cookie", "key", "token", "secret", "password"];
    WORDS.iter().any(|word| name.as_str().contains(word))
}

fn read_window(window: &WindowEntry) -> Result<WindowSpec, String> {
    let period = Period::named(&window.period);
    let period =
        match (period.ok_or("a period is `day`, or a length as `5h` or `7d`")?, &window.zone) {
            (Period::Day { .. }, Some(zone)) => Period::Day { zone: zone.clone() },
            (Period::FromFirstUse { .. }, Some(_)) => {
                return Err("a zone belongs to a `day`".to_owned());
            }
            (period, None) => period,
        };
    Ok(WindowSpec { period, limit: window.limit.map(Tokens), origin: Origin::Catalogue })
}

fn address(model: &ModelEntry, face: &Face) -> Result<Uri, String> {
    let own = model.faces.get(&face.dialect).cloned().unwrap_or_default();
    let faces = face.base_url.to_string();
    let base = own.base_url.as_ref().or(model.base_url.as_ref()).unwrap_or(&faces);
    let path = own.path.as_deref().or(model.path.as_deref());
    let upstream = model.upstream.as_ref().unwrap_or(&model.name);
    join(base, path.unwrap_or_else(|| face.path(upstream)))
}

/// An address as the `url` crate writes it: no default port.
fn plain(base: &str) -> Result<Uri, String> {
    let wrong = || "base_url is no URL".to_owned();
    let url: Url = base.parse().map_err(|_| wrong())?;
    url.as_str().parse().map_err(|_| wrong())
}

/// The address of a path under a base. A relative path may leave the base's last
/// segment (`../v2/chat/completions`), so that a model moves with its platform when
/// the operator sets another base.
pub(super) fn join(base: &str, path: &str) -> Result<Uri, String> {
    let wrong = |error: url::ParseError| format!("`{base}` is no base URL: {error}");
    let base = Url::parse(&format!("{}/", base.trim_end_matches('/'))).map_err(wrong)?;
    let speaks = |url: &Url| matches!(url.scheme(), "http" | "https" | "ws" | "wss");
    if !speaks(&base) || !base.has_host() {
        return Err(format!("`{base}` is no address of a platform"));
    }
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() {
        return Err("a base URL has no user, password or query".to_owned());
    }
    let full = base.join(path.trim_start_matches('/')).map_err(|error| error.to_string())?;
    // A path may be an address of its own.
    if !speaks(&full) {
        return Err(format!("`{full}` is no address of a platform"));
    }
    full.as_str().parse().map_err(|_| format!("`{full}` is no address"))
}

pub(super) fn mistake(path: impl Into<String>, message: impl Into<String>) -> CatalogueError {
    CatalogueError { path: path.into(), message: message.into() }
}
