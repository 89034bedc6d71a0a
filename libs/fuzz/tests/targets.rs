//! The targets on a stable compiler: every input of the repository, and thousands of damaged ones.
//!
//! A finding of libFuzzer is put into `corpus/TARGET` under a name that says what it broke; from
//! then on it is tried here. What damages an input is proptest's, so a failure prints its bytes.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test is how a test speaks")]

use std::path::{Path, PathBuf};

use fuzz::{TARGETS, Target};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// Damaged inputs of each target.
const CASES: u32 = 10_000;
/// What the repository holds of one target at most, in bytes.
const CORPUS_BYTES_MAX: usize = 64 * 1024;

fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap()
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target and their names.
fn inputs(target: Target) -> Vec<(String, Vec<u8>)> {
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(place().join(target.name)).unwrap() {
        let path = entry.unwrap().path();
        inputs.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let chosen = place().join(format!("{}.hex", target.name));
    let text = std::fs::read_to_string(&chosen).unwrap();
    for (number, line) in text.lines().enumerate() {
        let pairs = (0..line.len()).step_by(2);
        let bytes = pairs.map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect();
        inputs.push((format!("{}:{}", chosen.display(), number + 1), bytes));
    }
    inputs
}

/// One blow to an input.
#[derive(Debug, Clone)]
enum Damage {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, Index),
    Double(Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<Index>;
    let some = proptest::collection::vec(any::<u8>(), 1..9);
    prop_oneof![
        (index(), any::<u8>()).prop_map(|(at, to)| Damage::Set(at, to)),
        (index(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (index(), some).prop_map(|(at, what)| Damage::Insert(at, what)),
        (index(), index()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (index(), index()).prop_map(|(from, to)| Damage::Double(from, to)),
    ]
}

fn damaged(mut input: Vec<u8>, blows: &[Damage]) -> Vec<u8> {
    let range = |input: &[u8], from: &Index, to: &Index| {
        let (from, to) = (from.index(input.len() + 1), to.index(input.len() + 1));
        from.min(to)..from.max(to)
    };
    for blow in blows {
        match blow {
            Damage::Insert(at, what) => {
                let at = at.index(input.len() + 1);
                input.splice(at..at, what.iter().copied());
            }
            Damage::Double(from, to) => input.extend_from_within(range(&input, from, to)),
            _ if input.is_empty() => {}
            Damage::Set(at, to) => {
                let at = at.index(input.len());
                input[at] = *to;
            }
            Damage::Flip(at, bit) => {
                let at = at.index(input.len());
                input[at] ^= 1 << bit;
            }
            Damage::Cut(from, to) => {
                input.drain(range(&input, from, to));
            }
        }
    }
    input
}

/// Every input as it is, then damaged ones.
fn holds(name: &str) {
    let target = target(name);
    let inputs = inputs(target);
    assert!(inputs.len() >= 10, "{} inputs", inputs.len());
    for (name, input) in &inputs {
        let run = std::panic::AssertUnwindSafe(|| (target.run)(input));
        assert!(std::panic::catch_unwind(run).is_ok(), "{name}");
    }
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let blows = proptest::collection::vec(damage(), 1..6);
    let mut runner = TestRunner::new(config);
    let ended = runner.run(&(any::<Index>(), blows), |(which, blows)| {
        let mut input = damaged(which.get(&inputs).1.clone(), &blows);
        input.truncate(target.bytes_max);
        (target.run)(&input);
        Ok(())
    });
    ended.expect(name);
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                holds(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_tried_and_known_to_whoever_fuzzes() {
            let tried = [$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|target| target.name), tried);
            let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
            let verb = std::fs::read_to_string(manifest.join("../xtask/src/fuzz.rs")).unwrap();
            let programs = std::fs::read_to_string(manifest.join("Cargo.toml")).unwrap();
            for Target { name, bytes_max, .. } in TARGETS {
                let digits = bytes_max.to_string();
                let (thousands, rest) = digits.split_at(digits.len().saturating_sub(3));
                let figure = if thousands.is_empty() { rest.to_owned() } else { format!("{thousands}_{rest}") };
                assert!(verb.contains(&format!("(\"{name}\", {figure})")), "{name} {figure}");
                assert!(programs.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
            }
        }
    };
}

targets! { frames json_commands protobuf_commands room_names tokens bus_bodies config requests }

#[test]
fn the_inputs_are_few_and_small() {
    for target in TARGETS {
        let bytes: usize = inputs(target).iter().map(|(_, input)| input.len()).sum();
        assert!(bytes <= CORPUS_BYTES_MAX, "{}: {bytes} bytes", target.name);
    }
}
