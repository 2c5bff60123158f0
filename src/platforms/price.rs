//! What a model costs in points.

use serde::Deserialize;

use crate::accounts::Points;
use crate::front::{ByteCensus, Usage};

/// Tokens that a price is for.
const PER: u128 = 1_000_000;

/// What a platform makes of an image at the very most.
const IMAGE: u64 = 16_384;
/// What a platform may put around a prompt.
const AROUND: u64 = 256;

/// A model's price: points for a million tokens of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Entry")]
pub struct Price {
    input: u64,
    cache_read: u64,
    cache_write: u64,
    output: u64,
}

/// `price = { in = "0.8", cache_read = "0.16", cache_write = 1, out = 2 }`; what is read
/// from or written to a cache costs what other input does, unless it says so.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "in")]
    input: Points,
    cache_read: Option<Points>,
    cache_write: Option<Points>,
    #[serde(rename = "out")]
    output: Points,
}

impl TryFrom<Entry> for Price {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        let Entry { input, cache_read, cache_write, output } = entry;
        let price =
            |points: Points| u64::try_from(points.0).map_err(|_| "a price is not below zero");
        Ok(Self {
            input: price(input)?,
            cache_read: price(cache_read.unwrap_or(input))?,
            cache_write: price(cache_write.unwrap_or(input))?,
            output: price(output)?,
        })
    }
}

impl Price {
    /// What a use costs, rounded up to a millionth of a point.
    pub fn cost(&self, usage: &Usage) -> Points {
        let cached = usage.cache_read.saturating_add(usage.cache_write);
        let fresh = usage.input.saturating_sub(cached);
        let sum = [
            (fresh, self.input),
            (usage.cache_read, self.cache_read),
            (usage.cache_write, self.cache_write),
            (usage.output, self.output),
        ]
        .into_iter()
        .fold(0u128, |sum, (tokens, price)| {
            sum.saturating_add(u128::from(tokens).saturating_mul(u128::from(price)))
        });
        Points::of_millionths(sum.div_ceil(PER))
    }

    /// The most that a call may come to, as far as can be told before: a token is a byte at
    /// least, and `output` the longest answer, where there is a limit.
    pub fn most(&self, prompt: ByteCensus, output: Option<u64>) -> Points {
        let Some(output) = output else { return Points::MOST };
        let bytes = prompt.ascii.saturating_add(prompt.cjk).saturating_add(prompt.other);
        let input =
            bytes.saturating_add(prompt.images.saturating_mul(IMAGE)).saturating_add(AROUND);
        let dearest = self.input.max(self.cache_read).max(self.cache_write);
        Price { input: dearest, ..*self }.cost(&Usage { input, output, ..Usage::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Result<Price, String> {
        let table: toml::Table = format!("price = {text}").parse().unwrap();
        table["price"].clone().try_into().map_err(|error| error.to_string())
    }

    #[test]
    fn each_kind_of_token_has_its_price_and_a_sum_is_rounded_up_once() {
        let price = price(r#"{ in = "0.8", cache_read = "0.16", cache_write = 1, out = 2 }"#);
        let price = price.unwrap();
        let usage =
            Usage { input: 1000, cache_read: 500, cache_write: 100, output: 10, reasoning: 5 };
        // 400 x 0.8 + 500 x 0.16 + 100 x 1 + 10 x 2 millionths.
        assert_eq!(price.cost(&usage), Points(520));
        let one = Usage { cache_read: 1, input: 1, ..Usage::default() };
        assert_eq!(price.cost(&one), Points(1));
        assert_eq!(price.cost(&Usage::default()), Points::ZERO);
        let absurd = Usage { input: u64::MAX, output: u64::MAX, ..Usage::default() };
        assert_eq!(price.cost(&absurd), Points::MOST);
    }

    #[test]
    fn caches_cost_what_input_does_unless_they_have_a_price() {
        let plain = price("{ in = 3, out = 4 }").unwrap();
        let usage = Usage { input: 100, cache_read: 30, cache_write: 20, output: 0, reasoning: 0 };
        assert_eq!(plain.cost(&usage), Points(300));
    }

    #[test]
    fn no_use_costs_more_than_the_most() {
        let price = price("{ in = 1, cache_write = 2, out = 3 }").unwrap();
        let prompt = ByteCensus::of_text("ab你好".as_bytes());
        let usage = Usage { input: 8, cache_write: 8, output: 50, ..Usage::default() };
        assert!(price.cost(&usage) <= price.most(prompt, Some(50)));
        assert_eq!(price.most(prompt, None), Points::MOST);
    }

    #[test]
    fn what_is_no_price_is_told() {
        for (text, why) in [
            ("{ in = 0.8, out = 2 }", "an amount of points"),
            ("{ in = 1, out = -2 }", "below zero"),
            ("{ in = 1 }", "missing field `out`"),
            ("{ in = 1, out = 2, per = 3 }", "unknown field `per`"),
        ] {
            let told = price(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
