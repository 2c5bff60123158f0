//! The few bytes of HTTP/1.1 that the bench's loader and upstream share.
//!
//! Both ends run on one core, so they speak HTTP by hand: what they spend is
//! throughput that the proxy under test does not see. Only what this bench sends
//! is understood; this is no HTTP library.

/// Where a head ends: the index behind its blank line, if it is all there.
pub fn head_end(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// The value of a header, without its white space; `name` in any case.
pub fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        found.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// How a body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `content-length`, or no body at all.
    Sized(u64),
    /// `transfer-encoding: chunked`.
    Chunked,
    /// Nothing says where the body ends.
    Unknown,
}

/// How the body behind this head is delimited.
pub fn framing(head: &[u8]) -> Framing {
    if header(head, "transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked")) {
        return Framing::Chunked;
    }
    header(head, "content-length")
        .and_then(|value| std::str::from_utf8(value).ok()?.parse().ok())
        .map_or(Framing::Unknown, Framing::Sized)
}
