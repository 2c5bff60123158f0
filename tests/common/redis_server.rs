//! A Redis server of the tests' own.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::redis_ready::is_ready;

/// A server that ends with its last user.
pub struct Server {
    child: Mutex<Child>,
    port: u16,
    databases: AtomicU32,
    memory: Memory,
    environment: Vec<(&'static str, String)>,
    folder: tempfile::TempDir,
}

/// What a server knows after it was stopped and started again.
#[derive(Clone, Copy)]
pub enum Memory {
    /// Nothing.
    Lost,
    /// All that it acknowledged.
    Kept,
}

/// More than there are tests.
const DATABASES: u32 = 4096;

impl Server {
    /// The server that all tests share; each takes a database of its own.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    pub fn start() -> Self {
        Self::with(Memory::Lost)
    }

    pub fn with(memory: Memory) -> Self {
        Self::start_in(memory, Vec::new())
    }

    /// A server with this in its environment.
    pub fn start_in(memory: Memory, environment: Vec<(&'static str, String)>) -> Self {
        // The port is free now; another process may be faster, so more than one is tried.
        for _ in 0..10 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let folder = tempfile::tempdir().unwrap();
            let mut child = spawn(port, folder.path(), memory, &environment);
            if answers(&mut child, port) {
                let databases = AtomicU32::new(0);
                let child = Mutex::new(child);
                return Self { child, port, databases, memory, environment, folder };
            }
        }
        panic!("redis-server does not start");
    }

    /// The URL of a database that no test has used.
    pub fn fresh_url(&self) -> String {
        let database = self.databases.fetch_add(1, Ordering::SeqCst);
        assert!(database < DATABASES);
        format!("redis://127.0.0.1:{}/{database}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn stop(&self) {
        let mut child = self.child.lock().unwrap();
        // It may have ended already.
        _ = child.kill();
        _ = child.wait();
    }

    /// Lets it stand still, as a machine does that is out of memory, or go on.
    pub fn freeze(&self, frozen: bool) {
        let pid = self.child.lock().unwrap().id().to_string();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Kills it if it runs, and starts it again on the same port.
    pub fn restart(&self) {
        self.stop();
        let mut child = spawn(self.port, self.folder.path(), self.memory, &self.environment);
        assert!(answers(&mut child, self.port), "redis-server does not start again");
        *self.child.lock().unwrap() = child;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(
    port: u16,
    folder: &std::path::Path,
    memory: Memory,
    environment: &[(&str, String)],
) -> Child {
    let port = port.to_string();
    let databases = DATABASES.to_string();
    let append = match memory {
        Memory::Lost => "no",
        // Written before it is acknowledged: only a power cut could lose it.
        Memory::Kept => "yes",
    };
    Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", append])
        .args(["--databases", &databases])
        .arg("--dir")
        .arg(folder)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is installed")
}

fn answers(child: &mut Child, port: u16) -> bool {
    for _ in 0..1000 {
        if is_ready(port) {
            return child.try_wait().unwrap().is_none();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
