//! Artifact flags and quality on a real recording whose faults are known.

use neuraflow::prelude::*;
use neuraflow::sinks::bounded;
use neuraflow::testing::data::recording;

/// What an operator says of each 50 ms window of S001R04.edf (8 samples at 160 Hz).
fn features<O>(make: impl Fn() -> O + Send + Sync + 'static) -> Option<Vec<Features>>
where
    O: Operator<In = Window, Out = Features>,
{
    let replay = Replay::open(recording("edf/S001R04.edf")?).unwrap();
    let (sink, features) = bounded(4_096, Overflow::Block);
    Pipeline::from(replay)
        .window(Tumbling::millis(50))
        .feature(make)
        .sink(sink)
        .build()
        .unwrap()
        .run()
        .unwrap();
    let features: Vec<_> = features.iter().collect();
    assert_eq!(features.len(), 2_500);
    Some(features)
}

#[test]
fn the_zeros_at_the_end_are_flat_and_nothing_else_is() {
    let Some(windows) = features(ArtifactFlags::new) else { return };
    let first = windows[0].info.index;
    let flagged = |flag: &str| {
        let column = windows[0].spec.columns.iter().position(|name| name == flag).unwrap();
        let any = |w: &&Features| w.rows().any(|(_, flags)| flags[column] == 1.0);
        windows.iter().filter(any).map(|w| w.info.index - first).collect::<Vec<_>>()
    };
    assert_eq!(flagged("flat"), (2_490..2_500).collect::<Vec<_>>());
    // Blinks exceed 150 µV, most of all at the forehead: NumPy counts the same windows. No step exceeds 50 µV/ms.
    assert_eq!(flagged("amplitude").len(), 519);
    let blinks = |channel: &str| windows.iter().filter(|w| w.get(channel, "amplitude") == Some(1.0)).count();
    assert_eq!((blinks("Fp1"), blinks("AF7")), (237, 227));
    assert!(flagged("gradient").is_empty() && flagged("rail").is_empty());
}

#[test]
fn clean_eeg_scores_high_and_the_dead_end_scores_zero() {
    let Some(windows) = features(SignalQuality::new) else { return };
    let mut scores: Vec<f64> = windows[20..2_490].iter().flat_map(|w| w.values.iter().copied()).collect();
    scores.sort_unstable_by(f64::total_cmp);
    let at = |percent: usize| scores[scores.len() * percent / 100];
    println!("quality: 1 % {:.3}, 10 % {:.3}, median {:.3}", at(1), at(10), at(50));
    assert!(at(50) > 0.95 && at(10) > 0.8, "{} {}", at(50), at(10));
    assert!(windows[2_492..].iter().flat_map(|w| &w.values).all(|score| *score == 0.0));
}
