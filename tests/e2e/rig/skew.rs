//! Processes whose wall clock is wrong, by Debian's `faketime`. What measures durations stays
//! as it is: no two machines' differ in that.

use std::process::Command;
use std::sync::LazyLock;

/// How many seconds a clock is ahead; below zero: behind.
#[derive(Clone, Copy, Debug)]
pub struct Skew(pub i64);

impl Skew {
    /// The environment of a process of ours.
    pub fn of_gateway(self) -> Vec<(&'static str, String)> {
        self.with(library().to_owned())
    }

    /// The environment of a server of Debian's. Its allocator asks for the time before the
    /// library that answers is ready, and waits for itself: the C library's is put before it.
    pub fn of_server(self) -> Vec<(&'static str, String)> {
        self.with(format!("{}:libc.so.6", library()))
    }

    fn with(self, libraries: String) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", libraries),
            ("FAKETIME", format!("{:+}s", self.0)),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ]
    }
}

/// Where the library lies is what `faketime` itself tells its child.
fn library() -> &'static str {
    static LIBRARY: LazyLock<String> = LazyLock::new(|| {
        let told = Command::new("faketime")
            .args(["-f", "+0s", "sh", "-c", "echo \"$LD_PRELOAD\""])
            .output()
            .expect("faketime is installed");
        String::from_utf8(told.stdout).unwrap().trim().to_owned()
    });
    &LIBRARY
}
