//! A key ring that a program prints: the client of a KMS. It is run without a shell, and
//! what it prints on standard output is the ring.
//!
//! A failure names the program and never its output. Of what it said on standard error
//! the end is told, with everything masked that is long enough to be a key.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

use crate::vault::mask;

/// How long a program may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The most that it may print, in bytes.
const LONGEST: usize = 64 << 10;
/// How much of its standard error is looked at, in bytes, and told, in characters.
const LOOKED_AT: usize = 4096;
const TOLD: usize = 400;
/// The shortest run of base64 that may hold 32 bytes, but for what a typing error took.
const KEY_LIKE: usize = 32;

/// A program with its arguments.
pub(super) struct RingCommand {
    program: String,
    arguments: Vec<String>,
}

impl RingCommand {
    /// Reads a line as a shell would split it, quotes included; nothing is expanded.
    /// What is wrong with it is answered in words.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let words = shlex::split(line).ok_or("the quotes of its command do not match")?;
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty());
        let program = program.ok_or("its command names no program")?;
        Ok(Self { program, arguments: words.collect() })
    }

    /// The program, once it is known to be one: it was started.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// What it prints, if it ends well and in time. Else nothing of it is left running.
    pub(super) async fn run(&self, patience: Duration) -> Result<Zeroizing<String>, String> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("`{}` can't be started: {error}", self.unproved()))?;
        let program = &self.program;
        let ended = match tokio::time::timeout(patience, end_of(&mut child)).await {
            Ok(ended) => ended.map_err(|error| format!("`{program}` failed: {error}")),
            Err(_) => Err(format!("`{program}` did not end within {} s", patience.as_secs())),
        };
        let Ended { status, out, err } = ended.inspect_err(|_| kill_all(&child))?;
        if !status.success() {
            let said = said(&err, &out);
            let said = if said.is_empty() { " nothing".into() } else { format!(": {said}") };
            return Err(format!("`{program}` failed ({status}) and said{said}"));
        }
        let text = std::str::from_utf8(&out);
        let text = text.map_err(|_| format!("`{program}` printed what is no text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The program that could not be started: where it may be a key that was pasted behind
    /// `command:`, its ends alone.
    fn unproved(&self) -> String {
        let is_of_keys = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_,:".contains(&byte);
        let may_be_key = self.program.len() >= KEY_LIKE && self.program.bytes().all(is_of_keys);
        match may_be_key {
            true => mask(&self.program, &[&self.program]).into_owned(),
            false => self.program.clone(),
        }
    }
}

/// What a program came to.
struct Ended {
    status: ExitStatus,
    out: Zeroizing<Vec<u8>>,
    err: Zeroizing<Vec<u8>>,
}

async fn end_of(child: &mut Child) -> io::Result<Ended> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    // Waited for last: until then its id, by which all of it is ended, is nobody else's.
    let (out, err) = tokio::try_join!(read(out), read(err))?;
    Ok(Ended { status: child.wait().await?, out, err })
}

/// Reads to the end, into room that is there: a Vec that grows leaves copies of keys.
async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST + 64));
    if let Some(pipe) = pipe {
        pipe.take(LONGEST as u64 + 1).read_to_end(&mut text).await?;
    }
    if text.len() > LONGEST {
        return Err(io::Error::other("it printed more than 64 KB"));
    }
    Ok(text)
}

/// Ends a program and what it started.
fn kill_all(child: &Child) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        let _ = kill_process_group(group, Signal::KILL); // It may have ended by itself.
    }
}

/// The end of a complaint, in one line, without what may be a key.
fn said(err: &[u8], out: &[u8]) -> String {
    let (from, is_cut) = (err.len().saturating_sub(LOOKED_AT), err.len() > LOOKED_AT);
    let whole = String::from_utf8_lossy(err.get(from..).unwrap_or_default());
    // A word that was cut may be the rest of a key.
    let after_cut = || whole.split_once(char::is_whitespace).map_or("", |(_, rest)| rest);
    let text = if is_cut { after_cut() } else { &*whole };
    let printed = Zeroizing::new(String::from_utf8_lossy(out).into_owned());
    let mut secrets: Vec<&str> = key_like(text, KEY_LIKE).collect();
    secrets.extend(key_like(&printed, 8));
    let masked = mask(text, &secrets);
    let words: Vec<&str> = masked.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let skipped = line.chars().count().saturating_sub(TOLD);
    line.chars().skip(skipped).collect()
}

/// The runs of base64's characters that are that long.
fn key_like(text: &str, shortest: usize) -> impl Iterator<Item = &str> {
    let is_of_keys = |c: char| c.is_ascii_alphanumeric() || "+/=-_".contains(c);
    text.split(move |c: char| !is_of_keys(c)).filter(move |run| run.len() >= shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    async fn run(line: &str) -> Result<String, String> {
        run_within(line, PATIENCE).await
    }

    async fn run_within(line: &str, patience: Duration) -> Result<String, String> {
        RingCommand::parse(line)?.run(patience).await.map(|text| text.to_string())
    }

    #[tokio::test]
    async fn what_a_program_prints_is_taken_and_no_shell_reads_the_line() {
        let told = run(r#"printf '%s|' "a b" $HOME *.toml ; true"#).await;
        assert_eq!(told.unwrap(), "a b|$HOME|*.toml|;|true|");
    }

    #[tokio::test]
    async fn a_failure_names_the_program_and_masks_what_it_said() {
        let line = format!("sh -c 'echo k:{KEY}; echo no access with {KEY} >&2; exit 3'");
        let told = run(&line).await.unwrap_err();
        assert_eq!(told, "`sh` failed (exit status: 3) and said: no access with ***");
        let silent = run("false").await.unwrap_err();
        assert_eq!(silent, "`false` failed (exit status: 1) and said nothing");
    }

    #[tokio::test]
    async fn a_long_complaint_is_told_by_its_end() {
        let line = format!("sh -c 'yes {KEY} | head -n 200 >&2; echo the end >&2; exit 1'");
        let told = run(&line).await.unwrap_err();
        assert!(told.ends_with("the end") && told.len() < 500, "{told}");
        assert!(!told.contains(&KEY[4..12]) && !told.contains(&KEY[30..38]), "{told}");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let line = format!("sh -c 'sleep 600 & echo $! > {}; wait'", file.display());
        let told = run_within(&line, Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(told, "`sh` did not end within 1 s");
        let started = std::fs::read_to_string(file).unwrap();
        let stat = format!("/proc/{}/stat", started.trim());
        // Whoever adopted it may not have buried it yet.
        let ended = async {
            while std::fs::read_to_string(&stat).is_ok_and(|told| !told.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(5), ended).await.expect("it was killed");
    }

    #[tokio::test]
    async fn a_program_that_prints_without_end_is_ended() {
        let told = run("yes").await.unwrap_err();
        assert_eq!(told, "`yes` failed: it printed more than 64 KB");
    }

    #[tokio::test]
    async fn a_line_that_starts_nothing_is_told_and_a_pasted_key_is_not() {
        let told = run("/no/such/kms-client --key x").await.unwrap_err();
        assert!(told.starts_with("`/no/such/kms-client` can't be started: No such file"), "{told}");
        for pasted in [format!("{KEY},other:{KEY}"), format!("{KEY} , other:x"), KEY.into()] {
            let told = run(&pasted).await.unwrap_err();
            assert!(!told.contains(&KEY[4..12]), "{told}");
        }
        assert!(run("").await.unwrap_err().contains("names no program"));
        assert!(run("kms 'open").await.unwrap_err().contains("quotes"));
    }
}
