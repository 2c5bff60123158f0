//! What every dialect has to do with the pivot: reading requests in the front's form, and
//! writing answers in it.

mod choice;
mod chunks;
mod draft;
mod fields;
mod history;
mod id;
mod lacks;
mod legacy;
mod messages;
mod parts;
mod sink;

pub(crate) use choice::{Choice, name_of, read_tools};
pub(crate) use chunks::{Chunks, put_calls};
pub(crate) use draft::Draft;
pub(crate) use fields::{put_right, set_all};
pub(crate) use history::{
    THINKING_BLOCKS, content, has_thinking_blocks, read_history, thinking_blocks, wrong_content,
};
pub(crate) use id::answer_id;
pub(crate) use lacks::check;
pub(crate) use legacy::{in_callers_words, messages_to_tools, to_tools};
pub(crate) use parts::{Place, parts, text_of, texts};
pub(crate) use sink::{CallStep, Delta, Sink, inside, text, word};

/// What asks for JSON where a platform knows no such mode.
pub(crate) const JSON_OBJECT_TEXT: &str = "Answer with one JSON object.";
