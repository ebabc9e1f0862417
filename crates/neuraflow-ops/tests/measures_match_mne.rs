//! Artifacts, quality and features against the committed SciPy and MNE goldens of `scripts/goldens/measures.py`. Run with
//! `--nocapture` to see the errors measured.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

mod support;

use std::sync::Arc;

use ndarray::Array2;
use neuraflow_core::model::{
    Channel, Chunk, Features, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Missing, Operator, SignalSpec, WindowItem, WindowSpec};
use neuraflow_ops::artifact::{Blinks, EogRegression, EogWeights, Kurtosis};
use neuraflow_ops::feature::{
    Aperiodic, Coherence, EnvelopePower, Hjorth, LineLength, Morlet, Multitaper, PhaseLocking,
};
use neuraflow_ops::quality::{LineNoise, Railed};
use serde_json::Value as Json;
use support::{error, index, json, list, number, numbers};

fn rate() -> SamplingRate {
    SamplingRate::hz(250).unwrap()
}

fn signal(channels: &[&str]) -> SignalSpec {
    let channels = channels.iter().copied().map(Channel::new).collect();
    SignalSpec { channels, rate: rate(), missing: Missing::Restart }
}

/// Values in µV of a golden that has quarters.
fn values(golden: &Json) -> Vec<f64> {
    numbers(&golden["quarters"]).iter().map(|quarter| quarter / 4.0).collect()
}

/// What a feature says of every window of 50 ms of sample-major values.
fn by_windows<O>(mut feature: O, values: &[f64], channels: &[&str]) -> Vec<Vec<f64>>
where
    O: Operator<In = Window, Out = Features>,
{
    let signal = signal(channels);
    let spec = feature.prepare(&WindowSpec { signal: signal.clone(), hop: Span::millis(50) }).unwrap();
    let header = StreamHeader::new(StreamKey::default(), "golden", signal.rate, signal.channels.to_vec());
    let stream = Arc::new(header);
    let (width, mut out) = (channels.len(), Vec::new());
    for index in 0.. {
        let edge = |index: i64| signal.rate.first_at_or_after(Span::millis(50 * index)) as usize;
        let (from, to) = (edge(index), edge(index + 1));
        let Some(part) = values.get(from * width..to * width) else { break };
        let mut samples = Chunk::new(from as u64, width);
        samples.extend(&part.iter().map(|value| *value as f32).collect::<Vec<_>>());
        let count = (to - from) as u32;
        let info = WindowInfo {
            start: stream.t0 + Span::millis(50 * index),
            end: stream.t0 + Span::millis(50 * (index + 1)),
            stream: stream.clone(),
            index,
            expected: count,
            received: count,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        let mut item = Features::blank(info.clone(), &spec);
        feature.process(&Window { info, samples }, &mut item).unwrap();
        out.push(item.values);
    }
    out
}

fn close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    let worst = error(found, expected);
    println!("{what}: worst error {worst:.1e} of {tolerance:.0e}");
    assert!(worst <= tolerance, "{what}: {worst:e}, {found:?} for {expected:?}");
}

/// All numbers of a list of lists.
fn flat(golden: &Json) -> Vec<f64> {
    golden.as_array().unwrap().iter().flat_map(numbers).collect()
}

#[test]
fn statistics_of_a_look_back_equal_scipy() {
    let golden = json("measures.json");
    let x = values(&golden);
    let millis = 4 * golden["length"].as_i64().unwrap();
    let of = |found: Result<Vec<f64>, _>| -> Vec<f64> {
        let found: Result<Vec<f64>, neuraflow_core::operator::OperatorError> = found;
        found.unwrap()
    };
    let kurtosis = Kurtosis::new().over_millis(millis);
    close("kurtosis", &of(kurtosis.of_samples(&x, 2, rate())), &numbers(&golden["kurtosis"]), 1e-12);
    let hjorth = Hjorth::new().over_millis(millis);
    for (found, expected) in of(hjorth.of_samples(&x, 2, rate())).iter().zip(flat(&golden["hjorth"])) {
        close("hjorth", &[*found], &[expected], 1e-12);
    }
    let length = LineLength::new().over_millis(millis);
    close("line length", &of(length.of_samples(&x, 2, rate())), &numbers(&golden["line_length"]), 1e-12);
    let noise = LineNoise::at(50.0).over_millis(millis);
    close("line noise", &of(noise.of_samples(&x, 2, rate())), &numbers(&golden["line_noise"]), 1e-12);
    let aperiodic = Aperiodic::between(2.0..40.0).without(8.0..13.0).over_millis(millis);
    for (found, expected) in of(aperiodic.of_samples(&x, 2, rate())).iter().zip(flat(&golden["aperiodic"])) {
        close("aperiodic", &[*found], &[expected], 1e-10);
    }
    // Window by window it is the same to the bit.
    for (whole, windows) in [
        (of(kurtosis.of_samples(&x, 2, rate())), by_windows(kurtosis, &x, &["C3", "C4"])),
        (of(hjorth.of_samples(&x, 2, rate())), by_windows(hjorth, &x, &["C3", "C4"])),
        (of(noise.of_samples(&x, 2, rate())), by_windows(noise, &x, &["C3", "C4"])),
        (of(aperiodic.of_samples(&x, 2, rate())), by_windows(aperiodic, &x, &["C3", "C4"])),
    ] {
        assert_eq!(windows.last().unwrap(), &whole);
        assert!(windows[0].iter().all(|value| value.is_nan()));
    }
}

