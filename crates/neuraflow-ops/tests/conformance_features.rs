//! The conformance kit on the features, the artifact flags and the quality score.

use neuraflow_core::operator::WindowSpec;
use neuraflow_core::testing::conformance::{Check, Report, default_window_specs, window_operator};
use neuraflow_ops::artifact::ArtifactFlags;
use neuraflow_ops::feature::{BandPower, LogVariance, Periodogram, Rms, Spectrum};
use neuraflow_ops::kernel::Precision;
use neuraflow_ops::quality::SignalQuality;

/// Every check ran on every spec; by default 250 Hz, 12.8 Hz with windows without samples, 30 kHz, 160 Hz.
fn took_every_spec(report: &Report) {
    report.assert_ok();
    assert!(report.to_string().contains(" 0 skipped"), "{report}");
    assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot));
}

/// The default specs at 30 kHz, or all the others: a second of 30 kHz, over and over, is slow without optimisation.
fn specs(fast: bool) -> Vec<WindowSpec> {
    let is_fast = |spec: &WindowSpec| spec.signal.rate.as_hz() > 1_000.0;
    default_window_specs().into_iter().filter(|spec| is_fast(spec) == fast).collect()
}

#[test]
fn rms() {
    took_every_spec(&window_operator(Rms::new).run());
    took_every_spec(&window_operator(|| Rms::new().over_millis(330)).run());
}

#[test]
fn periodogram() {
    took_every_spec(&window_operator(Periodogram::new).run());
    took_every_spec(&window_operator(|| Periodogram::new().precision(Precision::Single)).run());
}

#[test]
fn log_variance() {
    took_every_spec(&window_operator(LogVariance::new).run());
    took_every_spec(&window_operator(|| LogVariance::new().over_millis(200)).run());
}

#[test]
fn band_power() {
    let slow = || BandPower::bands([("slow", 0.5..4.0), ("theta", 4.0..6.0)]);
    took_every_spec(&window_operator(move || slow().over_millis(500)).specs(specs(false)).run());
    took_every_spec(&window_operator(move || slow().segment_millis(400)).specs(specs(false)).run());
    let single = move || slow().segment_millis(400).precision(Precision::Single);
    took_every_spec(&window_operator(single).specs(specs(false)).run());
    let fast = || BandPower::bands([("ripple", 100.0..250.0), ("spikes", 300.0..3_000.0)]);
    took_every_spec(&window_operator(move || fast().over_millis(60)).specs(specs(true)).run());
    took_every_spec(
        &window_operator(move || fast().over_millis(60).segment_millis(20)).specs(specs(true)).run(),
    );
    // At 12.8 Hz there is no alpha, and the operator says so.
    let alpha = || BandPower::bands([("alpha", 8.0..13.0)]).over_millis(300);
    let report = window_operator(alpha).specs(specs(false)).run();
    assert_eq!(report.failures().count(), 1, "{report}");
    assert!(report.failed(Check::Prepare) && report.to_string().contains("half the sampling rate"));
}

#[test]
fn spectrum() {
    took_every_spec(&window_operator(|| Spectrum::new().over_millis(500)).specs(specs(false)).run());
    let fine = || Spectrum::new().segment_millis(400).up_to_hz(45.0);
    took_every_spec(&window_operator(fine).specs(specs(false)).run());
    let fast = || Spectrum::new().over_millis(60).segment_millis(20).up_to_hz(3_000.0);
    took_every_spec(&window_operator(fast).specs(specs(true)).run());
    let single = move || fast().precision(Precision::Single);
    took_every_spec(&window_operator(single).specs(specs(true)).run());
}

#[test]
fn artifact_flags() {
    took_every_spec(&window_operator(ArtifactFlags::new).run());
    took_every_spec(&window_operator(|| ArtifactFlags::new().rails(-60.0, 60.0).amplitude(30.0)).run());
}

#[test]
fn quality() {
    took_every_spec(&window_operator(SignalQuality::new).specs(specs(false)).run());
    took_every_spec(&window_operator(|| SignalQuality::new().over_millis(100)).specs(specs(true)).run());
}
