//! The conformance kit on the features, the artifact flags and the quality score.

use neuraflow_core::testing::conformance::{Check, Report, window_operator};
use neuraflow_ops::artifact::ArtifactFlags;
use neuraflow_ops::feature::{BandPower, LogVariance, Rms};
use neuraflow_ops::quality::SignalQuality;

/// Every check ran on all five of the kit's specs: 250 Hz, 12.8 Hz with windows without samples, 30 kHz.
fn took_every_spec(report: &Report) {
    report.assert_ok();
    assert_eq!(report.outcomes.iter().filter(|o| o.check == Check::Prepare).count(), 5);
    assert!(!report.to_string().contains("skipped p"), "{report}");
    assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot));
}

#[test]
fn rms() {
    took_every_spec(&window_operator(Rms::new).run());
    took_every_spec(&window_operator(|| Rms::new().over_millis(330)).run());
}

#[test]
fn log_variance() {
    took_every_spec(&window_operator(LogVariance::new).run());
    took_every_spec(&window_operator(|| LogVariance::new().over_millis(200)).run());
}

#[test]
fn band_power() {
    let slow = || BandPower::bands([("slow", 0.5..4.0), ("theta", 4.0..6.0)]);
    took_every_spec(&window_operator(move || slow().over_millis(500)).run());
    took_every_spec(&window_operator(move || slow().segment_millis(400)).run());
    // At 12.8 Hz there is no alpha, and the operator says so.
    let report = window_operator(|| BandPower::bands([("alpha", 8.0..13.0)]).over_millis(600)).run();
    report.assert_ok();
    assert!(report.to_string().contains("half the sampling rate"), "{report}");
}

#[test]
fn artifact_flags() {
    took_every_spec(&window_operator(ArtifactFlags::new).run());
    took_every_spec(&window_operator(|| ArtifactFlags::new().rails(-60.0, 60.0).amplitude(30.0)).run());
}

#[test]
fn quality() {
    took_every_spec(&window_operator(SignalQuality::new).run());
}
