//! What callers speak to us, and the pivot in which fronts and dialects meet.
//!
//! The pivot is an OpenAI chat request, answer or chunk. What arrives in that
//! form is passed on as bytes; only what the gateway itself uses is looked at.
//! The rules are those of OpenAI's chat completions API.

mod beginning;
mod census;
mod error;
pub mod object;
#[cfg(test)]
mod pieces;
mod places;
mod produced;
mod request;
pub mod skim;
pub mod sse;
mod usage;

pub use beginning::Beginning;
pub use census::{ByteCensus, text_runs};
pub use error::{BadRequest, ErrorBody};
pub use produced::{Produced, plain};
pub use request::{ChatRequest, Field};
pub use usage::{CompletionDetails, PromptDetails, Usage, UsageReport};
