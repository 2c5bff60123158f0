//! Tokenizers: what a model counts its text by, where its maker has published it.
//!
//! A vocabulary is unpacked by its first use and stays: some 15 to 25 MB, of those alone
//! that were needed. A kilobyte of text takes about 20 us, so nothing here belongs on a
//! request's way.

use serde::Deserialize;

/// A published vocabulary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tokenizer {
    /// OpenAI, from GPT-4o on.
    #[default]
    O200kBase,
    /// OpenAI before that, and many others since.
    Cl100kBase,
    /// Qwen 2 to 3.
    Qwen2,
    /// GLM-4.
    Glm4,
    /// GLM-5.
    Glm5,
}

/// What a model's text is counted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Entry")]
pub struct Vocabulary {
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// Whether it is the model's own, whose counts need no correction.
    pub is_own: bool,
}

/// `tokenizer = "qwen2"`, or `tokenizer = { near = "qwen2" }` for one that is only like it.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected a vocabulary (o200k_base, cl100k_base, qwen2, glm4, glm5), or \
                 `{ near = … }` for one that is only like the model's own"
)]
enum Entry {
    Own(Tokenizer),
    Near { near: Tokenizer },
}

impl From<Entry> for Vocabulary {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Own(tokenizer) => Self { tokenizer, is_own: true },
            Entry::Near { near } => Self { tokenizer: near, is_own: false },
        }
    }
}

impl Tokenizer {
    /// How many tokens a text is.
    pub fn count(self, text: &str) -> u64 {
        let name = match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
            Self::Qwen2 => "qwen2",
            Self::Glm4 => "glm4",
            Self::Glm5 => "glm5",
        };
        let encoding = tiktoken::get_encoding(name).expect("the build has its vocabulary");
        encoding.count(text) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vocabulary_is_in_the_build_and_has_its_name() {
        let all = [
            (Tokenizer::O200kBase, "o200k_base", 3, 4),
            (Tokenizer::Cl100kBase, "cl100k_base", 3, 8),
            (Tokenizer::Qwen2, "qwen2", 3, 3),
            (Tokenizer::Glm4, "glm4", 3, 3),
            (Tokenizer::Glm5, "glm5", 3, 3),
        ];
        for (tokenizer, name, english, chinese) in all {
            let counts = (tokenizer.count("green water fields"), tokenizer.count("今天天气很好"));
            assert_eq!(counts, (english, chinese), "{name}");
            let text = format!("vocabulary = '{name}'");
            let read: std::collections::BTreeMap<String, Vocabulary> =
                toml::from_str(&text).unwrap();
            assert_eq!(read["vocabulary"], Vocabulary { tokenizer, is_own: true });
        }
        let near: std::collections::BTreeMap<String, Vocabulary> =
            toml::from_str("vocabulary = { near = 'glm5' }").unwrap();
        assert!(!near["vocabulary"].is_own);
    }
}
