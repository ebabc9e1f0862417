//! Killed anywhere, on any number of workers, and gone on with: the output is that of a run that nobody killed, to the bit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{
    Checkpointing, LateSamples, Pipeline, Report, StreamMarker, Tumbling, Workers,
};
use neuraflow_core::model::{Features, Span, Window, WindowInfo};
use neuraflow_core::window::EpochConfig;

use super::super::hostile::in_time;
use super::operators::{Running, Smooth};
use super::sink::{Append, File, Row, by_stream};
use super::store::Memory;
use super::tape::{Death, Fuse, Random, Tape};

/// Everything that leaves the pipeline, and outlives its runs.
#[derive(Clone, Default)]
pub(super) struct Files {
    features: File,
    epochs: File,
    late: File,
    markers: File,
    windows: File,
}

impl Files {
    fn all(&self) -> Vec<(&'static str, BTreeMap<String, Vec<String>>)> {
        let Self { features, epochs, late, markers, windows } = self;
        [
            ("features", features),
            ("epochs", epochs),
            ("late", late),
            ("markers", markers),
            ("windows", windows),
        ]
        .map(|(name, file)| (name, by_stream(file)))
        .into()
    }
}

fn info(info: &WindowInfo) -> String {
    let WindowInfo {
        stream, index, start, end, expected, received, imputed, status, warm_up, marker, ..
    } = info;
    let t0 = stream.t0;
    format!(
        "{t0:?} {index} {start:?} {end:?} {expected} {received} {imputed} {status:?} {warm_up} {marker:?}"
    )
}

fn features(features: &Features) -> Row {
    let bits: Vec<u64> = features.values.iter().map(|value| value.to_bits()).collect();
    (features.info.stream.name.clone(), format!("{} {bits:x?}", info(&features.info)))
}

fn window(window: &Window) -> Row {
    let bits: Vec<u32> = window.samples.values().iter().map(|value| value.to_bits()).collect();
    (window.info.stream.name.clone(), format!("{} {} {bits:x?}", info(&window.info), window.samples.first()))
}

fn late(late: &LateSamples) -> Row {
    let bits: Vec<u32> = late.chunk.values().iter().map(|value| value.to_bits()).collect();
    (late.stream.name.clone(), format!("{} {bits:x?}", late.chunk.first()))
}

fn marker(marker: &StreamMarker) -> Row {
    (marker.stream.name.clone(), format!("{:?}", marker.marker))
}

/// Where a run dies.
#[derive(Clone)]
pub(super) struct Fuses {
    pub(super) source: Fuse,
    pub(super) operator: Fuse,
    pub(super) sink: Fuse,
}

impl Fuses {
    pub(super) fn none() -> Self {
        Self { source: Fuse::never(), operator: Fuse::never(), sink: Fuse::never() }
    }
}

pub(super) fn pipeline(tapes: &[Tape], files: &Files, fuses: &Fuses) -> Pipeline {
    let mut tapes = tapes.iter().cloned().map(|tape| Tape { fuse: fuses.source.clone(), ..tape });
    let mut graph = Pipeline::from(tapes.next().unwrap());
    for tape in tapes {
        graph = graph.merge(tape);
    }
    let (operator, fuse) = (fuses.operator.clone(), &fuses.sink);
    let epochs = EpochConfig::new(Span::millis(100), Span::millis(250)).with_labels(["cue"]);
    let capacity = 32;
    let file = |name: &str, file: &File| (name.to_owned(), Arc::clone(file), fuse.clone());
    macro_rules! append {
        ($name:literal, $field:ident, $row:expr) => {{
            let (name, file, fuse) = file($name, &files.$field);
            Append { name, file, row: $row, fuse, capacity }
        }};
    }
    let graph = graph
        .late(append!("late", late, late))
        .markers(append!("markers", markers, marker))
        .branch(|signal| signal.epochs(epochs).sink(append!("epochs", epochs, window)))
        .stage(|| Smooth::holding(7))
        .branch(|signal| signal.window(Tumbling::millis(100)).sink(append!("windows", windows, window)))
        .window(Tumbling::millis(50))
        .feature(move || Running::later(2, operator.clone()))
        .sink(append!("features", features, features));
    graph.build().unwrap()
}

