//! The ways to Redis: over TLS, as a user of its access list, to each form of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tributary::accounts::{Charge, Tokens};
use tributary::store::redis::{Options, RedisStore};
use tributary::store::{Settings, StoreError};

use crate::rig::{NOON, Process, Rig, clock_at, free_ports, reads, until};

/// What the README tells to give a gateway.
const USER: &str = "--user gateway on >hunter2hunter2 ~* +@all -@dangerous +info +role";

/// An authority, and a certificate of it for this machine.
struct Papers(tempfile::TempDir);

impl Papers {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost";
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let openssl = |words: &[&str]| {
            let done = Command::new("openssl").args(words).current_dir(folder.path()).output();
            succeeded(done.expect("openssl is installed"));
        };
        let ca = ["req", "-x509", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem"];
        openssl(&[&ca[..], &key].concat());
        let own = ["req", "-x509", "-subj", "/CN=redis", "-CA", "ca.pem", "-CAkey", "ca.key"];
        let leaf = ["-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"];
        let files = ["-keyout", "redis.key", "-out", "redis.pem"];
        openssl(&[&own[..], &leaf, &files, &key].concat());
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn ca(&self) -> PathBuf {
        self.0.path().join("ca.pem")
    }

    /// A server that takes nothing but TLS.
    fn start(&self, port: u16, more: &str) -> Process {
        let (port_text, ca) = (port.to_string(), self.file("ca.pem"));
        let (cert, key) = (self.file("redis.pem"), self.file("redis.key"));
        let tls = ["--tls-port", &port_text, "--port", "0", "--tls-ca-cert-file", &ca];
        let own = ["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"];
        let plain = ["--bind", "127.0.0.1", "--save", ""];
        let more: Vec<&str> = more.split(' ').collect();
        Process::start(port, &[&tls[..], &own, &plain, &more].concat())
    }

    fn cli(&self, port: u16, words: &[&str]) -> String {
        let (port, ca) = (port.to_string(), self.file("ca.pem"));
        let base = ["-p", &port, "--tls", "--cacert", &ca];
        let done = Command::new("redis-cli").args(base).args(words).output();
        succeeded(done.expect("redis-cli is installed"))
    }
}

fn succeeded(done: Output) -> String {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

async fn it_serves(url: &str, ca_file: &Path) {
    let clock = clock_at(NOON);
    let ca_file = Some(ca_file.to_owned());
    let options = Options { clock: Some(reads(&clock)), ca_file, ..Options::default() };
    let rig = Rig::on(RedisStore::open(url, options).await.unwrap(), clock);
    let ann = rig.user().await;
    let one = rig.account(&ann, 1000).await;
    let held = rig.ask(&ann, 10).held().await;
    rig.settle(&held, Charge::Exact(Tokens(9))).await;
    rig.sweep().await;
    assert_eq!(rig.used(&ann, one).await, 9);
    assert_eq!(rig.store.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_is_reached_over_tls_as_a_user_of_its_own() {
    let papers = Papers::new();
    let [port] = free_ports();
    let _server = papers.start(port, &format!("{USER} --user default off"));
    let host = format!("127.0.0.1:{port}");
    it_serves(&format!("rediss://gateway:hunter2hunter2@{host}/0"), &papers.ca()).await;

    // An authority that nobody trusts, another password, and no TLS.
    let ca_file = Some(papers.ca());
    for (url, ca_file) in [
        (format!("rediss://gateway:hunter2hunter2@{host}/0"), None),
        (format!("rediss://gateway:hunter2hunter3@{host}/0"), ca_file.clone()),
        (format!("redis://gateway:hunter2hunter2@{host}/0"), ca_file),
    ] {
        let settings = Settings { url, ca_file, ..Settings::default() };
        let refused = tributary::store::open(&settings).await.err().unwrap();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused:?}");
        assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");
    }
}

#[tokio::test]
async fn sentinels_and_their_master_are_reached_over_tls_as_users_of_their_own() {
    let papers = Papers::new();
    let [port, sentinels_port] = free_ports();
    let _server = papers.start(port, USER);
    let folder = tempfile::tempdir().unwrap().keep();
    let text = format!(
        "port 0\ntls-port {sentinels_port}\nbind 127.0.0.1\ntls-replication yes\n\
         tls-ca-cert-file {}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients no\n\
         user default off\nuser watcher on >hunter3hunter3 &* +@all\n\
         sentinel monitor main 127.0.0.1 {port} 1\n",
        papers.file("ca.pem"),
        papers.file("redis.pem"),
        papers.file("redis.key"),
    );
    let file = folder.join("sentinel.conf");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let _sentinel = Process::start_in(folder, sentinels_port, &[&file, "--sentinel"]);
    let url = format!(
        "rediss+sentinel://gateway:hunter2hunter2@127.0.0.1:{sentinels_port}/main/0\
         ?sentinel_username=watcher&sentinel_password=hunter3hunter3"
    );
    it_serves(&url, &papers.ca()).await;
}

#[tokio::test]
async fn a_cluster_is_reached_over_tls_as_a_user_of_its_own() {
    let papers = Papers::new();
    let [port, bus] = free_ports();
    let own = format!("--cluster-enabled yes --tls-cluster yes --cluster-port {bus} {USER}");
    let _node = papers.start(port, &own);
    papers.cli(port, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    until("it is whole", || papers.cli(port, &["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    let url = format!("rediss+cluster://gateway:hunter2hunter2@127.0.0.1:{port}");
    it_serves(&url, &papers.ca()).await;
}
