//! What every dialect has to do with the pivot: reading requests in the front's form, and
//! writing answers in it.

mod choice;
mod chunks;
mod draft;
mod effort;
mod fields;
mod format;
mod history;
mod id;
mod lacks;
mod legacy;
mod messages;
mod parts;
mod search;
mod sink;

pub(crate) use choice::{Choice, name_of, read_tools};
pub(crate) use chunks::{Chunks, put_calls};
pub(crate) use draft::Draft;
pub(crate) use effort::{effort_level, is_effort_off, say_effort};
pub(crate) use fields::{put_right, set_all};
pub(crate) use format::{JSON_OBJECT_TEXT, schema_text};
pub(crate) use history::{
    content, drop_foreign, may_be_foreign, read_history, thinking_blocks, wrong_content,
};
pub(crate) use id::{answer_id, answer_model, beginning};
pub(crate) use lacks::check;
pub(crate) use legacy::{in_callers_words, messages_to_tools, to_tools};
pub(crate) use messages::{part_text, read_messages};
pub(crate) use parts::{Place, parts, text_of, texts};
pub(crate) use search::search;
pub(crate) use sink::{CallStep, Delta, Sink, inside, text, word};
