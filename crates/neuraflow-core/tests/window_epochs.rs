//! Epochs around markers.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use neuraflow_core::checkpoint::{SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{
    Channel, Chunk, Marker, SamplingRate, Span, StreamHeader, StreamKey, Timestamp, Window, WindowStatus,
};
use neuraflow_core::window::{Coverage, CoverageKind, EpochConfig, EpochCutter, WindowError};
use proptest::prelude::*;

const T0: i64 = 1_000_000_000;

fn header() -> Arc<StreamHeader> {
    let key = StreamKey::of_names("session", "device");
    let mut header =
        StreamHeader::new(key, "device", SamplingRate::hz(100).unwrap(), vec![Channel::new("Cz")]);
    header.t0 = Timestamp::from_nanos(T0);
    Arc::new(header)
}

/// Epochs of ten samples: four before the marker's, and five after it.
fn config() -> EpochConfig {
    EpochConfig { history: Span::millis(200), ..EpochConfig::new(Span::millis(40), Span::millis(60)) }
}

struct Cut {
    cutter: EpochCutter,
    coverage: Coverage,
    next: u64,
    epochs: Vec<Window>,
}

impl Cut {
    fn new(config: EpochConfig) -> Self {
        let cutter = EpochCutter::new(header(), config, 0).unwrap();
        Self { cutter, coverage: Coverage::default(), next: 0, epochs: Vec::new() }
    }

    fn send(&mut self, samples: u64, kind: CoverageKind) {
        let mut chunk = Chunk::new(self.next, 1);
        let values: Vec<f32> = (self.next..self.next + samples).map(|n| n as f32).collect();
        chunk.extend(&values);
        self.coverage.push(self.next, samples, kind);
        self.next += samples;
        self.cutter.push(&chunk, &self.coverage, 0, 0, &mut |epoch| self.epochs.push(epoch.clone()));
        self.coverage.forget_before(self.cutter.needs_from());
    }

    /// A marker at the time of sample `n`, which may lie between two.
    fn mark(&mut self, n: f64, label: &str) {
        let marker = Marker::new(Timestamp::from_nanos(T0 + (n * 1e7) as i64), label);
        self.cutter.marker(Arc::new(marker), 0, 0, &mut |epoch| self.epochs.push(epoch.clone()));
    }

    fn jump(&mut self, to: u64) {
        self.next = to;
        self.cutter.jump(to, 0, 0, &mut |epoch| self.epochs.push(epoch.clone()));
    }

    fn finish(&mut self) {
        self.cutter.finish(0, 0, &mut |epoch| self.epochs.push(epoch.clone()));
    }

    fn found(&self) -> Vec<(i64, u64, WindowStatus)> {
        self.epochs.iter().map(|e| (e.info.index, e.samples.first(), e.info.status)).collect()
    }
}

use CoverageKind::{Imputed, Received};
use WindowStatus::{Complete, Gap, Partial};

#[test]
fn an_epoch_is_put_out_with_its_last_sample() {
    let mut cut = Cut::new(config());
    cut.mark(20.0, "cue");
    cut.send(25, Received);
    assert!(cut.epochs.is_empty());
    cut.send(1, Received);
    assert_eq!(cut.found(), [(0, 16, Complete)]);
    let epoch = &cut.epochs[0];
    assert_eq!(epoch.samples.values(), (16..26).map(|n| n as f32).collect::<Vec<_>>());
    assert_eq!(
        (epoch.info.start.as_nanos(), epoch.info.end.as_nanos()),
        (T0 + 160_000_000, T0 + 260_000_000)
    );
    assert_eq!((epoch.info.expected, epoch.info.received), (10, 10));
    assert_eq!(epoch.info.marker.as_ref().map(|m| m.label.as_str()), Some("cue"));
}

#[test]
fn the_first_sample_is_the_nearest() {
    let mut cut = Cut::new(config());
    for n in [20.4, 20.5, 20.6] {
        cut.mark(n, "cue");
    }
    cut.send(40, Received);
    assert_eq!(cut.found(), [(0, 16, Complete), (1, 16, Complete), (2, 17, Complete)]);
}

#[test]
fn labels_are_chosen_and_markers_numbered() {
    let mut cut = Cut::new(config().with_labels(["left", "right"]));
    for (n, label) in [(20.0, "left"), (22.0, "rest"), (24.0, "right")] {
        cut.mark(n, label);
    }
    cut.send(40, Received);
    assert_eq!(cut.found(), [(0, 16, Complete), (2, 20, Complete)]); // and they overlap
    let counts = cut.cutter.counts();
    assert_eq!((counts.markers, counts.ignored, counts.emitted), (3, 1, 2));
}

