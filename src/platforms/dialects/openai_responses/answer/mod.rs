//! Answers, whole or streamed, written anew.

mod counts;
mod finish;
mod head;
mod out;
mod reasoning;
mod stream;
mod whole;

pub(super) use stream::Stream;
pub(super) use whole::whole;
