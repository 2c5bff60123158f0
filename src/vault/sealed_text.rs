//! A sealed value as it lies in a store, read once.
//!
//! Every request opens its account's credential, and the account is kept from request to
//! request: what its texts say is kept with them from their first opening on. It is as
//! sealed as they are; what it opens to is never kept.

use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::OpenError;
use super::sealed::Sealed;

/// A sealed value's text. It may be anything: whether it is one is seen when it is opened.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedText {
    text: String,
    /// `None` inside: it is no sealed value.
    #[serde(skip)]
    read: OnceLock<Option<Box<Sealed>>>,
}

impl SealedText {
    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn read(&self) -> Result<&Sealed, OpenError> {
        let read = self.read.get_or_init(|| Sealed::parse(&self.text).ok().map(Box::new));
        read.as_deref().ok_or(OpenError::Malformed)
    }
}

/// Of the text alone: what is copied is mostly shown or written, not opened.
impl Clone for SealedText {
    fn clone(&self) -> Self {
        Self::from(self.text.clone())
    }
}

impl<T: Into<String>> From<T> for SealedText {
    fn from(text: T) -> Self {
        Self { text: text.into(), read: OnceLock::new() }
    }
}

impl Deref for SealedText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl AsRef<str> for SealedText {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl<T: AsRef<str> + ?Sized> PartialEq<T> for SealedText {
    fn eq(&self, other: &T) -> bool {
        self.text == other.as_ref()
    }
}

impl Eq for SealedText {}

impl fmt::Debug for SealedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "v1.k.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_text_is_the_same_before_and_after_it_was_read() {
        for text in [TEXT, "v1.k", ""] {
            let (fresh, read) = (SealedText::from(text), SealedText::from(text));
            assert_eq!(read.read().is_ok(), text == TEXT);
            assert_eq!(fresh, read);
            assert_eq!(format!("{read:?}"), format!("{text:?}"));
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<SealedText>(&json).unwrap(), read);
        }
        assert_ne!(SealedText::from(TEXT), SealedText::from("v1.k"));
    }
}
