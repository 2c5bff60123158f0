//! What a request will probably use, before it is sent, without a tokenizer.
//!
//! Bytes by class times a factor learned per model, plus the smaller of the
//! caller's limit and the learned length of answers. Both are learned from the
//! platform's own figures.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::accounts::Tokens;
use crate::front::{ByteCensus, Usage};

/// Tokens of a byte before anything is learned: 4 ASCII letters, or one and a half
/// Chinese characters (three bytes each), make a token.
const ASCII: f32 = 0.25;
const CJK: f32 = 0.22;
const OTHER: f32 = 0.4;
pub(super) const IMAGE: f32 = 800.0;
const PER_REQUEST: f32 = 6.0;

const FIRST_ANSWER: f32 = 256.0;
/// How far one figure moves what is learned.
const WEIGHT: f32 = 0.1;
const FACTORS: std::ops::RangeInclusive<f32> = 0.1..=10.0;

/// One model's learned figures.
pub struct Learned {
    factor: AtomicU32,
    answer: AtomicU32,
    /// As `factor`, but of the counts of a tokenizer that is not the model's own; 0: none.
    counted: AtomicU32,
    taught: AtomicBool,
}

impl Default for Learned {
    fn default() -> Self {
        Self {
            factor: AtomicU32::new(1f32.to_bits()),
            answer: AtomicU32::new(FIRST_ANSWER.to_bits()),
            counted: AtomicU32::new(0),
            taught: AtomicBool::new(false),
        }
    }
}

impl Learned {
    /// Tokens of an answer's text; nothing is nothing.
    pub fn answer(&self, produced: ByteCensus) -> Tokens {
        if produced == ByteCensus::default() { Tokens::ZERO } else { self.prompt(produced) }
    }

    /// Tokens of a prompt.
    pub fn prompt(&self, census: ByteCensus) -> Tokens {
        let factor = f32::from_bits(self.factor.load(Ordering::Relaxed));
        Tokens((weigh(census) * factor).ceil() as u64)
    }

    /// Tokens of a whole call: its prompt and its probable answer.
    pub fn call(&self, prompt: ByteCensus, max_tokens: Option<u64>) -> Tokens {
        let answer = f32::from_bits(self.answer.load(Ordering::Relaxed)).ceil() as u64;
        self.prompt(prompt) + Tokens(max_tokens.map_or(answer, |limit| limit.min(answer)))
    }

    /// Takes a platform's own figure for a prompt and its answer.
    ///
    /// Two calls that end together may lose one's lesson: it is an average.
    pub fn learn(&self, prompt: ByteCensus, usage: &Usage) {
        let factor = (usage.input as f32 / weigh(prompt)).clamp(*FACTORS.start(), *FACTORS.end());
        drift(&self.factor, factor);
        drift(&self.answer, usage.output as f32);
        self.taught.store(true, Ordering::Relaxed);
    }

    /// Takes what a tokenizer that is not the model's own makes of a prompt.
    pub fn compare(&self, prompt: ByteCensus, counted: u64) {
        let factor = (counted as f32 / weigh(prompt)).clamp(*FACTORS.start(), *FACTORS.end());
        if self.counted.load(Ordering::Relaxed) == 0 {
            self.counted.store(factor.to_bits(), Ordering::Relaxed);
        } else {
            drift(&self.counted, factor);
        }
    }

    /// Corrects such a tokenizer's count: by what the platform makes of a byte, over what
    /// the tokenizer does. As long as the platform has told nothing, the count stands.
    pub fn correct(&self, counted: u64) -> u64 {
        let own = f32::from_bits(self.counted.load(Ordering::Relaxed));
        if own == 0.0 || !self.taught.load(Ordering::Relaxed) {
            return counted;
        }
        let factor = f32::from_bits(self.factor.load(Ordering::Relaxed));
        (counted as f32 * factor / own).round() as u64
    }
}

fn drift(learned: &AtomicU32, figure: f32) {
    let old = f32::from_bits(learned.load(Ordering::Relaxed));
    learned.store((old + WEIGHT * (figure - old)).to_bits(), Ordering::Relaxed);
}

fn weigh(census: ByteCensus) -> f32 {
    PER_REQUEST + weigh_text(census) + census.images as f32 * IMAGE
}

/// What a text probably comes to, by itself.
pub(super) fn weigh_text(census: ByteCensus) -> f32 {
    census.ascii as f32 * ASCII + census.cjk as f32 * CJK + census.other as f32 * OTHER
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_and_the_answers_length_follow_the_platforms_figures() {
        let learned = Learned::default();
        let prompt = ByteCensus::of_text(&[b'a'; 4000]);
        let usage = Usage { input: 2000, output: 50, ..Usage::default() };
        for _ in 0..200 {
            learned.learn(prompt, &usage);
        }
        let Tokens(estimate) = learned.call(prompt, None);
        assert!((2040..2060).contains(&estimate), "{estimate}");
        assert!(learned.call(prompt, Some(10)).0 < estimate);
    }

    #[test]
    fn a_strangers_tokenizer_is_corrected_by_the_platforms_figures() {
        let learned = Learned::default();
        let prompt = ByteCensus::of_text(&[b'a'; 4000]);
        learned.compare(prompt, 1000);
        assert_eq!(learned.correct(1000), 1000, "nothing is known of the platform yet");
        for _ in 0..200 {
            learned.learn(prompt, &Usage { input: 1500, output: 50, ..Usage::default() });
        }
        assert_eq!(learned.correct(1000), 1500);
        // Of a text that has more tokens a byte, the platform makes more, too.
        assert_eq!(learned.correct(1200), 1800);
    }
}
