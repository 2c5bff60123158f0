//! What is said of an image: its kind and, for a PNG that came along, its size.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// `image/png 64x48`, or the address.
pub(super) fn describe(url: &str) -> String {
    if url.starts_with("http://") || url.starts_with("https://") {
        return url.chars().take(120).collect();
    }
    let (kind, text) = match url.strip_prefix("data:").and_then(|data| data.split_once(',')) {
        Some((head, text)) => (head.split(';').next().unwrap_or(head), text),
        None => ("image", url),
    };
    match png_size(text) {
        Some((width, height)) => format!("image/png {width}x{height}"),
        None => kind.chars().take(40).collect(),
    }
}

/// Width and height from a PNG's header, its first 24 bytes.
fn png_size(base64: &str) -> Option<(u32, u32)> {
    let head = STANDARD.decode(base64.get(..32)?).ok()?;
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?))
    };
    head.starts_with(b"\x89PNG\r\n\x1a\n").then_some(())?;
    Some((number(16)?, number(20)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_png_tells_its_size() {
        let one = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        assert_eq!(describe(&format!("data:image/png;base64,{one}")), "image/png 1x1");
        assert_eq!(describe(one), "image/png 1x1");
        assert_eq!(describe("data:image/jpeg;base64,AAAA"), "image/jpeg");
        assert_eq!(describe("https://example.com/a.jpg"), "https://example.com/a.jpg");
    }
}
