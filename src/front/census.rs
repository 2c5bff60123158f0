//! Bytes by class: the estimate of a prompt without a tokenizer.
//!
//! Tokens are estimated as bytes of each class times a factor learned per model.
//! Base64 (images, sound, files) is no text and is not counted; images are
//! counted as such. JSON's own punctuation counts: the learned factor knows it.

use std::ops::AddAssign;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2, memmem};

/// Searches prepared once for the whole process.
struct Finders {
    image: Finder<'static>,
    sound: Finder<'static>,
    base64: Finder<'static>,
    escape: Finder<'static>,
}

static FINDERS: LazyLock<Finders> = LazyLock::new(|| Finders {
    image: Finder::new("\"image_url\""),
    sound: Finder::new("\"input_audio\""),
    base64: Finder::new(";base64,"),
    escape: Finder::new("\\u"),
});

/// How many bytes of each class a text has, and how many images stand in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteCensus {
    /// Bytes below 0x80.
    pub ascii: u64,
    /// Bytes of Chinese, Japanese, Korean characters and full-width forms (three each).
    pub cjk: u64,
    /// All other bytes.
    pub other: u64,
    /// Images, by part, not by byte.
    pub images: u64,
}

impl AddAssign for ByteCensus {
    fn add_assign(&mut self, more: ByteCensus) {
        self.ascii += more.ascii;
        self.cjk += more.cjk;
        self.other += more.other;
        self.images += more.images;
    }
}

impl ByteCensus {
    /// No byte at all.
    pub const NOTHING: Self = Self { ascii: 0, cjk: 0, other: 0, images: 0 };

    /// Counts UTF-8 text.
    pub fn of_text(text: &[u8]) -> ByteCensus {
        if text.is_ascii() {
            return ByteCensus { ascii: text.len() as u64, ..ByteCensus::NOTHING };
        }
        let (mut ascii, mut cjk_leads) = (0, 0);
        // Short runs with narrow counters, so that the compiler can use whole vectors.
        for run in text.chunks(128) {
            ascii += u64::from(run.iter().map(|byte| u8::from(*byte < 0x80)).sum::<u8>());
            cjk_leads += u64::from(run.iter().map(|byte| u8::from(leads_cjk(*byte))).sum::<u8>());
        }
        let cjk = (cjk_leads * 3).min(text.len() as u64 - ascii);
        ByteCensus { ascii, cjk, other: text.len() as u64 - ascii - cjk, images: 0 }
    }

    /// Counts the text of a JSON string (without its quotes): `\uXXXX` counts as
    /// the character it stands for.
    pub fn of_json_text(text: &[u8]) -> ByteCensus {
        let mut census = ByteCensus::of_text(text);
        if memchr(b'\\', text).is_none() {
            return census;
        }
        for at in FINDERS.escape.find_iter(text) {
            // Clients that escape what is not ASCII would else look twice as dear.
            let wide = match text.get(at + 2) {
                Some(b'3'..=b'9' | b'a'..=b'd' | b'A'..=b'D') => &mut census.cjk,
                Some(_) => &mut census.other,
                None => continue,
            };
            *wide += 3;
            census.ascii = census.ascii.saturating_sub(6);
        }
        census
    }

    /// Counts JSON text as it stands in a request: base64 is left out, images are counted.
    pub fn of_json(json: &[u8]) -> ByteCensus {
        if !may_have_media(json) {
            return ByteCensus::of_json_text(json);
        }
        let mut census = ByteCensus { images: images(json), ..ByteCensus::default() };
        for run in text_runs(json) {
            census += ByteCensus::of_json_text(run);
        }
        census
    }
}

/// JSON text without its base64, in pieces: joined they are JSON still.
pub fn text_runs(json: &[u8]) -> Vec<&[u8]> {
    let mut runs = Vec::with_capacity(1);
    let mut done = 0;
    for blob in base64_starts(json) {
        if let Some(text) = json.get(done..blob) {
            runs.push(text);
            done = blob + memchr(b'"', &json[blob..]).unwrap_or(json.len() - blob);
        }
    }
    runs.push(&json[done..]);
    runs
}

/// Leads a character from U+3000 to U+D7FF, or a full-width form. In UTF-8 these
/// bytes are never in a character's middle.
fn leads_cjk(byte: u8) -> bool {
    matches!(byte, 0xE3..=0xED | 0xEF)
}

/// Whether there may be anything but text: what tells of it is written with one of two signs
/// that prose seldom has.
fn may_have_media(json: &[u8]) -> bool {
    memchr2(b'_', b';', json).is_some()
}

fn images(json: &[u8]) -> u64 {
    let key = &FINDERS.image;
    key.find_iter(json)
        .filter(|at| {
            // As a key, not as the value of `type`.
            let after = json[at + key.needle().len()..].trim_ascii_start();
            after.first() == Some(&b':')
        })
        .count() as u64
}

/// Where runs of base64 begin, in order.
fn base64_starts(json: &[u8]) -> Vec<usize> {
    /// `"input_audio":{"format":"wav","data":"`, with room for blanks.
    const SOUND_HEAD: usize = 128;
    let urls = FINDERS.base64.find_iter(json).map(|at| at + 8);
    let sounds = FINDERS.sound.find_iter(json).filter_map(|at| {
        let at = at + FINDERS.sound.needle().len();
        let head = &json[at..json.len().min(at + SOUND_HEAD)];
        let data = memmem::find(head, b"\"data\"")? + 6;
        Some(at + data + memchr(b'"', &head[data..])? + 1)
    });
    let mut starts: Vec<usize> = urls.chain(sounds).collect();
    starts.sort_unstable();
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_told_apart() {
        let census = ByteCensus::of_text("ab你好,é🙂".as_bytes());
        assert_eq!(census, ByteCensus { ascii: 3, cjk: 6, other: 6, images: 0 });
        let long = "长城".repeat(1000);
        assert_eq!(ByteCensus::of_text(long.as_bytes()).cjk, 6000);
    }

    #[test]
    fn an_escaped_character_counts_as_the_character() {
        let plain = ByteCensus::of_json_text("好".as_bytes());
        assert_eq!(ByteCensus::of_json_text(br"\u597d"), plain);
    }

    #[test]
    fn base64_is_left_out_and_images_are_counted() {
        let blob = "A".repeat(10_000);
        let json = format!(
            r#"[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{blob}"}}}},
                {{"type":"input_audio","input_audio":{{"data":"{blob}","format":"wav"}}}},
                {{"type":"image_url","image_url": {{"url":"https://example.com/x.png"}}}}]"#
        );
        let census = ByteCensus::of_json(json.as_bytes());
        assert_eq!(census.images, 2);
        assert!(census.ascii < 400, "{census:?}");
    }

    #[test]
    fn whatever_is_searched_for_is_not_passed_over() {
        let Finders { image, sound, base64, .. } = &*FINDERS;
        for finder in [image, sound, base64] {
            assert!(may_have_media(finder.needle()), "{:?}", finder.needle());
        }
        assert!(!may_have_media(br#"[{"role":"user","content":"Well, then: "prose"."}]"#));
    }

    #[test]
    fn broken_json_is_counted_without_complaint() {
        for json in ["\"input_audio\"", ";base64,", "\\u", "\"input_audio\":{\"data\":\""] {
            ByteCensus::of_json(json.as_bytes());
        }
    }
}
