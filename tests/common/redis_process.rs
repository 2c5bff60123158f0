//! A `redis-server` that ends with this process, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::super::redis_ready::is_ready;

/// Starts a server, says its pid, and waits to be told to leave the folder; told nothing,
/// as when the tests end, it kills the server and takes the folder away.
const GUARD: &str = r#"
folder=$1; shift
"$@" >"$folder/log" 2>&1 &
echo $!
read -r word
kill -9 $!
[ "$word" = keep ] || rm -rf "$folder"
"#;

pub struct Process {
    pub port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    running: Mutex<Running>,
}

struct Running {
    guard: Child,
    pid: u32,
}

impl Process {
    /// Starts a server on a port, with these arguments, in a folder of its own.
    pub fn start(port: u16, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap().keep(), port, arguments)
    }

    /// As [`Process::start`], in this folder.
    pub fn start_in(folder: PathBuf, port: u16, arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|&one| one.to_owned()).collect();
        let running = Mutex::new(spawn(&folder, &arguments));
        let process = Self { port, folder, arguments, running };
        process.wait();
        process
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Starts it again, with the files that it left. Kills it first, if it runs.
    pub fn restart(&self) {
        let mut running = self.running.lock().unwrap();
        // The guard kills what it started; the folder stays.
        _ = running.guard.stdin.take().unwrap().write_all(b"keep\n");
        running.guard.wait().unwrap();
        *running = spawn(&self.folder, &self.arguments);
        drop(running);
        self.wait();
    }

    pub fn freeze(&self) {
        self.signal("STOP");
    }

    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.running.lock().unwrap().pid.to_string();
        // It may have ended already.
        _ = Command::new("kill").args([&format!("-{name}"), &pid]).stderr(Stdio::null()).status();
    }

    fn wait(&self) {
        for _ in 0..2000 {
            if is_ready(self.port) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("redis-server does not start: {log}");
    }
}

fn spawn(folder: &Path, arguments: &[String]) -> Running {
    let mut guard = Command::new("sh")
        .args(["-c", GUARD, "sh"])
        .arg(folder)
        .arg("redis-server")
        .args(arguments)
        .args(["--dir", folder.to_str().unwrap()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut pid = String::new();
    BufReader::new(guard.stdout.take().unwrap()).read_line(&mut pid).unwrap();
    Running { guard, pid: pid.trim().parse().unwrap() }
}

impl Drop for Process {
    fn drop(&mut self) {
        let running = self.running.get_mut().unwrap();
        drop(running.guard.stdin.take());
        _ = running.guard.wait();
    }
}

/// Ports that are free now, each given once, below those that connections go out from.
pub fn free_ports<const N: usize>() -> [u16; N] {
    const FIRST: u32 = 18_000;
    const COUNT: u32 = 14_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(101);
    std::array::from_fn(|_| {
        loop {
            let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::SeqCst));
            let port = u16::try_from(FIRST + next % COUNT).unwrap();
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

/// What every server is told.
pub const PLAIN: [&str; 6] = ["--bind", "127.0.0.1", "--save", "", "--protected-mode", "no"];
