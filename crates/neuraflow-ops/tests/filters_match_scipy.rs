//! The filters against the committed SciPy goldens of `scripts/goldens/filters.py`. Run with `--nocapture` to see the errors
//! measured.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

mod support;

use ndarray::{Array2, ArrayRef2};
use neuraflow_core::model::SamplingRate;
use neuraflow_core::operator::OperatorError;
use neuraflow_ops::filter::{
    Chebyshev1, Chebyshev2, Comb, DcRemoval, Detrend, Elliptic, Envelope, Fir, Resample, ZScore,
};
use neuraflow_ops::kernel::{
    Missing, Response, Sos, SosFilter, chebyshev1, chebyshev2, elliptic, firwin, minimum_phase,
};
use serde_json::Value as Json;
use support::{error, index, json, list, npy, number, numbers, response};

const RATE: f64 = 250.0;

fn design(golden: &Json) -> Sos {
    let [rate, ripple, attenuation] = ["rate", "ripple", "attenuation"].map(|key| number(&golden[key]));
    let (order, response) = (index(&golden["order"]), response(golden));
    match golden["family"].as_str().unwrap() {
        "chebyshev1" => chebyshev1(order, ripple, response, rate),
        "chebyshev2" => chebyshev2(order, attenuation, response, rate),
        "elliptic" => elliptic(order, ripple, attenuation, response, rate),
        other => panic!("unknown family {other}"),
    }
    .unwrap()
}

fn label(golden: &Json) -> String {
    ["family", "order", "type", "edges", "rate", "ripple", "attenuation"]
        .map(|key| golden[key].to_string())
        .join(" ")
}

#[test]
fn designs_equal_scipy_section_by_section() {
    let goldens = json("filter_designs.json");
    let mut worst = (0.0, String::new());
    for golden in list(&goldens, "designs") {
        let (found, expected) = (design(golden), list(golden, "sos"));
        assert_eq!(found.sections().len(), expected.len(), "{}", label(golden));
        for ([b0, b1, b2, _, a1, a2], row) in found.sections().iter().zip(expected) {
            let row = numbers(row);
            let numerator = error(&[*b0, *b1, *b2], &row[..3]);
            let denominator = error(&[1.0, *a1, *a2], &[1.0, row[3], row[4]]);
            if numerator.max(denominator) >= worst.0 {
                worst = (numerator.max(denominator), label(golden));
            }
        }
    }
    println!("designs: worst error {:.1e}, {}", worst.0, worst.1);
    assert!(worst.0 <= 1e-10, "{worst:?}");
}

/// The signal that all outputs are of, `[sample][channel]` in µV.
fn signal() -> Array2<f64> {
    let counts = numbers(&json("filters.json")["quarters"]);
    Array2::from_shape_vec((counts.len() / 2, 2), counts.iter().map(|count| count / 4.0).collect()).unwrap()
}

/// What SciPy makes of it.
fn expected(name: &str) -> Vec<f64> {
    let names = &json("filters.json")["outputs"];
    let place = names.as_array().unwrap().iter().position(|known| known == name).unwrap();
    let (shape, values) = npy("filter_outputs.npy");
    let length = shape[1] * shape[2];
    values[place * length..][..length].to_vec()
}

fn close(name: &str, found: Result<Array2<f64>, OperatorError>, tolerance: f64) {
    let found = found.unwrap().into_raw_vec_and_offset().0;
    let worst = error(&found, &expected(name));
    println!("{name}: worst error {worst:.1e} of {tolerance:.0e}");
    assert!(worst <= tolerance, "{name}: {worst:e}");
}

#[test]
fn cascades_equal_sosfilt() {
    let x = signal();
    close("chebyshev1", Chebyshev1::bandpass(4, 0.5, 1.0..40.0).filter(&x, RATE), 1e-10);
    close("chebyshev2", Chebyshev2::bandpass(5, 40.0, 0.5..45.0).filter(&x, RATE), 1e-10);
    close("elliptic", Elliptic::bandstop(3, 0.5, 40.0, 45.0..57.0).filter(&x, RATE), 1e-12);
    close("dc_removal", DcRemoval::over_millis(400).filter(&x, RATE), 1e-12);
}

/// With SciPy's own coefficients, so that it is the recursion alone that is compared.
#[test]
fn cascades_of_scipys_coefficients_equal_sosfilt() {
    let (x, goldens) = (signal(), json("filters.json"));
    let cascades = goldens["cascades"].as_object().unwrap();
    assert_eq!(cascades.len(), 3);
    for (name, sos) in cascades {
        let rows = sos.as_array().unwrap().iter().map(|row| <[f64; 6]>::try_from(numbers(row)).unwrap());
        let mut filter =
            SosFilter::new(&Sos::from_sections(rows.collect()).unwrap(), 2, Missing::Restart).unwrap();
        let mut found = vec![0.0; x.len()];
        filter.process(as_slice(&x), &mut found).unwrap();
        let worst = error(&found, &expected(name));
        println!("{name}, SciPy's coefficients: worst error {worst:.1e}");
        assert!(worst <= 1e-12, "{name}: {worst:e}");
    }
}

