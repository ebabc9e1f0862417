//! Every filter keeps every promise of an operator, at the rates of real recordings.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use neuraflow_core::model::{Channel, Chunk, SamplingRate};
use neuraflow_core::operator::{Missing, Operator, SignalSpec};
use neuraflow_core::testing::conformance::{Check, Report, Verdict, signal_operator};
use neuraflow_ops::filter::{
    Butterworth, Chebyshev1, Chebyshev2, Comb, DcRemoval, Detrend, Elliptic, Envelope, Fir, Notch, Resample,
    ZScore,
};
use neuraflow_ops::kernel::Precision;

fn spec(rate: SamplingRate, labels: &[&str], missing: Missing) -> SignalSpec {
    SignalSpec { channels: labels.iter().copied().map(Channel::new).collect(), rate, missing }
}

/// Nothing may be refused or skipped.
fn all_passed(report: &Report) {
    report.assert_ok();
    for outcome in &report.outcomes {
        let name = outcome.check.name();
        assert_eq!(outcome.verdict, Verdict::Passed, "{name} at {} must be checked", outcome.spec);
    }
}

fn conforms_at<O: Operator<In = Chunk, Out = Chunk>>(make: impl Fn() -> O, specs: Vec<SignalSpec>) {
    all_passed(&signal_operator(make).specs(specs).run());
}

fn specs() -> Vec<SignalSpec> {
    let hz = |hz| SamplingRate::hz(hz).unwrap();
    // More channels than are computed side by side, and a trigger among them.
    let many = ["Fp1", "Fp2", "C3", "Status", "Cz", "C4", "O1", "O2", "EOG left", "ECG"];
    vec![
        spec(hz(160), &many, Missing::Restart),
        spec(hz(160), &["Cz"], Missing::Freeze),
        spec(hz(250), &many, Missing::Freeze),
        spec(hz(1000), &["Fz", "Status", "Cz"], Missing::Restart),
        spec(hz(30_000), &["Ch 1"], Missing::Restart),
    ]
}

fn conforms<O: Operator<In = Chunk, Out = Chunk>>(make: impl Fn() -> O) {
    conforms_at(make, specs());
}

/// Of a filter that is not linear, and so has no impulse response to measure a delay from.
fn conforms_but_for_delay<O: Operator<In = Chunk, Out = Chunk>>(
    make: impl Fn() -> O,
    specs: Vec<SignalSpec>,
) {
    let report = signal_operator(make).specs(specs).without(Check::Delay, "not linear").run();
    report.assert_ok();
    let left_out = |verdict: &Verdict| matches!(verdict, Verdict::Skipped(why) if why.contains("not linear"));
    assert!(report.outcomes.iter().all(|o| o.verdict == Verdict::Passed || left_out(&o.verdict)), "{report}");
}

/// The specs but the one of 30 kHz, where a look-back has thousands of taps.
fn slow_specs() -> Vec<SignalSpec> {
    specs().into_iter().filter(|spec| spec.rate.as_hz() <= 1_000.0).collect()
}

#[test]
fn bandpass() {
    conforms(|| Butterworth::bandpass(4, 1.0..40.0));
}

#[test]
fn single_precision() {
    conforms(|| Butterworth::bandpass(2, 30.0..70.0).precision(Precision::Single));
    conforms(|| Notch::new(50.0, 5.0).precision(Precision::Single));
}

#[test]
fn narrow_bandpass_of_odd_order() {
    conforms(|| Butterworth::bandpass(3, 8.0..13.0));
}

#[test]
fn lowpass() {
    conforms(|| Butterworth::lowpass(4, 40.0));
}

#[test]
fn highpass() {
    conforms(|| Butterworth::highpass(2, 1.0));
}

#[test]
fn bandstop() {
    conforms(|| Butterworth::bandstop(2, 48.0..52.0));
}

#[test]
fn notch() {
    conforms(|| Notch::new(50.0, 30.0));
}

