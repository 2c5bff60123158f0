//! Masking: a platform's error may repeat the credential that it was sent, as it was
//! or encoded. Nobody sees such a body before it went through here.
//!
//! A secret is found raw, JSON- or percent-escaped (twice over, in any mixture of
//! escapes and either case of hex digits), and inside base64 of either alphabet at any
//! offset. The work is linear in the text: its sender may be hostile.

mod needles;
mod views;

use std::borrow::Cow;

use memchr::memmem;
use needles::needles;
use views::{View, views};

/// Shorter values are no secrets, and masking them would eat the text.
const SHORTEST: usize = 4;

/// Replaces each secret in `text`: one of 20 characters or more by its first and last
/// four, a shorter one by `***`. Values shorter than four bytes are left alone.
pub fn mask<'t>(text: &'t str, secrets: &[&str]) -> Cow<'t, str> {
    let mut hits = Vec::new();
    for view in views(text) {
        for (secret, value) in secrets.iter().enumerate() {
            if value.len() >= SHORTEST {
                find(&view, secret, value, &mut hits);
            }
        }
    }
    if hits.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(replace(text, hits, secrets)) }
}

/// A secret found: where in the text, and which one.
struct Hit {
    start: usize,
    end: usize,
    /// `None` where several overlap.
    secret: Option<usize>,
}

fn find(view: &View<'_>, secret: usize, value: &str, hits: &mut Vec<Hit>) {
    for needle in needles(value) {
        for at in memmem::find_iter(view.bytes(), needle.bytes.as_slice()) {
            let range = needle.whole(view.bytes(), at);
            let (start, end) = view.source(range);
            hits.push(Hit { start, end, secret: Some(secret) });
        }
    }
}

fn replace(text: &str, mut hits: Vec<Hit>, secrets: &[&str]) -> String {
    hits.sort_by_key(|hit| (hit.start, std::cmp::Reverse(hit.end)));
    let mut merged: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match merged.last_mut() {
            Some(last) if hit.end <= last.end => {}
            Some(last) if hit.start < last.end => {
                last.end = hit.end;
                last.secret = last.secret.filter(|secret| Some(*secret) == hit.secret);
            }
            _ => merged.push(hit),
        }
    }
    let mut masked = String::with_capacity(text.len());
    let mut from = 0;
    for hit in merged {
        let end = text.ceil_char_boundary(hit.end);
        masked.push_str(&text[from..text.floor_char_boundary(hit.start).max(from)]);
        match hit.secret.and_then(|secret| secrets.get(secret)).and_then(|s| ends(s)) {
            Some((first, last)) => masked.extend([first, "***", last]),
            None => masked.push_str("***"),
        }
        from = end;
    }
    masked.push_str(&text[from..]);
    masked
}

/// The ends that may be shown: of a long secret, and where they need no escape, so that
/// a masked JSON text is still JSON.
fn ends(secret: &str) -> Option<(&str, &str)> {
    if secret.chars().count() < 20 {
        return None;
    }
    let (first, last) = (secret.get(..4)?, secret.get(secret.len() - 4..)?);
    let plain = |end: &str| end.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (plain(first) && plain(last)).then_some((first, last))
}

#[cfg(test)]
mod tests;
