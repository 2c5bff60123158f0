//! Where Redis is: one server, a master that Sentinel watches, or a Cluster.
//!
//! | URL | is |
//! | --- | --- |
//! | `redis://[USER:PASSWORD@]HOST[:PORT][/DB]` | one server |
//! | `redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB]` | the master of that name; the hosts are Sentinels |
//! | `redis+cluster://[USER:PASSWORD@]HOST[:PORT],…` | a Cluster; some of its nodes |
//!
//! `rediss…` is the same over TLS, to Sentinels too. USER and PASSWORD are Redis' own;
//! those of the Sentinels, where they have any, follow as
//! `?sentinel_username=…&sentinel_password=…`.

use std::path::Path;

use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError,
    TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;

use super::super::{Answer, StoreError};
use super::succession::Succession;
use super::wire::{ANSWER_WITHIN, CONNECT_WITHIN, QUEUED, Wire};

const SENTINELS_PORT: u16 = 26_379;

/// How often a command is sent again within a Cluster that is finding its masters.
const CLUSTER_RETRIES: u32 = 4;
const CLUSTER_RETRY_WAIT_MS: (u64, u64) = (20, 200);

/// Where Redis is.
pub(super) enum Address {
    Server(Box<Client>),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster(Box<ClusterClient>),
}

impl Address {
    /// Reads a URL; `ca_file` is what TLS trusts instead of the system's authorities.
    ///
    /// # Errors
    /// `StoreError::Unusable` when either can't be used. The URL may hold a password, so
    /// it is not shown.
    pub(super) fn read(url: &str, ca_file: Option<&Path>) -> Answer<Self> {
        let certificates = ca_file.map(certificates).transpose()?;
        match Form::of(url)? {
            Form::Server => server(url, certificates).map_err(|error| unusable(&error)),
            Form::Sentinel(set) => sentinel(&set, certificates),
            Form::Cluster(set) => cluster(&set, certificates),
        }
    }

    /// Connects to what is the master now.
    pub(super) async fn connect(&self, succession: &Succession) -> Result<Wire, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(ANSWER_WITHIN))
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_pipeline_buffer_size(QUEUED);
        let client = match self {
            Self::Cluster(client) => {
                let term = succession.term();
                return Ok(Wire::to_cluster(client.get_async_connection().await?, term));
            }
            Self::Server(client) => (**client).clone(),
            Self::Sentinel(sentinel) => named(sentinel).await?,
        };
        let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        Wire::to_server(connection, client.get_connection_info().addr().clone(), succession).await
    }

    /// Where Sentinels say that the master is; `None` where there are none.
    pub(super) async fn named(&self) -> Result<Option<ConnectionAddr>, RedisError> {
        let Self::Sentinel(sentinel) = self else { return Ok(None) };
        named(sentinel).await.map(|client| Some(client.get_connection_info().addr().clone()))
    }
}

/// The master that Sentinels name. It is asked itself, too: one that is none any more is no
/// answer.
async fn named(sentinel: &Mutex<SentinelClient>) -> Result<Client, RedisError> {
    sentinel.lock().await.async_get_client().await
}

/// Whether a store's URL holds a password, in any of its places.
pub(in super::super) fn holds_password(url: &str) -> bool {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = before.split_once("://").map_or("", |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let credentials = authority.rsplit_once('@').map_or("", |(credentials, _)| credentials);
    let password = credentials.split_once(':').map_or("", |(_, password)| password);
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    !password.is_empty() || pairs.any(|(key, value)| key.contains("password") && !value.is_empty())
}

/// The forms of a URL.
enum Form {
    Server,
    Sentinel(Set),
    Cluster(Set),
}

/// Several hosts, each as a URL that the library reads.
struct Set {
    nodes: Vec<ConnectionInfo>,
    tls: bool,
    /// What follows the hosts: a master's name.
    master: String,
    /// The Sentinels' own user and password.
    own: [Option<String>; 2],
}

impl Form {
    fn of(url: &str) -> Answer<Self> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (scheme, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        if !["redis", "rediss"].contains(&scheme) {
            return Err(no_store());
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (format!("{credentials}@"), hosts),
            None => (String::new(), authority),
        };
        let (master, database) = match kind {
            "" => return Ok(Self::Server),
            "sentinel" => path.split_once('/').unwrap_or((path, "")),
            _ => ("", path),
        };
        let node = |host: &str| {
            let port = if has_port(host) || kind == "cluster" {
                String::new()
            } else {
                format!(":{SENTINELS_PORT}")
            };
            let url = format!("{scheme}://{credentials}{host}{port}/{database}");
            url.into_connection_info().map_err(|error| unusable(&error))
        };
        let nodes = hosts.split(',').map(node).collect::<Answer<Vec<_>>>()?;
        let set = Set { nodes, tls: scheme == "rediss", master: master.into(), own: own(query)? };
        match kind {
            "sentinel" if set.master.is_empty() => Err(StoreError::Unusable(
                "the store's url names no master: redis+sentinel://HOST,HOST/MASTER".into(),
            )),
            "sentinel" => Ok(Self::Sentinel(set)),
            "cluster" if set.own.iter().all(Option::is_none) => Ok(Self::Cluster(set)),
            _ => Err(no_store()),
        }
    }
}

/// An IPv6 address in brackets has colons of its own.
fn has_port(host: &str) -> bool {
    host.rsplit(']').next().unwrap_or_default().contains(':')
}

fn own(query: &str) -> Answer<[Option<String>; 2]> {
    let mut own = [None, None];
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "sentinel_username" => own[0] = Some(value.into_owned()),
            "sentinel_password" => own[1] = Some(value.into_owned()),
            _ => {
                return Err(StoreError::Unusable(
                    "the store's url asks for what we don't know".into(),
                ));
            }
        }
    }
    Ok(own)
}