#[test]
fn filters_with_a_past_equal_scipy() {
    let x = signal();
    close("comb_notch", Comb::notch(50.0, 30.0).filter(&x, RATE), 1e-10);
    close("comb_peak", Comb::peak(50.0, 30.0).filter(&x, RATE), 1e-10);
    close("fir_lowpass", Fir::lowpass(101, 40.0).filter(&x, RATE), 1e-12);
    close("fir_bandstop", Fir::bandstop(75, 40.0..60.0).filter(&x, RATE), 1e-12);
    close("fir_early", Fir::lowpass(101, 40.0).minimum_phase().filter(&x, RATE), 1e-10);
    close("detrend_constant", Detrend::constant(400).filter(&x, RATE), 1e-12);
    close("detrend_linear", Detrend::linear(400).filter(&x, RATE), 1e-12);
    close("envelope", Envelope::down_to(8.0).filter(&x, RATE), 1e-12);
    close("z_running", ZScore::running(300).filter(&x, RATE), 1e-12);
    close("z_calibrated", ZScore::calibrated(600).filter(&x, RATE), 1e-12);
}

#[test]
fn taps_equal_firwin_and_minimum_phase() {
    let goldens = json("filters.json");
    let (mut linear, mut early) = (0.0_f64, 0.0_f64);
    for golden in list(&goldens, "firs") {
        let taps = firwin(index(&golden["taps"]), response(golden), number(&golden["rate"])).unwrap();
        linear = linear.max(error(&taps, &numbers(&golden["linear"])));
        early = early.max(error(&minimum_phase(&taps).unwrap(), &numbers(&golden["early"])));
    }
    println!("firwin: {linear:.1e}, minimum phase: {early:.1e}");
    assert!(linear <= 1e-14 && early <= 1e-10, "{linear:e} {early:e}");
}

#[test]
fn resampling_equals_the_causal_part_of_resample_poly() {
    let goldens = json("filters.json");
    let (x, (_, all)) = (signal(), npy("resampled.npy"));
    let mut rest = &all[..];
    for golden in list(&goldens, "resampled") {
        let [up, down] = ["up", "down"].map(|key| golden[key].as_u64().unwrap());
        let found = Resample::ratio(up, down).filter(&x, SamplingRate::hz(250).unwrap()).unwrap();
        let (expected, after) = rest.split_at(found.len());
        let worst = error(as_slice(&found), expected);
        println!("resampling by {up}/{down}: {worst:.1e}");
        assert!(worst <= 1e-12, "{up}/{down}: {worst:e}");
        rest = after;
    }
    assert!(rest.is_empty());
}

fn as_slice(values: &ArrayRef2<f64>) -> &[f64] {
    values.as_slice().unwrap()
}

#[test]
fn what_cannot_be_is_refused_with_a_way_out() {
    let x = signal();
    let refused = |found: Result<Array2<f64>, OperatorError>| found.unwrap_err().to_string();
    assert!(refused(Chebyshev1::lowpass(4, 3.5, 40.0).filter(&x, RATE)).contains("below 3.01 dB"));
    assert!(refused(Chebyshev2::lowpass(4, 2.0, 40.0).filter(&x, RATE)).contains("above 3.01 dB"));
    assert!(refused(Elliptic::lowpass(0, 0.5, 40.0, 40.0).filter(&x, RATE)).contains("filter order"));
    assert!(refused(Elliptic::highpass(4, 0.5, 40.0, 130.0).filter(&x, RATE)).contains("Nyquist 125"));
    assert!(refused(Comb::notch(60.0, 30.0).filter(&x, RATE)).contains("whole number of samples"));
    assert!(refused(Comb::notch(50.0, 1.0).filter(&x, RATE)).contains("above 1,"));
    assert!(refused(DcRemoval::over_millis(0).filter(&x, RATE)).contains("time constant"));
    assert!(refused(Fir::highpass(50, 20.0).filter(&x, RATE)).contains("odd"));
    assert!(refused(Fir::lowpass(0, 20.0).filter(&x, RATE)).contains("1 to 65,536"));
    assert!(refused(Fir::bandpass(51, 30.0..8.0).filter(&x, RATE)).contains("swap"));
    assert!(refused(Detrend::linear(4).filter(&x, RATE)).contains("3 to 65536 samples"));
    assert!(refused(Envelope::down_to(70.0).filter(&x, RATE)).contains("62.5 Hz"));
    assert!(refused(ZScore::calibrated(0).filter(&x, RATE)).contains("at least a sample"));
    assert!(refused(ZScore::running(100).freeze_beyond(0.0).filter(&x, RATE)).contains("above 0"));
    let hz = SamplingRate::hz(250).unwrap();
    assert!(refused(Resample::decimate(0).filter(&x, hz)).contains("1 or more"));
    assert!(refused(Resample::ratio(9001, 9000).filter(&x, hz)).contains("8192"));
    assert!(
        refused(Resample::ratio(8000, 1).filter(&x, SamplingRate::hz(30_000).unwrap())).contains("100000000")
    );
    assert!(chebyshev1(2, f64::NAN, Response::Lowpass(10.0), RATE).is_err());
}
