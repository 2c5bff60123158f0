//! Files that hold a secret: their owner's alone.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Mistake, Mistakes, Where};

/// Reads a file that holds `what`, which nobody else may read.
pub(super) fn read(file: &Path, what: &str) -> Result<Zeroizing<String>, Mistakes> {
    let wrong = |why: String, fix: String| -> Mistakes {
        let at = Where::File { file: file.to_owned(), line: None };
        Mistake { at, key: String::new(), what: why, fix }.into()
    };
    let unreadable = |error: io::Error| {
        wrong(format!("{what} can't be read: {error}"), "check its path and its owner".to_owned())
    };
    let readers = fs::metadata(file).map_err(unreadable).map(|about| others_that_read(&about))?;
    if let Some(others) = readers {
        let fix = format!("run: chmod 600 {}", file.display());
        return Err(wrong(format!("{others} may read {what}"), fix));
    }
    fs::read_to_string(file).map(Zeroizing::new).map_err(unreadable)
}

/// Who else may read a file. Root's group is nobody else: a credential that systemd
/// hands to a service by an access list shows its mask there.
fn others_that_read(about: &fs::Metadata) -> Option<&'static str> {
    match about.mode() & 0o077 {
        mode if mode & 0o007 != 0 => Some("everybody"),
        mode if mode & 0o070 != 0 && about.gid() != 0 => Some("its group"),
        _ => None,
    }
}