#[test]
fn multitaper_spectra_equal_mne() {
    let golden = json("measures.json");
    let x = values(&golden);
    for case in list(&golden, "multitaper") {
        let spectrum = Multitaper::new().over_millis(4 * case["samples"].as_i64().unwrap());
        let spectrum = match case["bandwidth"].as_f64() {
            Some(hz) => spectrum.bandwidth_hz(hz),
            None => spectrum,
        };
        let found = spectrum.of_samples(&x, 2, rate()).unwrap();
        close(&format!("multitaper over {}", case["samples"]), &found, &flat(&case["density"]), 1e-10);
    }
}

#[test]
fn morlet_powers_equal_mne() {
    let golden = json("measures.json");
    let x = values(&golden);
    for case in list(&golden, "morlet") {
        let morlet = Morlet::at(numbers(&case["frequencies"])).cycles(number(&case["cycles"]));
        let found = morlet.of_samples(&x, 2, rate()).unwrap();
        close("morlet", &found, &flat(&case["power"]), 1e-10);
        assert_eq!(by_windows(morlet, &x, &["C3", "C4"]).last().unwrap(), &found);
    }
}

#[test]
fn envelope_powers_equal_scipy() {
    let golden = json("measures.json");
    let x = values(&golden);
    for case in list(&golden, "envelope_power") {
        let edges = numbers(&case["band"]);
        let power = EnvelopePower::bands([("band", edges[0]..edges[1])])
            .order(index(&case["order"]))
            .smoothed_millis(case["ms"].as_i64().unwrap());
        let windows = by_windows(power, &x, &["C3", "C4"]);
        close("envelope power", windows.last().unwrap(), &numbers(&case["power"]), 1e-10);
    }
}

#[test]
fn couplings_equal_scipy() {
    let golden = json("measures.json");
    let x = values(&golden);
    let millis = 4 * golden["length"].as_i64().unwrap();
    for case in list(&golden, "phase_locking") {
        let edges = numbers(&case["band"]);
        let locking = PhaseLocking::of([("C3", "C4")], [("band", edges[0]..edges[1])]).over_millis(millis);
        // Filtered samples wait in f32, as all samples do.
        let found = by_windows(locking, &x, &["C3", "C4"]);
        close("phase locking", found.last().unwrap(), &[number(&case["value"])], 1e-6);
    }
    for case in list(&golden, "coherence") {
        let edges = numbers(&case["band"]);
        let coherence = Coherence::of([("C3", "C4"), ("c4", "c3")], [("band", edges[0]..edges[1])])
            .over_millis(millis)
            .segment_millis(4 * case["segment"].as_i64().unwrap());
        let expected = number(&case["value"]);
        let found = by_windows(coherence, &x, &["C3", "C4"]);
        close("coherence", found.last().unwrap(), &[expected, expected], 1e-10);
    }
}

#[test]
fn eog_regression_equals_mne() {
    let golden = &json("measures.json")["eog_regression"];
    let x = values(golden);
    let labels = ["Fp1", "Fp2", "Cz", "EOG left", "EOG right"];
    let channels: Vec<Channel> = labels.iter().copied().map(Channel::new).collect();
    let recording = Array2::from_shape_vec((x.len() / 5, 5), x.clone()).unwrap();
    let weights = EogWeights::fit(recording.view(), &channels).unwrap();
    close("EOG weights", weights.values(), &flat(&golden["weights"]), 1e-10);

    let mut regression = EogRegression::new(weights.clone());
    regression.prepare(&signal(&labels)).unwrap();
    // MNE takes the mean of the recording off the EOG, which a stream does not know.
    let means = numbers(&golden["eye_means"]);
    let mut cleaned: Vec<f64> = x.clone();
    for sample in cleaned.chunks_exact_mut(5) {
        sample[3] -= means[0];
        sample[4] -= means[1];
    }
    regression.apply(&mut cleaned).unwrap();
    let found: Vec<f64> =
        cleaned.chunks_exact(5).step_by(20).flat_map(|sample| &sample[..3]).copied().collect();
    close("EOG taken off", &found, &numbers(&golden["cleaned"]), 1e-10);

    // Weights survive being written down.
    let text = serde_json::to_string(&weights).unwrap();
    assert_eq!(serde_json::from_str::<EogWeights>(&text).unwrap(), weights);
}

