//! What the process gives up before it holds a secret.

use std::panic;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dump, and no reading of the process's memory by others of its user. A system
/// that refuses is left as it is: the gateway serves all the same.
pub(super) fn harden() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    panic::set_hook(Box::new(report));
}

/// Says where a thread panicked, and not with which words: they may quote a request.
fn report(panic: &panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let place = panic.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(thread, place, "panicked; this is a bug");
    } else {
        // A command keeps no log.
        eprintln!("tributary: thread {thread} panicked at {place}; this is a bug");
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_tells_its_place_and_none_of_its_words() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let before = panic::take_hook();
        panic::set_hook(Box::new(report));
        let caught = tracing::subscriber::with_default(subscriber, || {
            panic::catch_unwind(|| panic!("in the words of a prompt"))
        });
        panic::set_hook(before);
        assert!(caught.is_err());
        let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(told.contains("src/cli/hardening.rs"), "{told}");
        assert!(!told.contains("prompt"), "{told}");
    }
}
