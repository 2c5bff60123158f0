//! What an attempt's platform did not count, for a tokenizer: the prompt, and what was
//! produced.
//!
//! A stream's words are counted piece by piece while it flows, so that it keeps
//! little of them. An ordinary answer ends before its first piece is full and is
//! never counted, for its platform says what it was.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::counter::Counter;
use super::estimate::weigh_text;
use super::lane::Lane;
use super::prompt::Prompt;
use crate::accounts::Tokens;
use crate::front::{ByteCensus, Produced, Usage, plain};
use crate::platforms::Tokenizer;

/// A stream gives its words away when so many bytes of them wait.
pub(super) const PIECE: usize = 2 << 10;
/// So many pieces are all counted: some 8,000 tokens. Of what follows, every so many:
/// an endless stream shall not cost its weight in counting.
const ALL_OF: u32 = 16;
const THEN_EVERY: u32 = 8;

/// What was counted of a stream.
#[derive(Default)]
struct Sum(Mutex<Counted>);

#[derive(Clone, Copy, Default)]
struct Counted {
    tokens: u64,
    census: ByteCensus,
}

impl Counted {
    fn add(&mut self, words: &[u8], tokenizer: Tokenizer) {
        self.tokens += tokenizer.count(&plain(words));
        self.census += ByteCensus::of_json_text(words);
    }
}

/// The words of a stream that flows.
#[derive(Default)]
pub(super) struct Spoken {
    pieces: u32,
    sum: Option<Arc<Sum>>,
}

impl Spoken {
    /// Has a piece counted.
    pub(super) fn count(&mut self, words: Vec<u8>, tokenizer: Tokenizer, counter: &Counter) {
        let number = self.pieces;
        self.pieces += 1;
        if number >= ALL_OF && !number.is_multiple_of(THEN_EVERY) {
            return;
        }
        let sum = self.sum.get_or_insert_default().clone();
        // Without room it goes uncounted: the rest tells what it was like.
        counter.leave(move || {
            let mut piece = Counted::default();
            if catch_unwind(AssertUnwindSafe(|| piece.add(&words, tokenizer))).is_ok() {
                let mut sum = sum.0.lock().unwrap_or_else(PoisonError::into_inner);
                sum.tokens += piece.tokens;
                sum.census += piece.census;
            }
        });
    }
}

/// An attempt's words. Counted by the counter's thread, after its stream's pieces.
pub(super) struct Words {
    pub(super) lane: Arc<Lane>,
    pub(super) prompt: Prompt,
    pub(super) spoken: Spoken,
    pub(super) produced: Produced,
    /// What the platform had told before it broke off.
    pub(super) told: Option<Usage>,
}

impl Words {
    /// What the attempt used, by our count. The platform's own word, where it gave one,
    /// comes first: of the prompt as it is; of the answer it may be a running total, so
    /// that no less than that was used.
    pub(super) fn count(&self) -> Usage {
        let counted = catch_unwind(AssertUnwindSafe(|| (self.count_prompt(), self.count_answer())));
        let (input, output) = counted.unwrap_or_else(|_| self.weigh());
        let mut usage = self.told.unwrap_or_default();
        if usage.input == 0 {
            usage.input = input;
        }
        usage.output = usage.output.max(output);
        usage
    }

    /// The same by class, without a tokenizer.
    pub(super) fn guess(&self) -> Usage {
        let (input, output) = self.weigh();
        Usage { input, output, ..Usage::default() }
    }

    fn weigh(&self) -> (u64, u64) {
        let learned = &self.lane.learned;
        let (Tokens(input), Tokens(output)) =
            (learned.prompt(self.prompt.census()), learned.answer(self.produced.census()));
        (input, output)
    }

    fn count_prompt(&self) -> u64 {
        let vocabulary = self.lane.vocabulary;
        let counted = self.prompt.count(vocabulary.tokenizer);
        if vocabulary.is_own {
            return counted;
        }
        self.lane.learned.compare(self.prompt.census(), counted);
        self.lane.learned.correct(counted)
    }

    fn count_answer(&self) -> u64 {
        let vocabulary = self.lane.vocabulary;
        let sum = self.spoken.sum.as_ref();
        let mut counted = sum.map_or_else(Counted::default, |sum| {
            *sum.0.lock().unwrap_or_else(PoisonError::into_inner)
        });
        counted.add(self.produced.words(), vocabulary.tokenizer);
        let all = self.produced.census();
        if counted.census != all {
            let share = weigh_text(all) / weigh_text(counted.census).max(1.0);
            counted.tokens = (counted.tokens as f32 * share).ceil() as u64;
        }
        if vocabulary.is_own { counted.tokens } else { self.lane.learned.correct(counted.tokens) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = " river stone light cloud";

    fn lane() -> Arc<Lane> {
        let vocabulary = crate::platforms::Vocabulary { is_own: true, ..Default::default() };
        Arc::new(Lane {
            platform: "p".into(),
            vocabulary,
            learned: super::super::estimate::Learned::default(),
            meter: crate::telemetry::Metrics::new().meter("p", "m"),
        })
    }

    async fn said(pieces: u32) -> (u64, u64) {
        let counter = Counter::start();
        let mut produced = Produced::default();
        let mut spoken = Spoken::default();
        let tokenizer = Tokenizer::O200kBase;
        while spoken.pieces < pieces {
            produced.add(WORDS.as_bytes());
            if produced.waiting() >= PIECE {
                spoken.count(produced.take_words(), tokenizer, &counter);
            }
        }
        let bytes = produced.census().ascii;
        let words = Words {
            lane: lane(),
            prompt: Prompt::of(
                &crate::front::ChatRequest::parse(r#"{"messages":[{"role":"user"}]}"#.into())
                    .unwrap(),
            ),
            spoken,
            produced,
            told: None,
        };
        let counted = counter.ask(move || words.count().output).await.unwrap();
        (counted, bytes / WORDS.len() as u64 * 4)
    }

    #[tokio::test]
    async fn a_stream_that_is_counted_in_pieces_counts_as_a_whole() {
        let (counted, whole) = said(ALL_OF).await;
        assert_eq!(counted, whole);
    }

    #[tokio::test]
    async fn an_endless_stream_is_counted_by_its_sample() {
        let (counted, whole) = said(200).await;
        assert!(counted.abs_diff(whole) < whole / 100, "{counted} of {whole}");
    }
}
