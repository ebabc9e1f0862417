//! Covariances and their geometry against scikit-learn, SciPy and pyRiemann, from `scripts/goldens/decoders.py`.
#![cfg(feature = "linalg")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's helpers fail by panicking"
)]

use std::sync::Arc;

use neuraflow_core::model::{FeatureSpec, Features, SamplingRate};
use neuraflow_core::operator::{Operator, WindowItem};
use neuraflow_ops::decode::{Centre, Recentre, Trials};
use neuraflow_ops::kernel::linalg::{
    Estimator, LinalgError, Spectrum, TangentSpace, covariance, geodesic, riemann_mean, solve,
};
use proptest::prelude::*;

mod headset;
mod support;
use support::{error, index, json, list, number, numbers};

#[test]
fn estimators_equal_scikit_learn() {
    let mut worst = 0.0_f64;
    for golden in list(&json("covariances.json"), "covariances") {
        let samples: Vec<f64> = numbers(&golden["quarters"]).iter().map(|quarters| quarters / 4.0).collect();
        let channels = index(&golden["channels"]);
        for (name, estimator) in
            [("sample", Estimator::Sample), ("ledoit_wolf", Estimator::LedoitWolf), ("oas", Estimator::Oas)]
        {
            let found = covariance(&samples, channels, estimator).unwrap();
            let off = error(&found, &numbers(&golden[name]));
            assert!(off < 1e-12, "{name} of {channels} channels: {off:e}");
            worst = worst.max(off);
        }
    }
    println!("covariances: {worst:e} of the greatest");
}

