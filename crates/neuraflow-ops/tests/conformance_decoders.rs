//! The conformance kit on the decoders.

#![cfg(feature = "linalg")]

use neuraflow_core::model::Channel;
use neuraflow_core::operator::WindowSpec;
use neuraflow_core::testing::conformance::{Check, Report, default_window_specs, window_operator};
use neuraflow_ops::decode::{Cca, Fbcca};

fn took_every_spec(report: &Report) {
    report.assert_ok();
    assert!(report.to_string().contains(" 0 skipped"), "{report}");
    assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot) && report.passed(Check::Causality));
}

/// The default specs: those at 12.8 Hz, up to 250 Hz, and at 30 kHz.
fn specs(from: f64, to: f64) -> Vec<WindowSpec> {
    let within = |spec: &WindowSpec| (from..to).contains(&spec.signal.rate.as_hz());
    default_window_specs().into_iter().filter(within).collect()
}

const SLOW: [(&str, f64); 3] = [("a", 1.5), ("b", 2.0), ("c", 2.7)];
const USUAL: [(&str, f64); 3] = [("a", 13.0), ("b", 17.0), ("c", 21.0)];
const FAST: [(&str, f64); 2] = [("a", 300.0), ("b", 450.0)];

#[test]
fn cca() {
    took_every_spec(&window_operator(|| Cca::new(SLOW).over_millis(2_000)).specs(specs(0.0, 300.0)).run());
    took_every_spec(&window_operator(|| Cca::new(USUAL).over_millis(500)).specs(specs(100.0, 300.0)).run());
    took_every_spec(&window_operator(|| Cca::new(FAST).harmonics(3)).specs(specs(1_000.0, 1e6)).run());
}

#[test]
fn fbcca() {
    let slow = || Fbcca::new(SLOW, [1.0..6.0, 2.5..6.0]).over_millis(2_000);
    took_every_spec(&window_operator(slow).specs(specs(0.0, 300.0)).run());
    let usual = || Fbcca::new(USUAL, [10.0..70.0, 24.0..70.0]).over_millis(400);
    took_every_spec(&window_operator(usual).specs(specs(100.0, 300.0)).run());
    let fast = || Fbcca::new(FAST, [250.0..3_000.0]).over_millis(60);
    took_every_spec(&window_operator(fast).specs(specs(1_000.0, 1e6)).run());
}

#[test]
fn specs_that_no_flicker_fits_are_refused() {
    let report = window_operator(|| Cca::new(USUAL)).run();
    report.assert_ok();
    assert!(report.to_string().contains("below Nyquist 6.4 Hz"), "{report}");
    // The kit's channels without an electrode among them.
    let mut blind = specs(200.0, 300.0);
    blind[0].signal.channels = [Channel::new("EOG left"), Channel::new("Status")].into();
    let report = window_operator(|| Cca::new(USUAL)).specs(blind).run();
    assert!(report.failed(Check::Prepare) && report.to_string().contains("an EEG channel"), "{report}");
}
