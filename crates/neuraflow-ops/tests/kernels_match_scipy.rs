//! Kernels against the committed SciPy goldens. Run with `--nocapture` to see the errors measured.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

mod support;

use neuraflow_ops::kernel::{
    Band, Detrend, Missing, Psd, Sos, SosFilter, Window, butterworth, gather_channel, notch, stats,
};
use serde_json::Value as Json;
use support::{error, index, json, list, npy, number, numbers, response};

/// Prints the worst error of a group, and fails above the tolerance.
struct Worst {
    what: &'static str,
    tolerance: f64,
    worst: f64,
    at: String,
}

impl Worst {
    fn new(what: &'static str, tolerance: f64) -> Self {
        Self { what, tolerance, worst: 0.0, at: String::new() }
    }

    fn add(&mut self, error: f64, at: impl std::fmt::Display) {
        if error >= self.worst {
            self.worst = error;
            self.at = at.to_string();
        }
    }
}

impl Drop for Worst {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        println!("{}: worst error {:.1e} of {:.0e}, {}", self.what, self.worst, self.tolerance, self.at);
        assert!(self.worst <= self.tolerance, "{}: {:e} at {}", self.what, self.worst, self.at);
    }
}

fn label(golden: &Json) -> String {
    format!("order {} {} {} at {} Hz", golden["order"], golden["type"], golden["edges"], golden["rate"])
}

fn sos(golden: &Json) -> Sos {
    let row = |row: &Json| <[f64; 6]>::try_from(numbers(row)).unwrap();
    Sos::from_sections(list(golden, "sos").iter().map(row).collect()).unwrap()
}

#[test]
fn butterworth_designs() {
    let goldens = json("designs.json");
    let mut worst = Worst::new("butterworth coefficients", 1e-10);
    for golden in list(&goldens, "butterworth") {
        let design = butterworth(index(&golden["order"]), response(golden), number(&golden["rate"])).unwrap();
        let expected = list(golden, "sos");
        assert_eq!(design.sections().len(), expected.len(), "{}", label(golden));
        for ([b0, b1, b2, _, a1, a2], row) in design.sections().iter().zip(expected) {
            let row = numbers(row);
            // Relative to the greatest of numerator and denominator: a coefficient that should be 0 is noise.
            worst.add(error(&[*b0, *b1, *b2], &row[..3]), label(golden));
            worst.add(error(&[1.0, *a1, *a2], &[1.0, row[3], row[4]]), label(golden));
        }
    }
}

#[test]
fn notch_designs() {
    let goldens = json("designs.json");
    let mut worst = Worst::new("notch coefficients", 1e-10);
    for golden in list(&goldens, "notch") {
        let [frequency, quality, rate] = ["frequency", "quality", "rate"].map(|key| number(&golden[key]));
        let design = notch(frequency, quality, rate).unwrap();
        let [[b0, b1, b2, a0, a1, a2]] = design.sections() else { panic!("expected one section") };
        worst.add(error(&[*b0, *b1, *b2], &numbers(&golden["b"])), golden);
        worst.add(error(&[*a0, *a1, *a2], &numbers(&golden["a"])), golden);
    }
}

#[test]
fn frequency_responses_and_delays() {
    let goldens = json("responses.json");
    let mut gain = Worst::new("gain against 50 digits", 1e-12);
    let mut delay = Worst::new("group delay against 50 digits", 1e-12);
    let mut scipy = Worst::new("group delay against SciPy where SciPy is good to 1e-10", 1e-9);
    for golden in list(&goldens, "filters") {
        let (filter, rate) = (sos(golden), number(&golden["rate"]));
        let exact_delays = numbers(&golden["group_delay_exact"]);
        let scipy_delays = numbers(&golden["group_delay"]);
        for (n, frequency) in numbers(&golden["frequencies"]).into_iter().enumerate() {
            let at = format!("{} at {frequency} Hz", golden["name"]);
            let found = filter.frequency_response(frequency, rate);
            gain.add(error(&[found.re, found.im], &numbers(&golden["gain_exact"][n])), &at);
            let found = filter.group_delay_at(frequency, rate);
            // In samples below one sample: at the far end of a high-pass two delays cancel to almost nothing.
            delay.add((found - exact_delays[n]).abs() / exact_delays[n].abs().max(1.0), &at);
            if error(&scipy_delays[n..=n], &exact_delays[n..=n]) < 1e-10 {
                scipy.add(error(&[found], &scipy_delays[n..=n]), &at);
            }
        }
    }
}

