//! Filters with a past and resampling against naive implementations, for any settings, chunks and missing values.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use ndarray::Array2;
use neuraflow_core::model::{Channel, Chunk, SamplingRate};
use neuraflow_core::operator::{Missing, Operator, SignalSpec};
use neuraflow_ops::filter::{Comb, Detrend, Envelope, Fir, Resample, ZScore};
use neuraflow_ops::kernel::{Response, firwin};
use proptest::prelude::*;

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value =
        prop_oneof![20 => (-4000_i32..4000).prop_map(|count| f64::from(count) / 8.0), 1 => Just(f64::NAN)];
    prop::collection::vec(value, 1..120)
}

/// One channel of an array.
fn column(values: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap()
}

/// The stretches without a missing value, and where each begins.
fn stretches(x: &[f64]) -> Vec<(usize, &[f64])> {
    let mut at = 0;
    let mut found = Vec::new();
    for stretch in x.chunk_by(|a, b| a.is_nan() == b.is_nan()) {
        if !stretch[0].is_nan() {
            found.push((at, stretch));
        }
        at += stretch.len();
    }
    found
}

/// What a filter gives whose stretches are each filtered from a constant past.
fn naive(x: &[f64], filtered: impl Fn(&[f64], usize) -> f64) -> Vec<f64> {
    let mut out = vec![f64::NAN; x.len()];
    for (from, stretch) in stretches(x) {
        for n in 0..stretch.len() {
            out[from + n] = filtered(stretch, n);
        }
    }
    out
}

/// Sample `n` of a stretch, or its first where `n` is before it.
fn at(stretch: &[f64], n: isize) -> f64 {
    stretch[n.max(0) as usize]
}

fn same(found: &Array2<f64>, expected: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let both_missing = found.is_nan() && expected.is_nan();
        prop_assert!(both_missing || (found - expected).abs() <= tolerance, "{} for {}", found, expected);
    }
    Ok(())
}

/// A stage over chunks of these numbers of samples, again and again; the values and where they begin.
fn staged(
    mut stage: impl Operator<In = Chunk, Out = Chunk>,
    x: &[f64],
    chunks: &[usize],
    missing: Missing,
) -> Vec<f32> {
    let rate = SamplingRate::hz(250).unwrap();
    stage.prepare(&SignalSpec { channels: [Channel::new("Cz")].into(), rate, missing }).unwrap();
    let (mut out, mut rest, mut turn, mut first) = (Vec::new(), x, 0, 0);
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(chunks[turn % chunks.len()].min(rest.len()));
        let mut input = Chunk::new(first, 1);
        input.extend(&head.iter().map(|v| *v as f32).collect::<Vec<_>>());
        let mut output = Chunk::new(first, 1);
        stage.process(&input, &mut output).unwrap();
        out.extend_from_slice(output.values());
        (rest, turn, first) = (tail, turn + 1, input.end());
    }
    out
}

/// A sinc of cut-off 1 / most of Nyquist, under a Kaiser taper of 5.0, with gain 1 at 0 Hz.
fn anti_alias(most: isize) -> Vec<f64> {
    if most == 1 {
        return vec![1.0];
    }
    let bessel = |x: f64| {
        let terms = (1..60).scan(1.0, |term, k| {
            *term *= (x / 2.0 / f64::from(k)).powi(2);
            Some(*term)
        });
        1.0 + terms.sum::<f64>()
    };
    let half = 10 * most;
    let taps: Vec<f64> = (-half..=half)
        .map(|m| {
            let place = m as f64 / half as f64;
            let angle = std::f64::consts::PI * m as f64 / most as f64;
            let sinc = if m == 0 { 1.0 } else { angle.sin() / angle };
            sinc * bessel(5.0 * (1.0 - place * place).max(0.0).sqrt())
        })
        .collect();
    let gain: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / gain).collect()
}

