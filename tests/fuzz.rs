//! Whatever a platform sends, the laws of `fuzz/src` hold: on every fixture, on mutations of
//! them, on any bytes, and on the inputs that once broke one (`fuzz/corpus`).
//!
//! `TRIBUTARY_TEST_FUZZ_CASES` makes it longer. An input that breaks a law is written to
//! `target/tmp`, as small as it could be made.

#![allow(clippy::unwrap_used, reason = "a test says what is wrong by panicking")]

#[path = "fuzz/endless.rs"]
mod endless;
#[path = "../fuzz/src/lib.rs"]
mod laws;
#[path = "fuzz/mutation.rs"]
mod mutation;
#[path = "fuzz/seeds.rs"]
mod seeds;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use laws::{TARGETS, Target};
use mutation::{Mutation, mutated};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Of each kind, for each target.
const CASES: u32 = 128;

#[test]
fn what_broke_a_law_once_and_every_fixture_keeps_them_all() {
    for target in TARGETS {
        for (name, input) in seeds::kept(target.0).into_iter().chain(seeds::fixtures(target.0)) {
            println!("{}: {name}", target.0);
            keeps(target, &input);
        }
    }
}

#[test]
fn mutated_fixtures_keep_the_laws() {
    for target in TARGETS {
        let seeds: Vec<Vec<u8>> = seeds::kept(target.0)
            .into_iter()
            .chain(seeds::fixtures(target.0))
            .map(|(_, input)| input)
            .collect();
        let mutations = (0..seeds.len(), vec(any::<Mutation>(), 1..6));
        runner()
            .run(&mutations, |(number, mutations)| {
                keeps(target, &mutated(number, &mutations, &seeds));
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", target.0));
    }
}

#[test]
fn any_bytes_keep_the_laws() {
    // Of bytes alone few would be events, and of events few would be JSON.
    let event = (any::<bool>(), vec(any::<u8>(), 0..40)).prop_map(|(framed, bytes)| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if framed { format!("data: {text}\n\n").into_bytes() } else { bytes }
    });
    for target in TARGETS {
        runner()
            .run(&vec(event.clone(), 0..8), |events| {
                keeps(target, &events.concat());
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{}: {error}", target.0));
    }
}

#[test]
fn the_rooms_that_are_fuzzed_are_built_with_what_the_gateway_is() {
    let dependencies = |file: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        manifest["dependencies"].as_table().unwrap().clone()
    };
    let gateway = dependencies("Cargo.toml");
    for (name, wanted) in dependencies("fuzz/rooms/Cargo.toml") {
        assert_eq!(gateway.get(&name), Some(&wanted), "fuzz/rooms/Cargo.toml: {name}");
    }
}

/// A broken law leaves its input behind.
fn keeps((name, run): Target, input: &[u8]) {
    if let Err(broken) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
        fs::write(&file, input).unwrap();
        println!("{name}: the input is in {}", file.display());
        resume_unwind(broken);
    }
}

#[allow(clippy::disallowed_methods, reason = "it is about the tests alone")]
fn runner() -> TestRunner {
    let cases = std::env::var("TRIBUTARY_TEST_FUZZ_CASES");
    let cases = cases.map_or(CASES, |cases| cases.parse().unwrap());
    // What is found becomes a file of the corpus, which says more than a seed.
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}
