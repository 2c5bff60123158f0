//! A prompt's beginning: what all requests of one conversation have in common.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The messages up to the first of a user, as JSON text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Beginning<'a> {
    /// What stands before it: the system's words.
    pub system: Vec<&'a str>,
    /// The first user message's content.
    pub user: Option<&'a str>,
}

impl<'a> Beginning<'a> {
    /// Reads `messages` up to there, and nothing behind it.
    pub fn of(messages: &'a [u8]) -> Self {
        let mut beginning = Self::default();
        let mut json = serde_json::Deserializer::from_slice(messages);
        // Its failure is that the list goes on, or that a message is strange: the platform's
        // to judge.
        _ = UpToTheUser(&mut beginning).deserialize(&mut json);
        beginning
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

struct UpToTheUser<'b, 'a>(&'b mut Beginning<'a>);

impl<'a> DeserializeSeed<'a> for UpToTheUser<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for UpToTheUser<'_, 'a> {
    type Value = ();

    fn expecting(&self, form: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        form.write_str("messages")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut messages: A) -> Result<(), A::Error> {
        while let Some(Message { role, content }) = messages.next_element()? {
            let content = content.map(RawValue::get).unwrap_or_default();
            if role.is_some_and(|role| role.get() == "\"user\"") {
                self.0.user = Some(content);
                break;
            }
            self.0.system.push(content);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_first_user_message() {
        let messages = br#"[{"role":"system","content":"Be brief."},
            {"content":[{"type":"text","text":"hi"}],"role":"user","name":"x"},
            {"role":"assistant","content":"Hello."},{"role":"user","content":"bye"}]"#;
        let beginning = Beginning::of(messages);
        assert_eq!(beginning.system, ["\"Be brief.\""]);
        assert_eq!(beginning.user, Some(r#"[{"type":"text","text":"hi"}]"#));
    }

    #[test]
    fn strange_messages_have_the_beginning_that_can_be_read() {
        assert_eq!(Beginning::of(b"[7]"), Beginning::default());
        assert_eq!(Beginning::of(br#"[{"role":"system"},7]"#).system, [""]);
        assert_eq!(Beginning::of(br#"[{"role":"assistant","content":null}]"#).user, None);
    }
}
