//! The pipeline that is killed: everything that has a state, and a file at every end.

use std::collections::BTreeMap;
use std::sync::Arc;

use neuraflow_core::dataflow::{LateSamples, Pipeline, Report, StreamControl, StreamMarker, Tumbling};
use neuraflow_core::model::{Features, Span, Window, WindowInfo};
use neuraflow_core::window::EpochConfig;

use super::super::rates::Hold;
use super::operators::{Running, Smooth};
use super::sink::{Append, File, Row, by_stream};
use super::tape::{Fuse, Tape};

/// The rows of each stream, in each file.
pub(crate) type All = Vec<(&'static str, BTreeMap<String, Vec<String>>)>;

/// Everything that leaves the pipeline, and outlives its runs.
#[derive(Clone, Default)]
pub(crate) struct Files {
    controls: File,
    features: File,
    epochs: File,
    late: File,
    markers: File,
    slower: File,
    windows: File,
}

impl Files {
    pub(crate) fn all(&self) -> All {
        let Self { controls, features, epochs, late, markers, slower, windows } = self;
        [
            ("controls", controls),
            ("features", features),
            ("epochs", epochs),
            ("late", late),
            ("markers", markers),
            ("slower", slower),
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
    let (t0, rate) = (stream.t0, stream.rate);
    format!(
        "{t0:?} {rate} {index} {start:?} {end:?} {expected} {received} {imputed} {status:?} {warm_up} {marker:?}"
    )
}

pub(crate) fn features(features: &Features) -> Row {
    let bits: Vec<u64> = features.values.iter().map(|value| value.to_bits()).collect();
    (features.info.stream.name.clone(), format!("{} {bits:x?}", info(&features.info)))
}

pub(crate) fn window(window: &Window) -> Row {
    let bits: Vec<u32> = window.samples.values().iter().map(|value| value.to_bits()).collect();
    (window.info.stream.name.clone(), format!("{} {} {bits:x?}", info(&window.info), window.samples.first()))
}

pub(crate) fn late(late: &LateSamples) -> Row {
    let bits: Vec<u32> = late.chunk.values().iter().map(|value| value.to_bits()).collect();
    (late.stream.name.clone(), format!("{} {bits:x?}", late.chunk.first()))
}

pub(crate) fn marker(marker: &StreamMarker) -> Row {
    (marker.stream.name.clone(), format!("{:?}", marker.marker))
}

pub(crate) fn control(control: &StreamControl) -> Row {
    let StreamControl { stream, control, stage, outcome } = control;
    (stream.name.clone(), format!("{control:?} {stage:?} {outcome:?}"))
}

/// Where a run dies.
#[derive(Clone)]
pub(crate) struct Fuses {
    pub(crate) source: Fuse,
    pub(crate) operator: Fuse,
    pub(crate) sink: Fuse,
}

impl Fuses {
    pub(crate) fn none() -> Self {
        Self { source: Fuse::never(), operator: Fuse::never(), sink: Fuse::never() }
    }
}

pub(crate) fn pipeline(tapes: &[Tape], files: &Files, fuses: &Fuses) -> Pipeline {
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
        .controls(append!("controls", controls, control))
        .late(append!("late", late, late))
        .markers(append!("markers", markers, marker))
        .branch(|signal| signal.epochs(epochs).sink(append!("epochs", epochs, window)))
        .branch(|signal| {
            let slower = signal.stage(|| Hold { up: 2, down: 5 }).stage(|| Smooth::holding(3));
            let feature = || Running::later(1, Fuse::never());
            slower.window(Tumbling::millis(50)).feature(feature).sink(append!("slower", slower, features))
        })
        .stage(|| Smooth::holding(7))
        .branch(|signal| signal.window(Tumbling::millis(100)).sink(append!("windows", windows, window)))
        .window(Tumbling::millis(50))
        .feature(move || Running::later(2, operator.clone()))
        .sink(append!("features", features, features));
    graph.build().unwrap()
}

/// What does not depend on when it was killed.
pub(crate) fn books(report: &Report) -> Vec<String> {
    let told = report.streams.iter().map(|s| {
        let name = &s.header.name;
        format!("{name} {:?} {:?} {} {}", s.accounting, s.windows, s.markers, s.refused_inputs)
    });
    told.collect()
}

/// The first row in which two runs differ, if there is one.
pub(super) fn difference(expected: &Files, found: &Files) -> Option<String> {
    first_difference(expected.all(), found.all())
}

pub(crate) fn first_difference(expected: All, found: All) -> Option<String> {
    for ((name, expected), (_, found)) in expected.into_iter().zip(found) {
        for stream in expected.keys().chain(found.keys()) {
            let none = Vec::new();
            let (expected, found) =
                (expected.get(stream).unwrap_or(&none), found.get(stream).unwrap_or(&none));
            if expected == found {
                continue;
            }
            let first = expected.iter().zip(found).position(|(expected, found)| expected != found);
            let first = first.unwrap_or(expected.len().min(found.len()));
            let rows = (expected.len(), found.len());
            let (one, other) = (expected.get(first), found.get(first));
            return Some(format!("{name} of {stream}, row {first} of {rows:?}:\n{one:?}\n{other:?}"));
        }
    }
    None
}