#[test]
fn blinks_are_those_of_the_naive_detector() {
    let golden = &json("measures.json")["blinks"];
    let windows = by_windows(Blinks::new(), &values(golden), &["Fp1"]);
    let expected = list(golden, "windows");
    assert_eq!(windows.len(), expected.len());
    let mut onsets = 0.0;
    for (found, expected) in windows.iter().zip(expected) {
        let expected = numbers(expected);
        assert_eq!(found[..2], expected[..2]);
        assert!((found[2] - expected[2]).abs() <= 1e-9, "{found:?} for {expected:?}");
        onsets += found[1];
    }
    assert!(onsets >= 4.0, "{onsets}");
}

#[test]
fn railed_counts_both_rails_and_leaves_missing_values_out() {
    let x = [1.0, 5.0, 9.0, -5.0, f64::NAN, 5.1, f64::INFINITY, 0.0];
    let railed = Railed::at(-5.0, 5.0).over_millis(32);
    let percent = railed.of_samples(&x, 1, rate()).unwrap();
    assert_eq!(percent, [100.0 * 4.0 / 6.0]);
}

#[test]
fn what_cannot_be_is_refused_with_a_way_out() {
    let (x, rate) = (vec![0.0; 1000], rate());
    let refused =
        |found: Result<Vec<f64>, neuraflow_core::operator::OperatorError>| found.unwrap_err().to_string();
    assert!(refused(Kurtosis::new().over_millis(8).of_samples(&x, 1, rate)).contains("at least 4"));
    assert!(refused(Hjorth::new().over_millis(0).of_samples(&x, 1, rate)).contains("look-back"));
    assert!(refused(Hjorth::new().over_millis(10_000).of_samples(&x, 1, rate)).contains("at least the 2500"));
    assert!(refused(LineNoise::at(50.0).over_millis(200).of_samples(&x, 1, rate)).contains("1000 ms"));
    assert!(refused(LineNoise::at(130.0).of_samples(&x, 1, rate)).contains("Nyquist 125"));
    assert!(refused(Railed::at(5.0, 5.0).of_samples(&x, 1, rate)).contains("low end"));
    assert!(refused(Multitaper::new().bandwidth_hz(0.5).of_samples(&x, 1, rate)).contains("from 1 Hz"));
    assert!(refused(Multitaper::new().bandwidth_hz(250.0).of_samples(&x, 1, rate)).contains("below 64 Hz"));
    assert!(refused(Multitaper::new().up_to_hz(-1.0).of_samples(&x, 1, rate)).contains("0 Hz or more"));
    assert!(refused(Morlet::at([130.0]).of_samples(&x, 1, rate)).contains("Nyquist 125"));
    assert!(refused(Morlet::at([10.0]).cycles(0.0).of_samples(&x, 1, rate)).contains("cycles"));
    assert!(refused(Aperiodic::between(0.0..40.0).of_samples(&x, 1, rate)).contains("above 0 Hz"));
    assert!(refused(Aperiodic::between(10.0..11.5).of_samples(&x, 1, rate)).contains("three bins"));
    assert!(
        refused(Aperiodic::between(2.0..40.0).segment_millis(5_000).of_samples(&x, 1, rate))
            .contains("segment")
    );
    let windows = WindowSpec { signal: signal(&["C3", "C4", "Status"]), hop: Span::millis(50) };
    fn prepared(mut feature: impl Operator<In = Window, Out = Features>, spec: &WindowSpec) -> String {
        feature.prepare(spec).unwrap_err().to_string()
    }
    let alpha = || [("alpha", 8.0..13.0)];
    assert!(prepared(Coherence::of([("C3", "Oz")], alpha()), &windows).contains("one of C3, C4, Status"));
    assert!(prepared(Coherence::of([("C3", "C3")], alpha()), &windows).contains("two different"));
    assert!(prepared(Coherence::of([("C3", "Status")], alpha()), &windows).contains("no triggers"));
    assert!(prepared(PhaseLocking::of([("C3", "C4")], [("all", 0.0..130.0)]), &windows).contains("Nyquist"));
    assert!(prepared(PhaseLocking::of::<&str, &str, &str>([], alpha()), &windows).contains("at least one"));
    assert!(
        prepared(EnvelopePower::bands(alpha()).smoothed_millis(0), &windows).contains("at least a sample")
    );
    assert!(prepared(EnvelopePower::bands::<&str>([]), &windows).contains("at least one"));
    assert!(prepared(Blinks::new(), &windows).contains("Blinks::channels"));
    assert!(prepared(Blinks::new().channels(["C3"]).threshold(0.0), &windows).contains("above 0"));
}
