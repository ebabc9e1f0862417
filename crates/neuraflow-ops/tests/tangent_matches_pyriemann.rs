//! The tangent space as a feature against pyRiemann, from `scripts/goldens/decoders.py`; and the conformance kit on it.
#![cfg(feature = "linalg")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

use neuraflow_core::model::{Channel, Features, Span};
use neuraflow_core::operator::{Operator, WindowItem, WindowSpec};
use neuraflow_core::testing::conformance::{Check, default_window_specs, window_operator};
use neuraflow_ops::feature::{Covariance, Tangent};
use neuraflow_ops::kernel::linalg::{TangentSpace, riemann_mean};

mod support;
mod whole;
use support::{error, index, json, list, numbers};
use whole::window;

/// A space for so many channels, at the unit matrix.
fn unit(order: usize) -> TangentSpace {
    let value = |at: usize| if at.is_multiple_of(order + 1) { 1.0 } else { 0.0 };
    TangentSpace::at(&(0..order * order).map(value).collect::<Vec<f64>>()).unwrap()
}

#[test]
fn vectors_of_epochs() {
    for golden in list(&json("tangents.json"), "tangents") {
        let (width, samples) = (index(&golden["channels"]), index(&golden["samples"]));
        let channels: Vec<Channel> = (0..width).map(|n| Channel::new(format!("E{n}"))).collect();
        let values: Vec<f32> =
            numbers(&golden["quarters"]).iter().map(|value| (value / 4.0) as f32).collect();
        let epochs = || values.chunks_exact(samples * width).enumerate();
        // Its covariances alone first, for their mean.
        let through = |operator: &mut dyn Operator<In = _, Out = Features>| -> Vec<Vec<f64>> {
            let of = |(n, epoch): (usize, &[f32])| {
                let (spec, window) = window(&channels, 250, n as u64, epoch);
                let spec = operator.prepare(&spec).unwrap();
                let mut out = Features::blank(window.info.clone(), &spec);
                operator.process(&window, &mut out).unwrap();
                out.values
            };
            epochs().map(of).collect()
        };
        let mean = riemann_mean(&through(&mut Covariance::oas())).unwrap();
        let space = TangentSpace::at(&mean).unwrap();
        let found = through(&mut Tangent::new(space, Covariance::oas())).concat();
        let off = error(&found, &numbers(&golden["vectors"]));
        println!("tangent vectors of {width} channels: {off:e}");
        assert!(off < 1e-8);
    }
}

#[test]
fn columns_have_names_and_what_does_not_fit_is_refused() {
    let channels = ["C3", "Cz", "C4"].map(Channel::new);
    let (spec, epoch) = window(&channels, 250, 0, &[1.0; 90]);
    let mut tangent = Tangent::new(unit(3), Covariance::sample());
    let layout = tangent.prepare(&spec).unwrap();
    assert_eq!(layout.columns.join(" "), "C3 C3·Cz C3·C4 Cz Cz·C4 C4");
    // Nothing varies: there is no logarithm of a singular covariance.
    let mut out = Features::blank(epoch.info.clone(), &layout);
    tangent.process(&epoch, &mut out).unwrap();
    assert!(out.values.iter().all(|value| value.is_nan()));
    let refused = |mut operator: Tangent| operator.prepare(&spec).unwrap_err().to_string();
    assert!(refused(Tangent::new(unit(2), Covariance::oas())).contains("expected 2 channels"));
    assert!(refused(Tangent::new(unit(3), Covariance::oas().by_band())).contains("FilterBank"));
}

#[test]
fn it_conforms() {
    // One reference fits one number of channels.
    let specs = default_window_specs().into_iter().map(|mut spec: WindowSpec| {
        spec.signal.channels = ["C3", "Status", "Cz"].map(Channel::new).into();
        spec
    });
    let specs: Vec<WindowSpec> = specs.collect();
    for over in [None, Some(400)] {
        let make = || {
            let covariance = Covariance::oas();
            let covariance =
                if let Some(millis) = over { covariance.over_millis(millis) } else { covariance };
            Tangent::new(unit(2), covariance)
        };
        let report = window_operator(make).specs(specs.clone()).run();
        report.assert_ok();
        assert!(report.to_string().contains(" 0 skipped"), "{report}");
        assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot));
    }
    let look_back = Tangent::new(unit(2), Covariance::oas().over_millis(400)).latency().look_back;
    assert_eq!(look_back, Span::millis(400));
}
