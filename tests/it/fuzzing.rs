//! The properties of the fuzz targets, on their seeds and on random changes of the seeds. `make fuzz` searches for longer.

#[path = "../../fuzz/properties.rs"]
mod properties;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use properties::{TARGETS, Target};

/// The number of random inputs of each target.
const CASES: u32 = 1_500;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let seeds = files.map(|file| fs::read(file.expect("a file").path()).expect("a seed"));
    seeds.collect()
}

/// Returns changes of an input: position, number of removed bytes, inserted bytes.
fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, usize, Vec<u8>)>> {
    let new = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        "[ -~]{0,6}".prop_map(String::into_bytes),
        "\\PC{0,3}".prop_map(String::into_bytes),
        prop::sample::select(vec![
            "\0",
            "\"",
            "{",
            "}",
            "$a",
            "...",
            "é",
            "\u{feff}",
            "=",
            ";",
            "-",
            "\r\n",
            "9223372036854775808"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), 0_usize..5, new), 0..5)
}

fn search((name, property): Target) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has seeds");
    for seed in &seeds {
        property(seed);
    }
    let input = (prop::sample::select(seeds), changes()).prop_map(|(mut input, changes)| {
        for (at, removed, new) in changes {
            let at = at.index(input.len() + 1);
            let end = (at + removed).min(input.len());
            input.splice(at..end, new);
        }
        input
    });
    let config = ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let searched = TestRunner::new(config).run(&input, |input| {
        property(&input);
        Ok(())
    });
    searched.unwrap_or_else(|error| panic!("{name}: {error}"));
}

#[test]
fn what_must_hold_for_any_input_holds_near_the_seeds_of_every_target() {
    for target in TARGETS {
        search(*target);
    }
}
