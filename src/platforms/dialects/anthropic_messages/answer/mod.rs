//! Answers, whole or streamed, written anew.

mod counts;
mod stop;
mod stream;
mod thoughts;
mod whole;

pub(super) use stream::Stream;
pub(super) use whole::whole;