#[test]
fn late_markers_find_the_past_or_what_is_left_of_it() {
    let mut cut = Cut::new(config());
    cut.send(100, Received);
    cut.mark(74.0, "cue"); // 70..80: all of the last 30 samples are remembered
    cut.mark(69.0, "cue"); // 65..75: half of it is
    cut.mark(60.0, "cue"); // 56..66: gone
    assert_eq!(cut.found(), [(0, 70, Complete), (1, 65, Partial)]);
    let values = cut.epochs[1].samples.values();
    assert!(values[..5].iter().all(|v| v.is_nan()));
    assert_eq!(values[5..], [70.0, 71.0, 72.0, 73.0, 74.0]);
    assert_eq!((cut.epochs[1].info.received, cut.cutter.counts().missed), (5, 1));
}

#[test]
fn the_streams_start_and_end_cut_epochs() {
    let mut cut = Cut::new(config());
    cut.mark(2.0, "cue"); // from -2
    cut.mark(-50.0, "cue"); // before everything
    cut.mark(18.0, "cue"); // to 24
    cut.mark(60.0, "cue"); // after everything
    cut.send(20, Received);
    cut.finish();
    assert_eq!(cut.found(), [(0, 0, Partial), (2, 14, Partial)]);
    assert_eq!(cut.epochs[0].info.start.as_nanos(), T0 - 20_000_000);
    assert_eq!(
        cut.epochs.iter().map(|e| (e.samples.len(), e.info.received)).collect::<Vec<_>>(),
        [(10, 8), (10, 6)]
    );
    assert_eq!(cut.cutter.counts().missed, 2);
}

#[test]
fn gaps_show() {
    let mut cut = Cut::new(config());
    cut.mark(20.0, "cue");
    cut.send(18, Received);
    cut.send(2, Imputed);
    cut.send(10, Received);
    assert_eq!(cut.found(), [(0, 16, Gap)]);
    assert_eq!((cut.epochs[0].info.received, cut.epochs[0].info.imputed), (8, 2));
}

#[test]
fn a_jump_cuts_what_has_begun_and_passes_over_what_has_not() {
    let mut cut = Cut::new(config());
    for n in [20.0, 200.0, 502.0, 600.0] {
        cut.mark(n, "cue");
    }
    cut.send(20, Received);
    cut.jump(500);
    assert_eq!(cut.found(), [(0, 16, Partial)]);
    cut.send(120, Received);
    // 498..508 has lost its head.
    assert_eq!(cut.found()[1..], [(2, 498, Partial), (3, 596, Complete)]);
    assert_eq!(cut.cutter.counts().missed, 1);
}

#[test]
fn memory_is_bounded() {
    let mut cut = Cut::new(config());
    for n in 0..5_000 {
        cut.mark(f64::from(n) + 100_000.0, "cue");
    }
    assert_eq!(cut.cutter.counts().refused, 5_000 - 4_096);
    cut.send(100_000, Received);
    cut.finish();
    let counts = cut.cutter.counts();
    assert_eq!(counts.markers, counts.emitted + counts.missed + counts.refused + counts.ignored);
}

#[test]
fn refuses_what_is_no_epoch() {
    let new = |before, after| EpochCutter::new(header(), EpochConfig::new(before, after), 0).err();
    assert!(matches!(new(Span::ZERO, Span::ZERO), Some(WindowError::Length { .. })));
    assert!(matches!(new(Span::millis(100), Span::millis(-200)), Some(WindowError::Length { .. })));
    assert!(matches!(new(Span::secs(1), Span::secs(100_000_000)), Some(WindowError::Samples { .. })));
    assert!(new(Span::millis(-100), Span::millis(200)).is_none());
}

proptest! {
    /// However the samples come, and over a restart, the same epochs come out.
    #[test]
    fn chunks_mean_nothing(
        markers in prop::collection::vec(-20.0f64..400.0, 0..20), sizes in prop::collection::vec(1..90u64, 1..6),
        cut in 0..300u64,
    ) {
        let play = |sizes: &[u64], cut: Option<u64>| {
            let mut path = Cut::new(config());
            for n in &markers {
                path.mark(*n, "cue");
            }
            let mut sizes = sizes.iter().copied().cycle();
            let mut restart = cut;
            while path.next < 300 {
                if restart.is_some_and(|at| path.next >= at) {
                    restart = None;
                    let mut writer = SnapshotWriter::default();
                    writer.put(path.cutter.state());
                    let bytes = writer.into_bytes().unwrap();
                    path.cutter = EpochCutter::new(header(), config(), 0).unwrap();
                    path.cutter.restore(SnapshotReader::new(&bytes).take().unwrap());
                }
                path.send(sizes.next().unwrap().min(300 - path.next), Received);
            }
            path.finish();
            let bits = |e: &Window| (e.info.index, e.info.status, e.samples.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>());
            (path.epochs.iter().map(bits).collect::<Vec<_>>(), *path.cutter.counts())
        };
        let once = play(&[300], None);
        prop_assert_eq!(&once, &play(&sizes, None));
        prop_assert_eq!(&once, &play(&sizes, Some(cut)));
    }
}
