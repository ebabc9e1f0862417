//! Kernels against naive implementations, under any chunking, and with missing values anywhere.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use neuraflow_ops::kernel::{
    Complex64, Detrend, Missing, Precision, Psd, RealDft, Response, Sos, SosFilter, Value, Window,
    butterworth, notch, stats,
};
use proptest::prelude::*;
use rustfft::FftPlanner;

/// `scipy.signal.sosfilt` for one channel, as plainly as it can be written.
fn naive(sos: &Sos, x: &[f64], missing: Missing) -> Vec<f64> {
    let mut state: Option<Vec<[f64; 2]>> = None;
    let mut step = |x: f64| {
        if !x.is_finite() {
            if missing == Missing::Restart {
                state = None;
            }
            return f64::NAN;
        }
        let fresh = || sos.steady_state().iter().map(|[z0, z1]| [z0 * x, z1 * x]).collect();
        let state = state.get_or_insert_with(fresh);
        let mut value = x;
        for ([b0, b1, b2, _, a1, a2], [z0, z1]) in sos.sections().iter().zip(state) {
            let y = b0 * value + *z0;
            *z0 = b1 * value - a1 * y + *z1;
            *z1 = b2 * value - a2 * y;
            value = y;
        }
        value
    };
    x.iter().map(|x| step(*x)).collect()
}

/// The same in `f32`: coefficients and state rounded, the steady state that of the rounded coefficients.
fn naive_single(sos: &Sos, x: &[f32], missing: Missing) -> Vec<f32> {
    let rounded = sos.sections().iter().map(|row| row.map(|c| f64::from(c as f32))).collect();
    let rounded = Sos::from_sections(rounded).unwrap();
    let mut state: Option<Vec<[f32; 2]>> = None;
    let mut step = |x: f32| {
        if !x.is_finite() {
            if missing == Missing::Restart {
                state = None;
            }
            return f32::NAN;
        }
        let first = f64::from(x);
        let fresh = || rounded.steady_state().iter().map(|z| z.map(|z| (z * first) as f32)).collect();
        let state = state.get_or_insert_with(fresh);
        let mut value = x;
        for (row, [z0, z1]) in rounded.sections().iter().zip(state) {
            let [b0, b1, b2, _, a1, a2] = row.map(|c| c as f32);
            let y = b0 * value + *z0;
            *z0 = b1 * value - a1 * y + *z1;
            *z1 = b2 * value - a2 * y;
            value = y;
        }
        value
    };
    x.iter().map(|x| step(*x)).collect()
}

fn bits<T: Value>(values: &[T]) -> Vec<u64> {
    // NaNs are one value: their payload is nobody's promise.
    values.iter().map(|v| v.to_f64()).map(|v| if v.is_nan() { u64::MAX } else { v.to_bits() }).collect()
}

/// Filters in chunks of the given numbers of samples, again and again.
fn chunked<T: Value>(sos: &Sos, channels: usize, missing: Missing, x: &[T], chunks: &[usize]) -> Vec<T> {
    run_chunked(SosFilter::new(sos, channels, missing).unwrap(), x, chunks)
}

fn run_chunked<T: Value>(mut filter: SosFilter, x: &[T], chunks: &[usize]) -> Vec<T> {
    let channels = filter.channels();
    let mut y = vec![T::from_f64(0.0); x.len()];
    let (mut at, mut turn) = (0, 0);
    while at < x.len() {
        let end = (at + chunks[turn % chunks.len()] * channels).min(x.len());
        filter.process(&x[at..end], &mut y[at..end]).unwrap();
        (at, turn) = (end, turn + 1);
    }
    y
}

fn filters() -> impl Strategy<Value = Sos> {
    let band =
        (1_usize..=6, 0.5..30.0_f64, 31.0..110.0_f64, 0_usize..4).prop_map(|(order, low, high, kind)| {
            let response = [
                Response::Lowpass(high),
                Response::Highpass(low),
                Response::Bandpass(low, high),
                Response::Bandstop(low, high),
            ][kind];
            butterworth(order, response, 250.0).unwrap()
        });
    (band, prop::option::of(5.0..60.0_f64)).prop_map(|(band, mains)| match mains {
        Some(mains) => notch(mains, 20.0, 250.0).unwrap().then(&band),
        None => band,
    })
}

fn missing() -> impl Strategy<Value = Missing> {
    prop_oneof![Just(Missing::Freeze), Just(Missing::Restart)]
}

