//! Artifact flags and quality on a real recording, whose faults are known.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test's helpers fail by panicking")]

#[path = "support/edf.rs"]
#[allow(unreachable_pub, dead_code, reason = "shared by the test binaries, each its own crate")]
mod edf;

use std::sync::Arc;

use neuraflow_core::model::{
    Chunk, Features, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Missing, Operator, SignalSpec, WindowSpec};
use neuraflow_ops::artifact::ArtifactFlags;
use neuraflow_ops::quality::SignalQuality;

/// What `feature` says of each 50 ms window (8 samples) of a recording at 160 Hz.
fn run(mut feature: impl Operator<In = Window, Out = Features>, recording: &edf::Recording) -> Vec<Features> {
    let rate = SamplingRate::hz(160).unwrap();
    let header = StreamHeader::new(StreamKey::default(), "recording", rate, recording.channels.clone());
    let stream = Arc::new(header);
    let signal = SignalSpec { channels: stream.channels.clone(), rate, missing: Missing::Restart };
    let layout = feature.prepare(&WindowSpec { signal, hop: Span::millis(50) }).unwrap();
    let width = stream.channels.len();
    let windows = recording.values.chunks_exact(8 * width).enumerate();
    windows
        .map(|(index, values)| {
            let mut samples = Chunk::new(8 * index as u64, width);
            samples.extend(values);
            let start = stream.t0 + Span::millis(50 * index as i64);
            let info = WindowInfo {
                stream: stream.clone(),
                index: index as i64,
                start,
                end: start + Span::millis(50),
                expected: 8,
                received: 8,
                imputed: 0,
                status: WindowStatus::Complete,
                warm_up: false,
                arrival: 0,
                marker: None,
            };
            let values = vec![f64::NAN; layout.len()];
            let mut out = Features { info: info.clone(), spec: layout.clone(), values };
            feature.process(&Window { info, samples }, &mut out).unwrap();
            out
        })
        .collect()
}

#[test]
fn the_zeros_at_the_end_are_flat_and_nothing_else_is() {
    let Some(recording) = edf::recording("edf/S001R04.edf") else { return };
    let windows = run(ArtifactFlags::new(), &recording);
    assert_eq!(windows.len(), 2500);
    let flagged = |column: usize| {
        let any = |w: &&Features| w.rows().any(|(_, flags)| flags[column] == 1.0);
        windows.iter().filter(any).map(|w| w.info.index).collect::<Vec<_>>()
    };
    assert_eq!(flagged(2), (2490..2500).collect::<Vec<_>>());
    println!(
        "windows with any channel flagged: amplitude {}, gradient {}, flat {}, rail {}",
        flagged(0).len(),
        flagged(1).len(),
        flagged(2).len(),
        flagged(3).len()
    );
    // Blinks exceed 150 µV, most of all at the forehead: NumPy counts the same 519 windows. No step exceeds 50 µV/ms.
    assert_eq!(flagged(0).len(), 519);
    let blinks = |label: &str| windows.iter().filter(|w| w.get(label, "amplitude") == Some(1.0)).count();
    assert_eq!((blinks("Fp1."), blinks("Af7.")), (237, 227));
    assert!(flagged(1).is_empty() && flagged(3).is_empty());
}

#[test]
fn clean_eeg_scores_high_and_the_dead_end_scores_zero() {
    let Some(recording) = edf::recording("edf/S001R04.edf") else { return };
    let windows = run(SignalQuality::new(), &recording);
    let mut scores: Vec<f64> = windows[20..2490].iter().flat_map(|w| w.values.iter().copied()).collect();
    scores.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| scores[scores.len() * percent / 100];
    println!("quality: 1 % {:.3}, 10 % {:.3}, median {:.3}", at(1), at(10), at(50));
    assert!(at(50) > 0.95 && at(10) > 0.8, "{} {}", at(50), at(10));
    assert!(windows[2492..].iter().flat_map(|w| &w.values).all(|score| *score == 0.0));
}
