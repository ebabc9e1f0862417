//! The conformance kit on the spatial operators.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use ndarray::array;
use neuraflow_core::model::{Channel, Chunk, SamplingRate};
use neuraflow_core::operator::{Missing, Operator, SignalSpec};
use neuraflow_core::testing::conformance::{Check, signal_operator};
use neuraflow_ops::spatial::{BadChannels, Bipolar, CommonAverage, Laplacian, Montage, SpatialFilter};

#[test]
fn common_average() {
    let report = signal_operator(CommonAverage::new).run();
    report.assert_ok();
    assert!(report.passed(Check::Delay) && report.passed(Check::Gap));
}

#[test]
fn bipolar() {
    // The kit's layouts that lack one of the channels are refused, and said so.
    let report = signal_operator(|| Bipolar::pairs([("Fp1", "C3"), ("C3", "Fp1")])).run();
    report.assert_ok();
    assert!(report.passed(Check::Delay) && report.to_string().contains("one of Cz"));
}

#[test]
fn laplacian() {
    // The layout of Cz alone is refused.
    let report = signal_operator(Laplacian::new).run();
    report.assert_ok();
    assert!(
        report.passed(Check::Delay)
            && report.passed(Check::Gap)
            && report.to_string().contains("at least two")
    );
}

#[test]
fn montage() {
    let report = signal_operator(|| Montage::of(["C3", "Fp1"]).referenced_to(["Fp1"])).run();
    report.assert_ok();
    assert!(report.passed(Check::Gap));
    signal_operator(|| Montage::of(["C3"])).run().assert_ok();
}

#[test]
fn spatial_filter() {
    let weights = array![[0.5, 0.5], [1.0, -1.0], [0.0, 2.0]];
    let make = move || SpatialFilter::new(["C3", "Fp1"], ["both", "across", "Fp1 doubled"], weights.clone());
    let report = signal_operator(make).run();
    report.assert_ok();
    assert!(report.passed(Check::Delay) && report.passed(Check::Gap));
}

#[test]
fn bad_channels() {
    let report = signal_operator(|| BadChannels::of(["C3"])).run();
    report.assert_ok();
    assert!(report.passed(Check::Gap) && report.to_string().contains("one of Cz"));
}

/// What stages in a row make of one sample of Fp1, C3, Cz and C4, of which C3 is bad.
fn masked(mut stage: impl Operator<In = Chunk, Out = Chunk>) -> Vec<f32> {
    let channels = ["Fp1", "C3", "Cz", "C4"].map(Channel::new).to_vec().into();
    let spec = SignalSpec { channels, rate: SamplingRate::hz(250).unwrap(), missing: Missing::Restart };
    let mut mask = BadChannels::of(["C3"]);
    let announced = stage.prepare(&mask.prepare(&spec).unwrap()).unwrap();
    let (mut input, mut between) = (Chunk::new(0, 4), Chunk::new(0, 4));
    let mut output = Chunk::new(0, announced.channels.len());
    input.extend(&[10.0, 9_000.0, 4.0, 1.0]);
    mask.process(&input, &mut between).unwrap();
    stage.process(&between, &mut output).unwrap();
    output.values().to_vec()
}

#[test]
fn a_bad_channel_is_in_no_mean_and_in_no_difference() {
    let average = masked(CommonAverage::new());
    assert_eq!((average[0], average[2], average[3]), (5.0, -1.0, -4.0));
    assert!(average[1].is_nan());
    let pairs = masked(Bipolar::pairs([("Fp1", "C3"), ("Cz", "C4")]));
    assert!(pairs[0].is_nan() && pairs[1] == 3.0);
    let laplacian = masked(Laplacian::new());
    assert!(laplacian[1].is_nan() && laplacian[0] < 10.0 && laplacian[2] < 4.0);
    let montage = masked(Montage::of(["Cz", "C4"]).referenced_to(["C3", "Fp1"]));
    assert_eq!(montage, [-6.0, -9.0]);
}
