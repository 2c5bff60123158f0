//! Answers, whole or streamed, written anew.

mod calls;
mod counts;
mod event;
mod finish;
mod head;
mod items;
mod out;
mod place;
mod reasoning;
mod stream;
mod told;
mod whole;

pub(super) use stream::Stream;
pub(super) use whole::whole;
