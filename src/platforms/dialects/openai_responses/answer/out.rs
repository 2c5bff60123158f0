//! Where a streamed answer goes: to the caller as it comes, or together for one who wants it
//! whole.

use bytes::Bytes;

use crate::front::UsageReport;
use crate::platforms::PlatformError;
use crate::platforms::dialects::openai_responses::Context;
use crate::platforms::dialects::pivot::{Chunks, Delta, Draft, Sink};

/// No answer that is gathered grows past this.
const MOST_GATHERED: usize = 64 << 20;

pub(super) enum Out {
    Flows(Chunks),
    Gathers(Draft),
}

impl Out {
    pub(super) fn new(context: &Context) -> Out {
        if context.streamed {
            Out::Flows(Chunks::new(context.usage_asked, context.shape.legacy))
        } else {
            Out::Gathers(Draft::default())
        }
    }

    /// Whether what it is told reaches the caller at once.
    pub(super) fn flows(&self) -> bool {
        matches!(self, Out::Flows(_))
    }

    /// Events that are ready for the caller.
    pub(super) fn take(&mut self) -> Bytes {
        match self {
            Out::Flows(chunks) => chunks.take().freeze(),
            Out::Gathers(_) => Bytes::new(),
        }
    }

    /// The whole answer, where it was gathered.
    pub(super) fn whole(&self, legacy: bool) -> Option<Bytes> {
        match self {
            Out::Flows(_) => None,
            Out::Gathers(draft) => Some(draft.write(legacy)),
        }
    }

    /// Whether there is room for more.
    pub(super) fn holds(&self) -> Result<(), PlatformError> {
        match self {
            Out::Gathers(draft) if draft.size() > MOST_GATHERED => {
                Err(PlatformError::fault("the answer is longer than 64 MiB"))
            }
            _ => Ok(()),
        }
    }

    fn sink(&mut self) -> &mut dyn Sink {
        match self {
            Out::Flows(chunks) => chunks,
            Out::Gathers(draft) => draft,
        }
    }
}

impl Sink for Out {
    fn begin(&mut self, id: &str, created: i64, model: &str) {
        self.sink().begin(id, created, model);
    }

    fn open(&mut self, choice: u32) {
        self.sink().open(choice);
    }

    fn add(&mut self, choice: u32, delta: Delta<'_>) {
        self.sink().add(choice, delta);
    }

    fn finish(&mut self, choice: u32, reason: &str) {
        self.sink().finish(choice, reason);
    }

    fn end(&mut self, usage: Option<&UsageReport>) {
        self.sink().end(usage);
    }
}