#[test]
fn steady_states() {
    let goldens = json("responses.json");
    let mut exact = Worst::new("steady state against 50 digits", 1e-12);
    // SciPy solves (I - A) z = B with a condition number of about 1 / (1 + a1 + a2).
    let mut scipy = Worst::new("steady state against SciPy, over its condition number", 1e-14);
    for golden in list(&goldens, "filters") {
        let filter = sos(golden);
        let condition = filter.sections().iter().map(|s| 4.0 / (1.0 + s[4] + s[5])).fold(1.0, f64::max);
        let flat = |key| list(golden, key).iter().flat_map(numbers).collect::<Vec<_>>();
        let found = filter.steady_state().into_flattened();
        exact.add(error(&found, &flat("zi_exact")), &golden["name"]);
        scipy.add(error(&found, &flat("zi")) / condition, &golden["name"]);
    }
}

#[test]
fn settling() {
    let goldens = json("responses.json");
    let mut compared = 0;
    for golden in list(&goldens, "filters") {
        for pair in list(golden, "settling") {
            let (tolerance, expected) = (number(&pair[0]), index(&pair[1]));
            let found = sos(golden).settling_samples(tolerance).unwrap();
            // The rest is taken off a total here and added from the end there.
            assert!(found.abs_diff(expected) <= 1, "{}: {found} for {expected}", golden["name"]);
            compared += 1;
        }
    }
    assert!(compared >= 9);
}

/// Filters `x` of `from` channels, of which the first `channels` are used.
fn filtered(filter: &Sos, x: &[f64], from: usize, channels: usize) -> Vec<f64> {
    let x: Vec<f64> = x.chunks_exact(from).flat_map(|sample| &sample[..channels]).copied().collect();
    let mut y = vec![0.0; x.len()];
    SosFilter::new(filter, channels, Missing::Restart).unwrap().process(&x, &mut y).unwrap();
    y
}

fn channel(data: &[f64], channels: usize, channel: usize) -> Vec<f64> {
    let mut out = vec![0.0; data.len() / channels];
    gather_channel(data, channels, channel, &mut out).unwrap();
    out
}

/// How much of a rounding in the coefficients shows in an output: a section with poles near z = 1 answers a
/// constant with (b0 + b1 + b2) / (1 + a1 + a2), whose divisor is small, and then an offset of the input may
/// be all but taken out.
fn amplification(filter: &Sos, x: &[f64], y: &[f64]) -> f64 {
    let greatest = |values: &[f64]| values.iter().fold(0.0_f64, |greatest, v| greatest.max(v.abs()));
    let condition = filter.sections().iter().map(|s| 4.0 / (1.0 + s[4] + s[5])).fold(1.0, f64::max);
    condition * (greatest(x) / greatest(y)).max(1.0)
}

/// Adds the errors of one channel: with SciPy's coefficients, and with our own, which may be off by a rounding.
fn compare(golden: &Json, channels: usize, x: &[f64], from: usize, expected: &[f64], worst: &mut [Worst; 3]) {
    let scipy = sos(golden);
    let design = butterworth(index(&golden["order"]), response(golden), number(&golden["rate"])).unwrap();
    let (with_scipy, with_ours) = (filtered(&scipy, x, from, channels), filtered(&design, x, from, channels));
    for c in 0..channels {
        let at = format!("{}, channel {c} of {channels}", golden["name"]);
        let (x, expected) = (channel(x, from, c), channel(expected, from, c));
        let (y, ours) = (channel(&with_scipy, channels, c), channel(&with_ours, channels, c));
        let found = error(&y, &expected);
        worst[0].add(found, &at);
        let found = error(&ours, &expected);
        let amplified = f64::EPSILON * amplification(&scipy, &x, &expected);
        if amplified < 1e-12 {
            worst[1].add(found, &at);
        } else {
            worst[2].add(found / amplified, format!("{at} ({found:.1e} before division)"));
        }
    }
}

#[test]
fn outputs_of_cascades() {
    let goldens = json("responses.json");
    let short = npy("input.npy");
    let (_, counts) = npy("input_long.npy");
    let long: Vec<f64> = counts.iter().map(|count| count * 0.25).collect();
    let mut worst = [
        Worst::new("output, SciPy's coefficients", 1e-12),
        Worst::new("output, our coefficients, well conditioned", 1e-12),
        Worst::new("output, our coefficients, over eps times amplification", 1.0),
    ];
    for golden in list(&goldens, "filters") {
        let name = golden["name"].as_str().unwrap();
        let (_, expected) = npy(&format!("output_{name}.npy"));
        if name.starts_with("slow_") {
            compare(golden, 1, &long, 1, &expected, &mut worst);
        } else {
            // The last channel is flat, and has a test of its own.
            let from = short.0[1];
            for channels in [1, 3, from - 1] {
                compare(golden, channels, &short.1, from, &expected, &mut worst);
            }
        }
    }
}

