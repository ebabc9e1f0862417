//! The conformance kit on the spatial operators.

use neuraflow_core::testing::conformance::{Check, signal_operator};
use neuraflow_ops::spatial::{Bipolar, CommonAverage};

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
