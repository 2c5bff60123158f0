//! Redis in several processes: a master with a replica that Sentinels watch, and a Cluster.

#![allow(dead_code, reason = "each test binary uses its part")]

#[path = "redis_process.rs"]
mod process;

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use process::PLAIN;
pub use process::{Process, free_ports};

const DATABASES: u32 = 4096;

/// A master and a replica, and three Sentinels that agree by two.
pub struct Watched {
    pub servers: [Process; 2],
    sentinels: [Process; 3],
    databases: AtomicU32,
}

impl Watched {
    /// The set that tests share; each takes a database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Watched> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn start() -> Self {
        let [master, replica, ports @ ..] = free_ports::<5>();
        let databases = DATABASES.to_string();
        let server = |port: u16, more: &[&str]| {
            let port_text = port.to_string();
            let own = ["--port", &port_text, "--databases", &databases, "--appendonly", "yes"];
            let quick = ["--repl-diskless-sync-delay", "0", "--repl-timeout", "5"];
            Process::start(port, &[&PLAIN[..], &own, &quick, more].concat())
        };
        let first = server(master, &[]);
        let second = server(replica, &["--replicaof", "127.0.0.1", &master.to_string()]);
        until("the replica follows", || info(replica, "master_link_status") == "up");
        let sentinels = ports.map(|port| sentinel(port, master));
        for port in ports {
            until("the Sentinels know each other", || {
                let told = cli(port, &["SENTINEL", "MASTER", "main"]);
                let after = |key: &str| told.lines().skip_while(|line| *line != key).nth(1);
                after("num-other-sentinels") == Some("2") && after("num-slaves") == Some("1")
            });
        }
        Self { servers: [first, second], sentinels, databases: AtomicU32::new(0) }
    }

    /// The URL of a database that no test has used.
    pub fn fresh_url(&self) -> String {
        let database = self.databases.fetch_add(1, Ordering::SeqCst);
        assert!(database < DATABASES);
        let hosts = self.sentinels.each_ref().map(|one| format!("127.0.0.1:{}", one.port));
        format!("redis+sentinel://{}/main/{database}", hosts.join(","))
    }

    /// Waits until every Sentinel takes this one for the master: one that comes back before
    /// may go on as a master, and nobody tells it otherwise.
    pub fn agree_on(&self, port: u16) {
        let port = port.to_string();
        until("the Sentinels agree", || {
            self.sentinels.iter().all(|sentinel| {
                let told = cli(sentinel.port, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]);
                told.lines().nth(1) == Some(&port)
            })
        });
    }

    /// The server that is the master now.
    pub fn master(&self) -> &Process {
        let is_master = |one: &&Process| info(one.port, "role") == "master";
        self.servers.iter().find(is_master).expect("one is the master")
    }
}

