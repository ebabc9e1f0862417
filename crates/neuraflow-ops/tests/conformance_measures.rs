//! The conformance kit on the measures of the signal that keep a look-back or filters.

use neuraflow_core::operator::WindowSpec;
use neuraflow_core::testing::conformance::{
    Check, Report, default_window_specs, signal_operator, window_operator,
};
use neuraflow_ops::artifact::{Blinks, EogRegression, EogWeights, Kurtosis};
use neuraflow_ops::feature::{
    Aperiodic, Coherence, EnvelopePower, Hjorth, LineLength, Morlet, Multitaper, PhaseLocking,
};
use neuraflow_ops::quality::{LineNoise, Railed};

/// Every check ran on every spec that was named.
fn took_every_spec(report: &Report) {
    report.assert_ok();
    assert!(report.to_string().contains(" 0 skipped"), "{report}");
    assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot));
}

/// The default specs of these rates.
fn at(from: f64, to: f64) -> Vec<WindowSpec> {
    let within = |spec: &WindowSpec| (from..=to).contains(&spec.signal.rate.as_hz());
    default_window_specs().into_iter().filter(within).collect()
}

/// Those of 250 Hz, whose layout has Fp1, C3, Cz, O2, an EOG and a trigger.
fn mixed() -> Vec<WindowSpec> {
    at(250.0, 250.0)
}

#[test]
fn statistics_of_a_look_back() {
    took_every_spec(&window_operator(|| Kurtosis::new().over_millis(330)).specs(at(0.0, 1_000.0)).run());
    took_every_spec(&window_operator(|| Kurtosis::new().over_millis(60)).specs(at(1_000.0, 1e6)).run());
    took_every_spec(&window_operator(|| Hjorth::new().over_millis(330)).specs(at(0.0, 1_000.0)).run());
    took_every_spec(&window_operator(|| LineLength::new().over_millis(330)).specs(at(0.0, 1_000.0)).run());
    took_every_spec(
        &window_operator(|| Railed::at(-20.0, 20.0).over_millis(330)).specs(at(0.0, 1_000.0)).run(),
    );
}

#[test]
fn line_noise() {
    took_every_spec(&window_operator(|| LineNoise::at(5.0)).specs(at(0.0, 1_000.0)).run());
}

#[test]
fn multitaper() {
    took_every_spec(&window_operator(|| Multitaper::new().over_millis(660)).specs(at(0.0, 1_000.0)).run());
    let fast = || Multitaper::new().over_millis(20).bandwidth_hz(200.0).up_to_hz(3_000.0);
    took_every_spec(&window_operator(fast).specs(at(1_000.0, 1e6)).run());
}

#[test]
fn morlet() {
    took_every_spec(&window_operator(|| Morlet::at([5.0, 3.5]).cycles(3.0)).specs(at(0.0, 1_000.0)).run());
    took_every_spec(&window_operator(|| Morlet::at([300.0, 900.0])).specs(at(1_000.0, 1e6)).run());
}

#[test]
fn aperiodic() {
    let fit = || Aperiodic::between(1.0..6.0).over_millis(1_000);
    took_every_spec(&window_operator(fit).specs(at(0.0, 1_000.0)).run());
}

#[test]
fn envelope_power() {
    let slow =
        || EnvelopePower::bands([("slow", 0.5..4.0), ("theta", 4.0..6.0)]).order(2).smoothed_millis(100);
    took_every_spec(&window_operator(slow).specs(at(0.0, 1_000.0)).run());
    let fast = || EnvelopePower::bands([("spikes", 300.0..3_000.0)]).smoothed_millis(5);
    took_every_spec(&window_operator(fast).specs(at(1_000.0, 1e6)).run());
}

#[test]
fn couplings() {
    let bands = || [("alpha", 8.0..13.0), ("beta", 13.0..30.0)];
    let pairs = || [("C3", "O2"), ("Fp1", "Cz"), ("C3", "Fp1")];
    let locking = move || PhaseLocking::of(pairs(), bands()).over_millis(400).order(2);
    took_every_spec(&window_operator(locking).specs(mixed()).run());
    let coherence = move || Coherence::of(pairs(), bands()).over_millis(1_000).segment_millis(250);
    took_every_spec(&window_operator(coherence).specs(mixed()).run());
}

#[test]
fn blinks() {
    took_every_spec(&window_operator(|| Blinks::new().threshold(5.0)).specs(mixed()).run());
    took_every_spec(&window_operator(|| Blinks::new().channels(["C3"]).threshold(3.0)).specs(mixed()).run());
}

#[test]
fn eog_regression() {
    let spec = default_window_specs().remove(0).signal;
    let channels = spec.channels.len();
    let recording = ndarray::Array2::from_shape_fn((200, channels), |(n, c)| ((n * (c + 3)) % 17) as f64);
    let weights = EogWeights::fit(recording.view(), &spec.channels).unwrap();
    let report = signal_operator(move || EogRegression::new(weights.clone())).run();
    report.assert_ok();
    assert!(report.passed(Check::Delay) && report.passed(Check::Gap), "{report}");
}