/// What does not depend on when it was killed.
fn books(report: &Report) -> Vec<String> {
    let told = report.streams.iter().map(|s| {
        let name = &s.header.name;
        format!("{name} {:?} {:?} {} {}", s.accounting, s.windows, s.markers, s.refused_inputs)
    });
    told.collect()
}

/// Runs with kills until it comes through. Says how many runs it took, and how many checkpoints were committed.
fn run_through(
    tapes: &[Tape],
    files: &Files,
    store: &Arc<Memory>,
    random: &mut Random,
    kills: u64,
) -> (u64, u64, Report) {
    let (mut runs, mut committed) = (0, 0);
    loop {
        runs += 1;
        let mut fuses = Fuses::none();
        if runs <= kills {
            let death = [Death::Fails, Death::Panics][random.below(2) as usize];
            match random.below(3) {
                0 => fuses.source = Fuse::of(random.below(60) as i64, death),
                1 => fuses.operator = Fuse::of(random.below(250) as i64, death),
                _ => fuses.sink = Fuse::of(random.below(120) as i64, death),
            }
        }
        let checkpointing =
            Checkpointing::new(Arc::clone(store) as _).with_config(Config::hurried(Duration::ZERO));
        let pipeline = pipeline(tapes, files, &fuses).checkpoints(checkpointing).unwrap();
        let (report, outcome) = pipeline.spawn(Workers::new(1 + random.below(4) as usize)).unwrap().outcome();
        committed += report.checkpoints.committed;
        match outcome {
            Ok(()) => return (runs, committed, report),
            Err(error) => {
                let told = error.to_string();
                assert!(
                    told.contains("fuse") || told.contains("told to panic") || told.contains("gone"),
                    "{told}"
                );
            }
        }
    }
}

pub(super) fn compare(expected: &Files, found: &Files, what: &str) {
    for ((name, expected), (_, found)) in expected.all().into_iter().zip(found.all()) {
        let streams: Vec<_> = expected.keys().chain(found.keys()).collect();
        for stream in streams {
            let none = Vec::new();
            let (expected, found) =
                (expected.get(stream).unwrap_or(&none), found.get(stream).unwrap_or(&none));
            let first = expected.iter().zip(found).position(|(expected, found)| expected != found);
            let first = first.unwrap_or(expected.len().min(found.len()));
            assert!(
                expected == found,
                "{what}: {name} of {stream} differ at row {first} of {} expected and {} found:\n{:?}\n{:?}",
                expected.len(),
                found.len(),
                expected.get(first),
                found.get(first),
            );
        }
    }
}

fn scenario(seed: u64) -> (u64, u64) {
    let mut random = Random::new(seed);
    let tapes: Vec<Tape> = (0..1 + random.below(3))
        .map(|n| {
            Tape::eventful(
                &format!("tape {n}"),
                1 + random.below(5),
                2_000 + random.below(8_000),
                random.next(),
            )
        })
        .collect();
    let expected = Files::default();
    let report = pipeline(&tapes, &expected, &Fuses::none()).run().unwrap();
    assert!(report.balances());
    let (found, store) = (Files::default(), Arc::new(Memory::default()));
    let (runs, committed, after) = run_through(&tapes, &found, &store, &mut random, 12);
    compare(&expected, &found, &format!("seed {seed}"));
    for (expected, found) in books(&report).iter().zip(&books(&after)) {
        assert_eq!(expected, found, "seed {seed}");
    }
    assert_eq!(books(&report).len(), books(&after).len(), "seed {seed}");
    (runs, committed)
}

#[test]
fn killed_anywhere_nothing_is_missing_extra_or_different() {
    let (mut runs, mut committed) = (0, 0);
    let first = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let scenarios = std::env::var("SCENARIOS").ok().and_then(|count| count.parse().ok()).unwrap_or(8);
    for seed in first..first + scenarios {
        let (r, c) = in_time(&format!("seed {seed}"), move || scenario(seed));
        println!("seed {seed}: {r} runs, {c} checkpoints");
        (runs, committed) = (runs + r, committed + c);
    }
    println!("{scenarios} scenarios, {runs} runs, {committed} checkpoints");
    assert!(committed > scenarios, "{committed} checkpoints in {runs} runs test nothing");
}