fn sentinel(port: u16, master: u16) -> Process {
    let folder = tempfile::tempdir().unwrap().keep();
    let file = folder.join("sentinel.conf");
    let text = format!(
        "port {port}\nbind 127.0.0.1\nprotected-mode no\n\
         sentinel monitor main 127.0.0.1 {master} 2\n\
         sentinel down-after-milliseconds main 2500\n\
         sentinel failover-timeout main 3000\n"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap().to_owned();
    Process::start_in(folder, port, &[&file, "--sentinel"])
}

/// Masters of a Cluster, each with so many replicas.
pub struct Cluster {
    pub nodes: Vec<Process>,
}

impl Cluster {
    /// The three masters that tests share: one test at a time.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(0))
    }

    /// Three masters.
    pub fn start(replicas: usize) -> Self {
        let ports = free_ports::<12>();
        let node = |pair: &[u16]| {
            let (port, bus) = (pair[0].to_string(), pair[1].to_string());
            let own = ["--port", &port, "--cluster-enabled", "yes", "--cluster-port", &bus];
            let quick = ["--cluster-node-timeout", "3000", "--appendonly", "yes"];
            let sync =
                ["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"];
            Process::start(pair[0], &[&PLAIN[..], &own, &quick, &sync].concat())
        };
        let nodes: Vec<Process> = ports.chunks(2).take(3 * (1 + replicas)).map(node).collect();
        let hosts: Vec<String> =
            nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let replicas_text = replicas.to_string();
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(&hosts)
            .args(["--cluster-replicas", &replicas_text, "--cluster-yes"])
            .output()
            .expect("redis-cli is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        for node in &nodes {
            until("the Cluster is whole", || {
                cli(node.port, &["CLUSTER", "INFO"]).contains("cluster_state:ok")
            });
            until("every node knows the replicas", || {
                let told = cli(node.port, &["CLUSTER", "NODES"]);
                told.lines().filter(|line| line.contains("slave")).count() == 3 * replicas
            });
            until("replicas follow", || {
                info(node.port, "role") == "master" || info(node.port, "master_link_status") == "up"
            });
        }
        Self { nodes }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.nodes.iter().take(3).map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The master of a key's slot, and its replica, once the nodes agree.
    pub fn shard_of(&self, key: &str) -> [&Process; 2] {
        let mut shard = None;
        until("the shard has a master and a replica", || {
            shard = self.shard_now(key);
            shard.is_some()
        });
        shard.unwrap()
    }

    fn shard_now(&self, key: &str) -> Option<[&Process; 2]> {
        let ask = |words: &[&str]| cli(self.nodes[0].port, words);
        let slot: u16 = ask(&["CLUSTER", "KEYSLOT", key]).trim().parse().ok()?;
        let told = ask(&["CLUSTER", "NODES"]);
        // `id host:port@bus flags master ping pong epoch state slots…`
        let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split(' ').collect()).collect();
        let holds = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let ends = first.parse::<u16>().ok().zip(last.parse::<u16>().ok());
            ends.is_some_and(|(first, last)| (first..=last).contains(&slot))
        };
        let has_slot = |line: &&Vec<&str>| line.iter().skip(8).any(|range| holds(range));
        let master = lines.iter().find(has_slot)?;
        let replica = lines.iter().find(|line| line.get(3) == master.first())?;
        let node = |line: &[&str]| {
            let port = line.get(1)?.split('@').next()?.rsplit(':').next()?;
            self.nodes.iter().find(|node| node.port.to_string() == port)
        };
        let shard = [node(master)?, node(replica)?];
        (info(shard[0].port, "role") == "master" && info(shard[1].port, "role") == "slave")
            .then_some(shard)
    }

    /// Forgets all that earlier tests wrote.
    pub fn clear(&self) {
        for node in &self.nodes {
            cli(node.port, &["FLUSHALL"]);
        }
    }
}

/// What a server says to a command.
pub fn cli(port: u16, words: &[&str]) -> String {
    let port = port.to_string();
    let said = Command::new("redis-cli").args(["-p", &port]).args(words).output();
    String::from_utf8_lossy(&said.expect("redis-cli is installed").stdout).replace('\r', "")
}

/// Waits until a master's replica has all that was written so far.
pub fn until_shared(master: &Process) {
    // What `WAIT` waits for is what there was at its own connection's last command.
    until("the replica has all", || cli_all(master.port, "PING\nWAIT 1 1000\n").ends_with("\n1"));
}

/// What a server says to commands on one connection.
pub fn cli_all(port: u16, lines: &str) -> String {
    let mut child = Command::new("redis-cli")
        .args(["-p", &port.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-cli is installed");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap().stdout;
    String::from_utf8_lossy(&said).replace('\r', "").trim().to_owned()
}

/// One line of a server's `INFO`.
pub fn info(port: u16, key: &str) -> String {
    let told = cli(port, &["INFO"]);
    let line = told.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.unwrap_or_default().to_owned()
}

/// Waits until something holds.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("in vain: {what}");
}