#[test]
fn a_flat_channel_gives_no_transient() {
    let goldens = json("responses.json");
    let (shape, x) = npy("input.npy");
    let flat = channel(&x, shape[1], shape[1] - 1);
    let mut worst = Worst::new("output of a flat channel, over its value, well conditioned", 1e-12);
    let mut slow = Worst::new("output of a flat channel, over its value, eps and the condition number", 1.0);
    for golden in list(&goldens, "filters") {
        let expected =
            if golden["type"] == "lowpass" || golden["type"] == "bandstop" { flat[0] } else { 0.0 };
        let filter = sos(golden);
        let amplified = f64::EPSILON * amplification(&filter, &flat, &flat);
        for value in filtered(&filter, &flat, 1, 1) {
            let found = (value - expected).abs() / flat[0].abs();
            if amplified < 1e-12 {
                worst.add(found, &golden["name"]);
            } else {
                slow.add(found / amplified, format!("{} ({found:.1e} before division)", golden["name"]));
            }
        }
    }
}

fn window(value: &Json) -> Window {
    if value == "hann" { Window::Hann } else { Window::Boxcar }
}

#[test]
fn power_spectral_densities() {
    let goldens = json("spectra.json");
    let (shape, x) = npy("input.npy");
    let mut density_error = Worst::new("power spectral density", 1e-12);
    let mut frequency_error = Worst::new("frequencies", 1e-15);
    for golden in list(&goldens, "psd") {
        let [channel_index, samples, nperseg, noverlap] = [0, 1, 2, 3].map(|n| index(&golden[n]));
        let detrend = if golden[5] == "constant" { Detrend::Constant } else { Detrend::None };
        let rate = number(&golden[6]);
        let mut psd = Psd::new(nperseg, noverlap, window(&golden[4]), detrend, rate).unwrap();
        let mut density = vec![0.0; psd.bins()];
        let segments = psd.process(&channel(&x, shape[1], channel_index)[..samples], &mut density).unwrap();
        assert_eq!(segments, (samples - noverlap) / (nperseg - noverlap));
        let at = format!("channel {channel_index}, {samples} samples, segments of {nperseg}");
        density_error.add(error(&density, &numbers(&golden[8])), &at);
        let frequencies: Vec<f64> = (0..psd.bins()).map(|bin| psd.frequency(bin)).collect();
        frequency_error.add(error(&frequencies, &numbers(&golden[7])), &at);
    }
}

#[test]
fn band_powers() {
    let goldens = json("spectra.json");
    let (shape, x) = npy("input.npy");
    let mut psd = Psd::new(250, 125, Window::Hann, Detrend::Constant, 250.0).unwrap();
    let mut density = vec![0.0; psd.bins()];
    psd.process(&channel(&x, shape[1], 3), &mut density).unwrap();
    let mut worst = Worst::new("band power", 1e-12);
    for golden in list(&goldens, "bands") {
        let band = Band::new(number(&golden[0]), number(&golden[1]), 250, 250.0).unwrap();
        assert_eq!(band.bins().len(), index(&golden[2]), "{golden}");
        worst.add(error(&[band.power(&density)], &[number(&golden[3])]), golden);
        worst.add(error(&[band.power_by_sum(&density)], &[number(&golden[4])]), golden);
    }
}

#[test]
fn tapers() {
    let goldens = json("spectra.json");
    let mut worst = Worst::new("tapers", 1e-15);
    for golden in list(&goldens, "windows") {
        let length = index(&golden[0]);
        worst.add(error(&Window::Hann.values(length), &numbers(&golden[1])), length);
        worst.add(error(&Window::HannSymmetric.values(length), &numbers(&golden[2])), length);
    }
}

#[test]
fn statistics() {
    let goldens = json("statistics.json");
    let (shape, x) = npy("input.npy");
    let mut worst = Worst::new("statistics", 1e-12);
    for golden in list(&goldens, "statistics") {
        let mut v = channel(&x, shape[1], index(&golden["channel"]));
        v.truncate(index(&golden["samples"]));
        if golden["holes"] == true {
            v.iter_mut().step_by(3).for_each(|value| *value = f64::NAN);
        }
        for (key, found) in [
            ("mean", stats::mean(&v)),
            ("rms", stats::rms(&v)),
            ("variance", stats::variance(&v, 0)),
            ("variance_1", stats::variance(&v, 1)),
            ("log_variance", stats::log_variance(&v, 0)),
            ("min", stats::min(&v)),
            ("max", stats::max(&v)),
            ("peak_to_peak", stats::peak_to_peak(&v)),
        ] {
            assert_eq!(found.valid, index(&golden["valid"]), "{key} {golden}");
            if !golden[key].is_null() {
                worst.add(error(&[found.value], &[number(&golden[key])]), format!("{key} {golden}"));
            } else {
                assert!(!found.value.is_finite(), "{key} {golden}: {}", found.value);
            }
        }
    }
}