proptest! {
    #[test]
    fn an_fir_filter_is_a_convolution(x in values(), taps in 1_usize..40, hz in 1.0..120.0) {
        let found = Fir::lowpass(taps, hz).filter(&column(&x), 250.0).unwrap();
        let h = firwin(taps, Response::Lowpass(hz), 250.0).unwrap();
        let expected = naive(&x, |stretch, n| {
            h.iter().enumerate().map(|(k, tap)| tap * at(stretch, n as isize - k as isize)).sum()
        });
        same(&found, &expected, 1e-9)?;
    }

    #[test]
    fn a_comb_is_its_difference_equation(x in values(), period in 3_u32..12, quality in 1.1..40.0) {
        let (hz, n) = (250.0 / f64::from(period), period as usize);
        let found = Comb::notch(hz, quality).filter(&column(&x), 250.0).unwrap();
        let beta = (std::f64::consts::PI / (2.0 * quality)).tan();
        let (b, a) = (1.0 / (1.0 + beta), (1.0 - beta) / (1.0 + beta));
        let mut expected = vec![f64::NAN; x.len()];
        for (from, stretch) in stretches(&x) {
            // A notching comb takes a constant out altogether.
            for k in 0..stretch.len() {
                let before = if k < n { 0.0 } else { expected[from + k - n] };
                expected[from + k] = b * (stretch[k] - at(stretch, k as isize - n as isize)) + a * before;
            }
        }
        same(&found, &expected, 1e-8)?;
    }

    #[test]
    fn detrending_leaves_the_distance_from_the_line(x in values(), samples in 3_i64..30) {
        let found = Detrend::linear(4 * samples).filter(&column(&x), 250.0).unwrap();
        let expected = naive(&x, |stretch, n| {
            let count = samples as f64;
            let window: Vec<f64> =
                (0..samples).map(|j| at(stretch, n as isize - (samples - 1 - j) as isize)).collect();
            let (mean_t, mean) = ((count - 1.0) / 2.0, window.iter().sum::<f64>() / count);
            let centred = |j: usize| j as f64 - mean_t;
            let slope = window.iter().enumerate().map(|(j, v)| centred(j) * (v - mean)).sum::<f64>()
                / (0..window.len()).map(|j| centred(j) * centred(j)).sum::<f64>();
            stretch[n] - mean - slope * mean_t
        });
        same(&found, &expected, 1e-9)?;
    }

    #[test]
    fn a_calibrated_z_score_is_that_of_the_samples_so_far(x in values(), samples in 2_i64..40) {
        let found = ZScore::calibrated(4 * samples).filter(&column(&x), 250.0).unwrap();
        let expected = naive(&x, |stretch, n| {
            let known = &stretch[..stretch.len().min((n + 1).min(samples as usize))];
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let variance = known.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / known.len() as f64;
            match (stretch[n] == mean, variance > 0.0) {
                (true, _) => 0.0,
                (_, true) => (stretch[n] - mean) / variance.sqrt(),
                _ => f64::NAN,
            }
        });
        // Where all values are alike but for a rounding the quotient is of roundings.
        let steady = x.windows(2).all(|pair| pair[0] == pair[1]);
        if !steady {
            same(&found, &expected, 1e-6)?;
        }
    }

    #[test]
    fn resampling_is_zeros_between_and_a_filter(x in values(), up in 1_u64..6, down in 1_u64..6) {
        let common = (1..=5).rev().find(|d| up % d == 0 && down % d == 0).unwrap();
        let (u, d) = ((up / common) as isize, (down / common) as isize);
        let found = Resample::ratio(up, down).filter(&column(&x), SamplingRate::hz(250).unwrap()).unwrap();
        let h = anti_alias(u.max(d));
        let mut expected = Vec::new();
        for m in 0..(x.len() as isize * u + d - 1) / d {
            let newest = (m * d).div_euclid(u);
            let stretch = stretches(&x).into_iter().find(|(from, stretch)| {
                (*from as isize..(from + stretch.len()) as isize).contains(&newest)
            });
            // Every tap that falls onto a value, not on a zero between two.
            expected.push(stretch.map_or(f64::NAN, |(from, stretch)| {
                let taps = h.iter().enumerate().filter(|(place, _)| (m * d - *place as isize).rem_euclid(u) == 0);
                taps.map(|(place, tap)| {
                    tap * u as f64 * at(stretch, (m * d - place as isize).div_euclid(u) - from as isize)
                }).sum()
            }));
        }
        same(&found, &expected, 1e-8)?;
    }

    #[test]
    fn chunks_and_frozen_gaps_do_not_show(x in values(), chunks in prop::collection::vec(1_usize..20, 1..5)) {
        let present: Vec<f64> = x.iter().copied().filter(|v| !v.is_nan()).collect();
        prop_assume!(!present.is_empty());
        let bits = |values: Vec<f32>| -> Vec<u32> { values.into_iter().filter(|v| !v.is_nan()).map(f32::to_bits).collect() };
        macro_rules! check {
            ($make:expr) => {
                let whole = bits(staged($make, &present, &[usize::MAX], Missing::Freeze));
                let cut = bits(staged($make, &x, &chunks, Missing::Freeze));
                prop_assert_eq!(whole, cut);
            };
        }
        check!(Fir::lowpass(21, 40.0));
        check!(Comb::peak(50.0, 5.0));
        check!(Envelope::down_to(20.0));
        check!(Detrend::constant(100));
        check!(ZScore::running(40));
    }
}
