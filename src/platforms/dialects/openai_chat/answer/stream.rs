//! A streamed answer: bytes in, events out, until it ends.

use bytes::Bytes;

use super::outbox::Outbox;
use super::passed::{Passed, is_done};
use super::rebuilt::{Ending, Rebuilt};
use super::{Came, Context, Tally};
use crate::front::sse::{Event, Splitter, events};
use crate::platforms::dialects::pivot::{Chunks, Draft, Sink};
use crate::platforms::rules::Form;
use crate::platforms::{Fed, PlatformError, StreamEnd};

/// No answer that is gathered grows past this.
const MOST_GATHERED: usize = 64 << 20;

/// A stream on its way.
pub(in super::super) struct Stream {
    splitter: Splitter,
    way: Way,
    tally: Tally,
    ended: bool,
}

enum Way {
    Passed(Passed),
    Rebuilt(Rebuilt, Chunks),
    /// The caller wants a whole answer of a platform that only streams.
    Gathered(Rebuilt, Box<Draft>),
}

/// What one event led to.
enum Step {
    On,
    Done,
}

impl Stream {
    pub(in super::super) fn new(context: &Context) -> Stream {
        let form = context.form;
        let way = if !context.streamed {
            Way::Gathered(Rebuilt::default(), Box::default())
        } else if form == Form::Rebuilt || context.legacy {
            let chunks = Chunks::new(context.usage_asked, context.legacy);
            Way::Rebuilt(Rebuilt::default(), chunks)
        } else {
            Way::Passed(Passed::new(form == Form::Tidied))
        };
        Stream { splitter: Splitter::default(), way, tally: Tally::default(), ended: false }
    }

    pub(in super::super) fn feed(&mut self, bytes: Bytes, context: &Context) -> Fed {
        if self.ended {
            return Fed::default();
        }
        match self.splitter.push(bytes) {
            Ok(run) => self.run(&run, context),
            Err(error) => {
                let message = format!("{}: {error}", context.platform.id);
                self.fail(Bytes::new(), PlatformError::fault(message))
            }
        }
    }

    pub(in super::super) fn end(&mut self, context: &Context) -> Fed {
        if self.ended {
            return Fed::default();
        }
        // What came without its empty line counts if it is whole.
        let rest = self.splitter.rest();
        let whole = |event: Event<'_>| {
            is_done(&event) || serde_json::from_slice::<serde::de::IgnoredAny>(&event.data).is_ok()
        };
        let fed = if events(&rest).all(whole) { self.run(&rest, context) } else { Fed::default() };
        if fed.end.is_some() {
            return fed;
        }
        let mut out = Outbox::new(&fed.out);
        out.keep(0..fed.out.len());
        match self.close(Ending::Closed, context, &mut out) {
            Ok(()) => self.done(out.finish()),
            Err(error) => self.fail(out.finish(), error),
        }
    }

    pub(in super::super) fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(in super::super) fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub(in super::super) fn began(&self) -> bool {
        match &self.way {
            Way::Passed(passed) => passed.began(),
            Way::Rebuilt(rebuilt, _) => rebuilt.began(),
            // Nothing goes out before the end, so anything may still be tried.
            Way::Gathered(..) => false,
        }
    }

    /// The gathered answer, once the stream is done.
    pub(in super::super) fn gathered(&self, context: &Context) -> Option<Bytes> {
        match &self.way {
            Way::Gathered(_, draft) if self.ended => Some(draft.write(context.legacy)),
            _ => None,
        }
    }

    fn run(&mut self, run: &Bytes, context: &Context) -> Fed {
        let mut out = Outbox::new(run);
        for event in events(run) {
            if event.data.is_empty() {
                continue;
            }
            match self.event(&event, run, context, &mut out) {
                Ok(Step::On) => {}
                Ok(Step::Done) => return self.done(out.finish()),
                Err(error) => return self.fail(out.finish(), error),
            }
        }
        Fed { out: out.finish(), end: None }
    }

    fn event(
        &mut self,
        event: &Event<'_>,
        run: &[u8],
        context: &Context,
        out: &mut Outbox<'_>,
    ) -> Result<Step, PlatformError> {
        if is_done(event) {
            self.close(Ending::Done, context, out)?;
            return Ok(Step::Done);
        }
        let tally = &mut self.tally;
        let block = run.get(event.place.clone()).unwrap_or_default();
        let came = Came { data: &event.data, block };
        let result = match &mut self.way {
            Way::Passed(passed) => passed.event(event, context, tally, out),
            Way::Rebuilt(rebuilt, chunks) => {
                let result = rebuild(came, rebuilt, context, tally, chunks);
                out.put(&chunks.take());
                result
            }
            Way::Gathered(rebuilt, draft) => {
                let result = rebuild(came, rebuilt, context, tally, draft.as_mut());
                if draft.size() > MOST_GATHERED {
                    return Err(PlatformError::fault("the answer is longer than 64 MiB"));
                }
                result
            }
        };
        let Err(error) = result else { return Ok(Step::On) };
        match &mut self.way {
            Way::Passed(passed) => passed.filtered(error, context, out)?,
            Way::Rebuilt(rebuilt, chunks) => {
                rebuilt.filtered(error, context, &self.tally, chunks)?;
                out.put(&chunks.take());
            }
            Way::Gathered(rebuilt, draft) => {
                rebuilt.filtered(error, context, &self.tally, draft.as_mut())?;
            }
        }
        Ok(Step::Done)
    }

    fn close(
        &mut self,
        ending: Ending,
        context: &Context,
        out: &mut Outbox<'_>,
    ) -> Result<(), PlatformError> {
        match &mut self.way {
            Way::Passed(passed) => passed.end(ending, context, out)?,
            Way::Rebuilt(rebuilt, chunks) => {
                rebuilt.end(ending, context, &self.tally, chunks)?;
                out.put(&chunks.take());
            }
            Way::Gathered(rebuilt, draft) => {
                rebuilt.end(ending, context, &self.tally, draft.as_mut())?;
            }
        }
        Ok(())
    }

    fn done(&mut self, out: Bytes) -> Fed {
        self.ended = true;
        Fed { out, end: Some(StreamEnd::Done) }
    }

    fn fail(&mut self, out: Bytes, error: PlatformError) -> Fed {
        self.ended = true;
        Fed { out, end: Some(StreamEnd::Failed(error)) }
    }
}

fn rebuild(
    came: Came<'_>,
    rebuilt: &mut Rebuilt,
    context: &Context,
    tally: &mut Tally,
    sink: &mut impl Sink,
) -> Result<(), PlatformError> {
    let chunk = (context.read)(came, context)?;
    rebuilt.chunk(chunk, context, tally, sink)
}
