//! A folder with a configuration, and the binary run in it with no other environment.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub struct Rig {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a command came to.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Rig {
    /// A folder with this `gateway.toml`, and a key ring in the environment.
    pub fn new(config: &str) -> Self {
        let mut rig = Self::without_keys(config);
        let keys = rig.run(&["keys", "generate"]).ok().out.trim().to_owned();
        rig.set("TRIBUTARY_MASTER_KEYS", &keys);
        rig
    }

    /// The same without a key ring.
    pub fn without_keys(config: &str) -> Self {
        let rig = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        rig.write("gateway.toml", config);
        rig
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.retain(|(name, _)| name != variable);
        self.variables.push((variable.into(), value.into()));
    }

    pub fn unset(&mut self, variable: &str) {
        self.variables.retain(|(name, _)| name != variable);
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn run(&self, words: &[&str]) -> Done {
        self.run_with(words, "")
    }

    /// Runs a command with this on its standard input.
    pub fn run_with(&self, words: &[&str], input: &str) -> Done {
        let mut child = self.command(words).stdin(Stdio::piped()).spawn().unwrap();
        // A command that reads nothing may have gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Done::of(child.wait_with_output().unwrap())
    }

    /// Starts a command that goes on.
    pub fn start(&self, words: &[&str]) -> Running {
        self.start_in(words, Vec::new())
    }

    /// As [`Rig::start`], with more in its environment.
    pub fn start_in(&self, words: &[&str], more: Vec<(&str, String)>) -> Running {
        let mut command = self.command(words);
        Running(Some(command.envs(more).stdin(Stdio::null()).spawn().unwrap()))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tributary"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Done {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// It must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    #[track_caller]
    pub fn json(self) -> Value {
        let done = self.ok();
        serde_json::from_str(&done.out).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }

    /// All that it wrote.
    pub fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }
}

/// A command that goes on; killed when it is dropped.
pub struct Running(Option<Child>);

impl Running {
    pub fn id(&self) -> i32 {
        self.0.as_ref().unwrap().id().try_into().unwrap()
    }

    /// Tells it to end, and waits.
    pub fn terminate(mut self) -> Done {
        let process = rustix::process::Pid::from_raw(self.id()).unwrap();
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        Done::of(self.0.take().unwrap().wait_with_output().unwrap())
    }

    /// Its first line on standard output.
    pub fn first_line(&mut self) -> String {
        first(self.0.as_mut().unwrap().stdout.take().unwrap())
    }

    /// Its first line on standard error.
    #[allow(dead_code, reason = "the end-to-end tests use it")]
    pub fn first_told(&mut self) -> String {
        first(self.0.as_mut().unwrap().stderr.take().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn first(stream: impl std::io::Read) -> String {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line
}