#[test]
fn a_rate_that_is_no_whole_number() {
    let rate = SamplingRate::ratio(64, 5).unwrap();
    let specs = [Missing::Restart, Missing::Freeze].map(|missing| spec(rate, &["Resp", "Status"], missing));
    conforms_at(|| Butterworth::bandpass(2, 0.1..4.0), specs.to_vec());
}

#[test]
fn chebyshev() {
    conforms(|| Chebyshev1::bandpass(4, 0.5, 1.0..40.0));
    conforms(|| Chebyshev1::lowpass(3, 1.0, 40.0));
    conforms(|| Chebyshev1::highpass(4, 0.1, 2.0));
    conforms(|| Chebyshev2::bandpass(4, 40.0, 0.5..60.0));
    conforms(|| Chebyshev2::highpass(3, 30.0, 1.0));
    conforms(|| Chebyshev2::bandstop(2, 30.0, 48.0..52.0));
}

#[test]
fn elliptic() {
    conforms(|| Elliptic::bandpass(3, 0.5, 40.0, 2.0..40.0));
    conforms(|| Elliptic::lowpass(5, 0.1, 60.0, 30.0));
    conforms_at(|| Elliptic::bandpass(2, 0.5, 30.0, 8.0..13.0).precision(Precision::Single), slow_specs());
}

#[test]
fn dc_removal() {
    conforms(|| DcRemoval::over_millis(300));
}

#[test]
fn comb() {
    let at = |hz| spec(SamplingRate::hz(hz).unwrap(), &["Fz", "Status", "Cz"], Missing::Restart);
    let frozen = spec(SamplingRate::hz(1_000).unwrap(), &["Fz", "Cz"], Missing::Freeze);
    let specs = vec![at(250), at(1_000), at(30_000), frozen];
    all_passed(&signal_operator(|| Comb::notch(50.0, 10.0)).specs(specs.clone()).delay_at(25.0).run());
    all_passed(&signal_operator(|| Comb::peak(50.0, 10.0)).specs(specs).run());
}

#[test]
fn fir() {
    conforms(|| Fir::bandpass(101, 4.0..40.0));
    conforms(|| Fir::lowpass(64, 40.0));
    conforms_at(|| Fir::highpass(51, 20.0).minimum_phase(), slow_specs());
    conforms(|| Fir::lowpass(101, 40.0).minimum_phase());
    conforms(|| Fir::lowpass(50, 40.0).minimum_phase());
    conforms_at(|| Fir::lowpass(1, 40.0), slow_specs());
}

#[test]
fn detrend() {
    for make in [Detrend::constant as fn(i64) -> Detrend, Detrend::linear] {
        for spec in slow_specs() {
            let at = spec.rate.as_hz() / 4.0;
            all_passed(&signal_operator(move || make(500)).specs([spec]).delay_at(at).run());
        }
    }
}

#[test]
fn envelope() {
    conforms_but_for_delay(|| Envelope::down_to(8.0), slow_specs());
}

#[test]
fn z_score() {
    conforms_but_for_delay(|| ZScore::running(200), specs());
    conforms_but_for_delay(|| ZScore::calibrated(200), specs());
    conforms_but_for_delay(|| ZScore::running(200).freeze_beyond(3.0), slow_specs());
}

#[test]
fn resampling() {
    let conforms = |make: fn() -> Resample, specs: Vec<SignalSpec>| {
        let report = signal_operator(make).specs(specs).run();
        report.assert_ok();
        assert!(report.passed(Check::ChunkInvariance) && report.passed(Check::Snapshot), "{report}");
    };
    conforms(|| Resample::decimate(4), specs());
    conforms(|| Resample::ratio(8, 5), slow_specs());
    conforms(|| Resample::to(SamplingRate::hz(256).unwrap()), slow_specs());
    conforms(|| Resample::to(SamplingRate::hz(125).unwrap()), specs());
}