fn server(url: &str, certificates: Option<TlsCertificates>) -> Result<Address, RedisError> {
    let client = match certificates {
        Some(certificates) if url.starts_with("rediss:") => {
            Client::build_with_tls(url, certificates)
        }
        _ => Client::open(url),
    };
    client.map(|client| Address::Server(Box::new(client)))
}

fn sentinel(set: &Set, certificates: Option<TlsCertificates>) -> Answer<Address> {
    let build = || {
        let sentinels = set.nodes.iter().map(|node| node.addr().clone());
        let mut builder =
            SentinelClientBuilder::new(sentinels, &set.master, SentinelServerType::Master)?;
        if let Some(redis) = set.nodes.first().map(ConnectionInfo::redis_settings) {
            builder = builder.set_client_to_redis_db(redis.db());
            if let Some(user) = redis.username() {
                builder = builder.set_client_to_redis_username(user);
            }
            if let Some(password) = redis.password() {
                builder = builder.set_client_to_redis_password(password);
            }
        }
        let [user, password] = &set.own;
        if let Some(user) = user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if set.tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            if let Some(certificates) = certificates {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates);
            }
        }
        builder.build()
    };
    let client = build().map_err(|error: RedisError| unusable(&error))?;
    Ok(Address::Sentinel(Box::new(Mutex::new(client))))
}

fn cluster(set: &Set, certificates: Option<TlsCertificates>) -> Answer<Address> {
    let (least, most) = CLUSTER_RETRY_WAIT_MS;
    let mut builder = ClusterClient::builder(set.nodes.clone())
        .connection_timeout(CONNECT_WITHIN)
        .response_timeout(ANSWER_WITHIN)
        .retries(CLUSTER_RETRIES)
        .min_retry_wait(least)
        .max_retry_wait(most);
    if let Some(certificates) = certificates.filter(|_| set.tls) {
        builder = builder.certs(certificates);
    }
    let client = builder.build().map_err(|error| unusable(&error))?;
    Ok(Address::Cluster(Box::new(client)))
}

fn certificates(file: &Path) -> Answer<TlsCertificates> {
    let unreadable = |error: std::io::Error| {
        StoreError::Unusable(format!("[store] ca_file {}: {error}", file.display()))
    };
    let root_cert = Some(std::fs::read(file).map_err(unreadable)?);
    Ok(TlsCertificates { client_tls: None, root_cert })
}

fn unusable(error: &RedisError) -> StoreError {
    StoreError::Unusable(format!("the store's url can't be used: {}", error.category()))
}

/// The URL names no store that we know; it may hold a password, so it is not shown.
pub(in super::super) fn no_store() -> StoreError {
    StoreError::Unusable(
        "the store's url must be sqlite:FILE, redis://HOST:PORT/DB, \
         redis+sentinel://HOST,HOST/MASTER, redis+cluster://HOST,HOST or rediss… of these"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_seen_wherever_it_stands() {
        for (url, holds) in [
            ("redis://:secret@127.0.0.1/0", true),
            ("rediss+sentinel://user:se%3Acret@a:1,b:2/main", true),
            ("redis+sentinel://a,b/main?sentinel_password=x", true),
            ("redis+cluster://user:s@cret@a:1,b", true),
            ("redis+cluster://user@a:1,b:2", false),
            ("redis://user:@127.0.0.1", false),
            ("redis+sentinel://a:1,b:2/main", false),
            ("sqlite:a:b@c.db", false),
        ] {
            assert_eq!(holds_password(url), holds, "{url}");
        }
    }

    #[test]
    fn urls_of_every_form_are_read() {
        for url in [
            "redis://127.0.0.1",
            "redis://gateway:pass%40word@[::1]:7000/3",
            "rediss://cache.example:6380",
            "redis+sentinel://10.0.0.1,10.0.0.2:26380,[::1]/main/2",
            "rediss+sentinel://gateway:secret@a,b/main?sentinel_username=s&sentinel_password=p",
            "redis+cluster://gateway:secret@10.0.0.1:7000,10.0.0.2,10.0.0.3:7002",
            "rediss+cluster://a,b,c",
        ] {
            assert!(Address::read(url, None).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_url_that_means_nothing_is_refused_without_being_shown() {
        for url in [
            "redis+sentinel://gateway:hunter2@a,b",
            "redis+sentinel://gateway:hunter2@a,b/main?quorum=2",
            "redis+cluster://gateway:hunter2@a:port,b",
            "redis+cluster://gateway:hunter2@a?sentinel_password=hunter2",
            "redis+ring://gateway:hunter2@a,b",
            "redis://gateway:hunter2@a/zero",
            "memcached://gateway:hunter2@a",
        ] {
            let refused = Address::read(url, None).err().map(|error| error.to_string());
            let refused = refused.unwrap_or_else(|| panic!("{url} was taken"));
            assert!(!refused.contains("hunter2"), "{refused}");
        }
        let missing = Address::read("rediss://a", Some(Path::new("no/such.pem"))).err().unwrap();
        assert!(missing.to_string().starts_with("[store] ca_file no/such.pem: "), "{missing}");
    }
}
