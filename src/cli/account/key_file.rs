//! Reading a credential: from a file or standard input, into memory that is wiped.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::Failure;

/// The longest credential; a service account's key file has a few KB.
const MOST_BYTES: usize = 64 * 1024;

/// Reads a key file; `-` is standard input.
pub(in super::super) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let name =
        if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    let failed = |error: io::Error| Failure::Io { what: format!("the key file {name}"), error };
    if path == Path::new("-") {
        read_from(io::stdin().lock()).map_err(failed)
    } else {
        File::open(path).and_then(read_from).map_err(failed)
    }
}

fn read_from(source: impl Read) -> io::Result<Zeroizing<String>> {
    // Room for all of it at once: a growing buffer would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST_BYTES + 1));
    source.take(MOST_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MOST_BYTES {
        return Err(io::Error::other(format!("it is longer than {MOST_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_as_it_is_and_a_film_is_not() {
        assert_eq!(read_from(&b"sk-1\n"[..]).unwrap().as_str(), "sk-1\n");
        assert!(read_from(vec![b'a'; MOST_BYTES].as_slice()).is_ok());
        assert!(read_from(vec![b'a'; MOST_BYTES + 1].as_slice()).is_err());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read(Path::new("no/such.key")).unwrap_err().to_string();
        assert!(error.starts_with("the key file no/such.key: "), "{error}");
    }
}
