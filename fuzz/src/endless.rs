//! A stream that never ends: the same event again and again.

use bytes::Bytes;

use super::asked::in_dialect;

/// Feeds so many bytes of this event to every attempt in this dialect, each alive until all are
/// fed; `check` is told who is being fed, before and after.
pub fn feed(dialect: &str, event: &[u8], bytes: usize, mut check: impl FnMut(&str, bool)) {
    let piece = Bytes::from(event.repeat((64 << 10) / event.len() + 1));
    for asked in in_dialect(dialect) {
        check(&asked.name, false);
        let mut exchange = asked.begin();
        let mut fed = 0;
        while fed < bytes {
            fed += piece.len();
            if exchange.feed(piece.clone()).end.is_some() {
                break;
            }
        }
        check(&asked.name, true);
    }
}