/// Values of which about one in `one_in` is missing; never one if that is 0.
fn samples(channels: usize, length: usize, one_in: u32) -> impl Strategy<Value = Vec<f64>> {
    let value = (-1e4..1e4_f64, 0..one_in.max(1), 0..3_usize).prop_map(move |(value, turn, kind)| {
        let gone = one_in > 0 && turn == 0;
        if gone { [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][kind] } else { value }
    });
    prop::collection::vec(value, channels * length)
}

fn cases() -> impl Strategy<Value = (Sos, Missing, usize, Vec<f64>)> {
    (filters(), missing(), 1_usize..20, 1_usize..60, prop_oneof![Just(0), Just(3), Just(40)]).prop_flat_map(
        |(sos, missing, channels, length, one_in)| {
            (Just(sos), Just(missing), Just(channels), samples(channels, length, one_in))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_cascade_equals_the_naive_one_to_the_bit((sos, missing, channels, x) in cases()) {
        let y = chunked(&sos, channels, missing, &x, &[x.len()]);
        for channel in 0..channels {
            let own = |data: &[f64]| data.iter().skip(channel).step_by(channels).copied().collect::<Vec<_>>();
            prop_assert_eq!(bits(&own(&y)), bits(&naive(&sos, &own(&x), missing)));
        }
    }

    #[test]
    fn a_cascade_in_single_precision_equals_the_naive_one_to_the_bit(
        (sos, missing, channels, x) in cases(),
        chunks in prop::collection::vec(0_usize..50, 0..3),
    ) {
        prop_assume!(sos.is_stable_in_f32());
        let chunks: Vec<usize> = chunks.into_iter().chain([3]).collect();
        let x: Vec<f32> = x.iter().map(|value| *value as f32).collect();
        let filter = SosFilter::with_precision(&sos, channels, missing, Precision::Single).unwrap();
        let y = run_chunked(filter, &x, &chunks);
        for channel in 0..channels {
            let own = |data: &[f32]| data.iter().skip(channel).step_by(channels).copied().collect::<Vec<_>>();
            prop_assert_eq!(bits(&own(&y)), bits(&naive_single(&sos, &own(&x), missing)));
        }
    }

    #[test]
    fn chunking_never_shows(
        (sos, missing, channels, x) in cases(),
        chunks in prop::collection::vec(0_usize..9, 0..5),
    ) {
        let chunks: Vec<usize> = chunks.into_iter().chain([1]).collect();
        let whole = chunked(&sos, channels, missing, &x, &[x.len()]);
        prop_assert_eq!(bits(&chunked(&sos, channels, missing, &x, &chunks)), bits(&whole));
        let x: Vec<f32> = x.iter().map(|value| *value as f32).collect();
        let whole = chunked(&sos, channels, missing, &x, &[x.len()]);
        prop_assert_eq!(bits(&chunked(&sos, channels, missing, &x, &chunks)), bits(&whole));
    }

    #[test]
    fn the_f32_path_is_the_f64_path_rounded_once((sos, missing, channels, x) in cases()) {
        let narrow: Vec<f32> = x.iter().map(|value| *value as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|value| f64::from(*value)).collect();
        let rounded: Vec<f32> =
            chunked(&sos, channels, missing, &wide, &[5]).iter().map(|value| *value as f32).collect();
        prop_assert_eq!(bits(&chunked(&sos, channels, missing, &narrow, &[7])), bits(&rounded));
    }

    #[test]
    fn a_missing_value_gives_nan_there_and_nowhere_else((sos, missing, channels, x) in cases()) {
        let y = chunked(&sos, channels, missing, &x, &[4]);
        for (x, y) in x.iter().zip(&y) {
            prop_assert_eq!(x.is_finite(), y.is_finite());
        }
    }

    #[test]
    fn the_future_never_changes_the_past(
        (sos, missing, channels, x) in cases(),
        cut in 0.0..1.0_f64,
    ) {
        let cut = (cut * (x.len() / channels) as f64) as usize * channels;
        let mut changed = x.clone();
        changed[cut..].iter_mut().for_each(|value| *value = 1.0 - *value);
        let (y, other) =
            (chunked(&sos, channels, missing, &x, &[6]), chunked(&sos, channels, missing, &changed, &[6]));
        prop_assert_eq!(bits(&y[..cut]), bits(&other[..cut]));
    }

    #[test]
    fn a_density_equals_the_naive_transform(
        x in prop::collection::vec(-100.0..100.0_f64, 1..80),
        hann in any::<bool>(),
        constant in any::<bool>(),
    ) {
        let n = x.len();
        let window = if hann { Window::Hann } else { Window::Boxcar };
        let detrend = if constant { Detrend::Constant } else { Detrend::None };
        let mut psd = Psd::periodogram(n, window, detrend, 250.0).unwrap();
        let mut density = vec![0.0; psd.bins()];
        prop_assert_eq!(psd.process(&x, &mut density).unwrap(), 1);
        let taper = window.values(n);
        let mean = if constant { x.iter().sum::<f64>() / n as f64 } else { 0.0 };
        let energy: f64 = taper.iter().map(|w| w * w).sum();
        let expected: Vec<f64> = (0..psd.bins()).map(|k| {
            let angle = |t: usize| 2.0 * std::f64::consts::PI * ((k * t) % n) as f64 / n as f64;
            let re: f64 = (0..n).map(|t| (x[t] - mean) * taper[t] * angle(t).cos()).sum();
            let im: f64 = (0..n).map(|t| (x[t] - mean) * taper[t] * angle(t).sin()).sum();
            let sides = if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
            sides * (re * re + im * im) / (250.0 * energy)
        }).collect();
        // Relative to the power that went in: a density of nothing is rounding.
        let input: f64 = x.iter().map(|v| v * v).sum::<f64>() * n as f64 / (250.0 * energy);
        for (found, expected) in density.iter().zip(&expected) {
            prop_assert!((found - expected).abs() <= 1e-12 * input.max(1e-9), "{found} {expected}");
        }
    }

    #[test]
    fn a_transform_of_any_length_equals_rustfft(
        x in (1_usize..=2048).prop_flat_map(|length| prop::collection::vec(-100.0..100.0_f64, length)),
    ) {
        let mut dft = RealDft::new(x.len()).unwrap();
        let mut found = vec![Complex64::default(); dft.bins()];
        dft.forward(&x, &mut found).unwrap();
        let mut expected: Vec<Complex64> = x.iter().map(|value| Complex64::from(*value)).collect();
        FftPlanner::new().plan_fft_forward(x.len()).process(&mut expected);
        let most = expected.iter().fold(0.0_f64, |most, value| most.max(value.norm()));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!((found - expected).norm() <= 1e-12 * most, "{}: {found} {expected}", x.len());
        }
    }

    #[test]
    fn only_whole_segments_count(
        x in prop::collection::vec(prop_oneof![9 => -100.0..100.0_f64, 1 => Just(f64::NAN)], 1..60),
        nperseg in 1_usize..20,
        overlap in 0.0..1.0_f64,
    ) {
        let noverlap = (overlap * nperseg as f64) as usize;
        let mut psd = Psd::new(nperseg, noverlap, Window::Hann, Detrend::None, 250.0).unwrap();
        let mut density = vec![0.0; psd.bins()];
        let found = psd.process(&x, &mut density).unwrap();
        let whole = x.windows(nperseg).step_by(nperseg - noverlap);
        let whole: Vec<&[f64]> = whole.filter(|segment| segment.iter().all(|v| v.is_finite())).collect();
        prop_assert_eq!(found, whole.len());
        prop_assert!(density.iter().all(|value| value.is_nan() == whole.is_empty()));
    }

    #[test]
    fn statistics_leave_missing_values_out(
        x in prop::collection::vec(prop_oneof![4 => -1e3..1e3_f64, 1 => Just(f64::NAN)], 0..300),
    ) {
        let valid: Vec<f64> = x.iter().copied().filter(|value| value.is_finite()).collect();
        let close = |found: stats::Statistic, expected: stats::Statistic| {
            found.valid == valid.len()
                && expected.valid == valid.len()
                && ((found.value.is_nan() && expected.value.is_nan())
                    || (found.value - expected.value).abs() <= 1e-9 * expected.value.abs().max(1.0))
        };
        prop_assert!(close(stats::mean(&x), stats::mean(&valid)));
        prop_assert!(close(stats::rms(&x), stats::rms(&valid)));
        prop_assert!(close(stats::variance(&x, 1), stats::variance(&valid, 1)));
        prop_assert!(close(stats::min(&x), stats::min(&valid)));
        prop_assert!(close(stats::peak_to_peak(&x), stats::peak_to_peak(&valid)));
    }
}