#[test]
fn geometry_equals_pyriemann() {
    let mut worst = [0.0_f64; 5];
    for golden in list(&json("geometry.json"), "geometry") {
        let matrices: Vec<Vec<f64>> = list(golden, "matrices").iter().map(numbers).collect();
        let mean = riemann_mean(&matrices).unwrap();
        worst[0] = worst[0].max(error(&mean, &numbers(&golden["mean"])));
        let space = TangentSpace::at(&numbers(&golden["mean"])).unwrap();
        let distances: Vec<f64> = matrices.iter().map(|matrix| space.distance(matrix).unwrap()).collect();
        // One matrix is its own mean: its distance is rounding on both sides.
        let scale = distances.iter().copied().fold(1.0, f64::max);
        for (found, expected) in distances.iter().zip(list(golden, "distances")) {
            worst[1] = worst[1].max((found - number(expected)).abs() / scale);
        }
        for (matrix, expected) in matrices.iter().zip(list(golden, "tangent")) {
            let (found, expected) = (space.vector(matrix).unwrap(), numbers(expected));
            assert_eq!(found.len(), space.dimension());
            let off = found.iter().zip(&expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
            worst[2] = worst[2].max(off / scale);
        }
        let alone = Spectrum::of(&matrices[0]).unwrap();
        let against = Spectrum::against(&matrices[0], &numbers(&golden["mean"])).unwrap();
        worst[3] = worst[3].max(error(&alone.values, &numbers(&golden["eigenvalues"])));
        worst[4] = worst[4].max(error(&against.values, &numbers(&golden["against_mean"])));
    }
    println!("mean, distances, tangent vectors, eigenvalues alone and against the mean: {worst:?}");
    assert!(
        worst[0] < 1e-8 && worst[1] < 1e-10 && worst[2] < 1e-10 && worst[3] < 1e-12 && worst[4] < 1e-10,
        "{worst:?}"
    );
}

#[test]
fn recentring_equals_pyriemann() {
    let rate = SamplingRate::hz(160).unwrap();
    let mut worst = [0.0_f64; 4];
    for golden in list(&json("geometry.json"), "geometry") {
        let matrices: Vec<Vec<f64>> = list(golden, "matrices").iter().map(numbers).collect();
        let way = geodesic(&matrices[0], &matrices[matrices.len() - 1], 0.3).unwrap();
        worst[0] = worst[0].max(error(&way, &numbers(&golden["geodesic"])));
        let channels = matrices[0].len().isqrt();
        let names: Arc<[String]> = (0..channels).map(|channel| channel.to_string()).collect();
        for (number, (name, centre)) in
            [("riemann", Centre::Riemann), ("euclid", Centre::Euclid)].into_iter().enumerate()
        {
            let mut trials = Trials::new(names.iter().cloned(), rate, ["a", "b"]).unwrap();
            matrices.iter().for_each(|matrix| trials.push(0, matrix).unwrap());
            let (_, mean) = trials.recentred(centre).unwrap();
            let space = TangentSpace::at(&mean).unwrap();
            for (matrix, expected) in matrices.iter().zip(list(&golden["recentred"], name)) {
                let off = error(&space.recentred(matrix).unwrap(), &numbers(expected));
                worst[1 + number] = worst[1 + number].max(off);
            }
        }
        // As it runs.
        let spec = FeatureSpec { rows: names.clone(), columns: names, unit: "µV²".to_owned() };
        let mut running = Recentre::around(Centre::Riemann);
        let spec = running.prepare(&Arc::new(spec)).unwrap();
        for (matrix, expected) in matrices.iter().zip(list(golden, "running")) {
            let input = Features { info: headset::info(), spec: Arc::clone(&spec), values: matrix.clone() };
            let mut out = Features::blank(headset::info(), &spec);
            running.process(&input, &mut out).unwrap();
            let off = error(&out.values, &numbers(&expected["recentred"]));
            worst[3] = worst[3].max(off).max(error(running.mean().0, &numbers(&expected["mean"])));
        }
    }
    println!("geodesic, recentred around the Riemannian and the arithmetic mean, and as it runs: {worst:?}");
    assert!(worst[0] < 1e-10 && worst[1] < 1e-8 && worst[2] < 1e-11 && worst[3] < 1e-10, "{worst:?}");
}

/// Samples of `channels` channels that are mixed, so that their covariance is of full rank where there are enough.
fn samples(seed: u64, count: usize, channels: usize) -> Vec<f64> {
    let mut random = neuraflow_core::testing::Random::new(seed);
    (0..count * channels).map(|_| 20.0 * random.unit() - 10.0).collect()
}

proptest! {
    #[test]
    fn an_eigenvector_is_one(seed: u64, channels in 1_usize..12) {
        let matrix = covariance(&samples(seed, 40, channels), channels, Estimator::Sample).unwrap();
        let against = covariance(&samples(!seed, 40, channels), channels, Estimator::Oas).unwrap();
        let spectrum = Spectrum::against(&matrix, &against).unwrap();
        for (value, vector) in spectrum.values.iter().zip(spectrum.vectors.chunks_exact(channels)) {
            let times = |matrix: &[f64]| -> Vec<f64> {
                matrix.chunks_exact(channels).map(|row| row.iter().zip(vector).map(|(m, v)| m * v).sum()).collect()
            };
            let (left, right) = (times(&matrix), times(&against));
            let norm: f64 = right.iter().zip(vector).map(|(r, v)| r * v).sum();
            prop_assert!((norm - 1.0).abs() < 1e-10, "{norm}");
            for (left, right) in left.iter().zip(&right) {
                prop_assert!((left - value * right).abs() < 1e-9, "{left} {right} {value}");
            }
        }
        prop_assert!(spectrum.values.is_sorted());
    }

    #[test]
    fn distance_is_the_length_of_the_tangent_vector_and_goes_both_ways(seed: u64, channels in 1_usize..9) {
        let a = covariance(&samples(seed, 50, channels), channels, Estimator::Oas).unwrap();
        let b = covariance(&samples(!seed, 50, channels), channels, Estimator::LedoitWolf).unwrap();
        let (at_a, at_b) = (TangentSpace::at(&a).unwrap(), TangentSpace::at(&b).unwrap());
        let distance = at_a.distance(&b).unwrap();
        let length = at_a.vector(&b).unwrap().iter().map(|v| v * v).sum::<f64>().sqrt();
        prop_assert!((distance - length).abs() < 1e-10 && (distance - at_b.distance(&a).unwrap()).abs() < 1e-10);
    }

    #[test]
    fn what_solve_finds_solves(seed: u64, n in 1_usize..12) {
        let a = covariance(&samples(seed, 3 * n + 5, n), n, Estimator::Oas).unwrap();
        let b = samples(!seed, 1, n);
        let x = solve(&a, &b).unwrap();
        for (row, expected) in a.chunks_exact(n).zip(&b) {
            let found: f64 = row.iter().zip(&x).map(|(a, x)| a * x).sum();
            prop_assert!((found - expected).abs() < 1e-8, "{found} {expected}");
        }
    }
}

#[test]
fn what_admits_no_answer_is_an_error_that_says_what_to_do() {
    let says = |error: LinalgError, what: &str| assert!(error.to_string().contains(what), "{error}");
    says(covariance(&[1.0; 5], 2, Estimator::Oas).unwrap_err(), "expected 4 values");
    says(covariance(&[1.0; 2], 2, Estimator::Oas).unwrap_err(), "at least 2 samples, found 1");
    says(covariance(&[], 0, Estimator::Oas).unwrap_err(), "samples");
    says(covariance(&[1.0, f64::NAN, 2.0], 1, Estimator::Oas).unwrap_err(), "found NaN; leave out");
    says(riemann_mean::<Vec<f64>>(&[]).unwrap_err(), "at least 1 covariances");
    says(riemann_mean(&[vec![1.0], vec![1.0, 0.0, 0.0, 1.0]]).unwrap_err(), "expected 1 values");
    says(Spectrum::of(&[]).unwrap_err(), "pass a square matrix");
    says(Spectrum::of(&[1.0, 0.0, 0.0, f64::INFINITY]).unwrap_err(), "found inf");
    says(solve(&[1.0], &[1.0, 2.0]).unwrap_err(), "right-hand side");
    says(solve(&[-1.0], &[1.0]).unwrap_err(), "full rank");
    says(Spectrum::against(&[1.0; 4], &[0.0; 4]).unwrap_err(), "found rank 0");

    // An average reference, in the precision that samples travel in.
    let mut referenced = samples(7, 500, 8);
    for sample in referenced.chunks_exact_mut(8) {
        let mean = sample.iter().sum::<f64>() / 8.0;
        sample.iter_mut().for_each(|value| *value = f64::from((*value - mean) as f32));
    }
    let singular = covariance(&referenced, 8, Estimator::Sample).unwrap();
    assert_eq!(TangentSpace::at(&singular), Err(LinalgError::Rank { rank: 7, order: 8 }));
    says(riemann_mean(&[&singular]).unwrap_err(), "an average reference takes one rank");
    for estimator in [Estimator::LedoitWolf, Estimator::Oas] {
        TangentSpace::at(&covariance(&referenced, 8, estimator).unwrap()).unwrap();
    }
}
