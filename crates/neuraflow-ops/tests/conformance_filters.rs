//! Every filter keeps every promise of an operator, at the rates of real recordings.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use neuraflow_core::model::{Channel, Chunk, SamplingRate};
use neuraflow_core::operator::{Missing, Operator, SignalSpec};
use neuraflow_core::testing::conformance::{Verdict, signal_operator};
use neuraflow_ops::filter::{Butterworth, Notch};
use neuraflow_ops::kernel::Precision;

fn spec(rate: SamplingRate, labels: &[&str], missing: Missing) -> SignalSpec {
    SignalSpec { channels: labels.iter().copied().map(Channel::new).collect(), rate, missing }
}

/// Nothing may be refused or skipped.
fn conforms_at<O: Operator<In = Chunk, Out = Chunk>>(make: impl Fn() -> O, specs: Vec<SignalSpec>) {
    let report = signal_operator(make).specs(specs).run();
    report.assert_ok();
    for outcome in &report.outcomes {
        let name = outcome.check.name();
        assert_eq!(outcome.verdict, Verdict::Passed, "{name} at {} must be checked", outcome.spec);
    }
}

fn conforms<O: Operator<In = Chunk, Out = Chunk>>(make: impl Fn() -> O) {
    let hz = |hz| SamplingRate::hz(hz).unwrap();
    // More channels than are computed side by side, and a trigger among them.
    let many = ["Fp1", "Fp2", "C3", "Status", "Cz", "C4", "O1", "O2", "EOG left", "ECG"];
    conforms_at(
        make,
        vec![
            spec(hz(160), &many, Missing::Restart),
            spec(hz(160), &["Cz"], Missing::Freeze),
            spec(hz(250), &many, Missing::Freeze),
            spec(hz(1000), &["Fz", "Status", "Cz"], Missing::Restart),
            spec(hz(30_000), &["Ch 1"], Missing::Restart),
        ],
    );
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
