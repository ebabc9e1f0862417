//! Recentred covariances, and a model that takes another's place.

use std::sync::Arc;

use neuraflow_core::checkpoint::{SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, SamplingRate};
use neuraflow_core::operator::{Operator, WindowItem};
use neuraflow_core::testing::Random;
use neuraflow_ops::decode::{Centre, Decoder, Mdm, Model, Recentre, Trials};

use super::headset::info;
use super::{at, classes};

/// Covariances of a session, each class with its own power, all mixed by the same matrix.
fn session(mixing: [f64; 9], seed: u64, count: usize) -> Vec<(usize, Vec<f64>)> {
    let mut random = Random::new(seed);
    let each = (0..count).map(|n| {
        let class = n % 2;
        let mut power = [1.0 + 0.3 * random.unit(), 1.0 + 0.3 * random.unit(), 2.0];
        power[class] *= 4.0;
        let mut covariance = vec![0.0; 9];
        for (i, row) in covariance.chunks_exact_mut(3).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                *value = (0..3).map(|k| mixing[3 * i + k] * power[k] * mixing[3 * j + k]).sum();
            }
        }
        (class, covariance)
    });
    each.collect()
}

const ONE: [f64; 9] = [1.0, 0.2, 0.1, 0.0, 1.0, 0.3, 0.2, 0.0, 1.0];
/// Other gains, and somewhat other mixtures. A mean knows nothing of rotations: recentring takes none away.
const OTHER: [f64; 9] = [4.0, 0.2, 0.1, 0.0, 0.5, 0.3, 0.2, 0.0, 1.5];

fn spec() -> Arc<FeatureSpec> {
    let names = classes(&["C3", "Cz", "C4"]);
    Arc::new(FeatureSpec { rows: names.clone(), columns: names, unit: "µV²".to_owned() })
}

fn recentred(recentre: &mut Recentre, values: &[f64]) -> Features {
    let mut out = Features::blank(info(), &spec());
    recentre.process(&Features { info: info(), spec: spec(), values: values.to_vec() }, &mut out).unwrap();
    out
}

#[test]
fn a_model_of_one_session_decodes_another_once_recentred() {
    let mut trials = Trials::new(["C3", "Cz", "C4"], SamplingRate::hz(160).unwrap(), ["a", "b"]).unwrap();
    session(ONE, 1, 40).iter().for_each(|(class, covariance)| trials.push(*class, covariance).unwrap());
    let other = session(OTHER, 2, 60);
    let plain = Mdm::new().fit(&trials).unwrap();
    let right = |model: &Model, covariance: &[f64], class: usize| {
        model.decide(covariance).unwrap().0 == ["a", "b"][class]
    };
    let before = other.iter().filter(|(class, covariance)| right(&plain, covariance, *class)).count();
    for centre in [Centre::Riemann, Centre::Euclid] {
        let (around, _) = trials.recentred(centre).unwrap();
        let model = Mdm::new().fit(&around).unwrap();
        let mut recentre = Recentre::around(centre).after(6);
        recentre.prepare(&spec()).unwrap();
        let mut after = 0;
        for (number, (class, covariance)) in other.iter().enumerate() {
            let out = recentred(&mut recentre, covariance);
            assert_eq!(out.info.warm_up, number < 5);
            after += usize::from(number >= 6 && right(&model, &out.values, *class));
        }
        println!("{centre:?}: {before} of 60 right before, {after} of 54 after");
        assert!(before < 40 && after >= 52, "{centre:?}: {before} {after}");
    }
}

#[test]
fn it_freezes_follows_and_keeps_what_is_missing_out() {
    let trials = session(ONE, 3, 30);
    let run = |recentre: Recentre| {
        let mut recentre = recentre;
        recentre.prepare(&spec()).unwrap();
        let means = trials.iter().map(|(_, covariance)| {
            recentred(&mut recentre, covariance);
            recentre.mean().0.to_vec()
        });
        means.collect::<Vec<_>>()
    };
    let frozen = run(Recentre::around(Centre::Riemann).frozen_after(7));
    let free = run(Recentre::around(Centre::Riemann));
    assert!(
        frozen[..7] == free[..7] && frozen[7..].iter().all(|mean| *mean == free[6]) && free[8] != free[7]
    );
    // Following one is being it.
    let close = |a: &[f64], b: &[f64]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    let following = run(Recentre::around(Centre::Euclid).following(1));
    assert!(following.iter().zip(&trials).all(|(mean, (_, covariance))| close(mean, covariance)));
    let from = run(Recentre::around(Centre::Euclid).starting_at(&free[29], u64::MAX));
    assert!(close(&from[29], &free[29]), "so many weigh more than all that come");

    let mut recentre = Recentre::around(Centre::Riemann);
    recentre.prepare(&spec()).unwrap();
    recentred(&mut recentre, &trials[0].1);
    let mean = recentre.mean().0.to_vec();
    let singular = vec![1.0; 9];
    for bad in [vec![f64::NAN; 9], singular] {
        assert!(recentred(&mut recentre, &bad).values.iter().all(|value| value.is_nan()));
        assert_eq!(recentre.mean(), (&mean[..], 1));
    }
    // Told by its host.
    recentre.control(&Recentre::freeze(at(0), Recentre::NAME).payload).unwrap();
    recentred(&mut recentre, &trials[1].1);
    assert_eq!(recentre.mean().1, 1);
    recentre.control(&Recentre::adapt(at(0), Recentre::NAME).payload).unwrap();
    recentred(&mut recentre, &trials[1].1);
    assert_eq!(recentre.mean().1, 2);
    assert!(recentre.control(b"thaw").unwrap_err().to_string().contains("freeze or adapt"));
}

#[test]
fn what_is_no_covariance_is_refused() {
    let says = |mut recentre: Recentre, spec: &Arc<FeatureSpec>, what: &str| {
        let error = recentre.prepare(spec).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let bands = FeatureSpec { columns: classes(&["alpha"]), ..(*spec()).clone() };
    says(Recentre::around(Centre::Riemann), &Arc::new(bands), "from feature::Covariance");
    says(Recentre::around(Centre::Riemann).starting_at(&[1.0; 4], 1), &spec(), "3 × 3 numbers");
    says(Recentre::around(Centre::Riemann).starting_at(&[1.0; 9], 1), &spec(), "full rank");
}

#[test]
fn a_reloaded_model_is_in_the_snapshot_and_outlives_a_reset() {
    let fit = |seed| {
        let mut trials = Trials::new(["C3", "Cz", "C4"], SamplingRate::hz(160).unwrap(), ["a", "b"]).unwrap();
        session(ONE, seed, 20)
            .iter()
            .for_each(|(class, covariance)| trials.push(*class, covariance).unwrap());
        Mdm::new().fit(&trials).unwrap()
    };
    let (first, second) = (fit(1), fit(2));
    let mut decoder = first.decoder();
    assert_eq!(decoder.listens_to(), Some(Decoder::NAME));
    assert_eq!(first.decoder().named("left hand").listens_to(), Some("left hand"));
    let snapshot = |decoder: &Decoder| {
        let mut writer = SnapshotWriter::default();
        decoder.snapshot(&mut writer);
        writer.into_bytes().unwrap()
    };
    let before = snapshot(&decoder);
    decoder.control(&second.reload(at(0), Decoder::NAME).unwrap().payload).unwrap();
    decoder.reset();
    assert_eq!(decoder.model(), &second);
    for (bytes, model) in [(before, &first), (snapshot(&decoder), &second)] {
        let mut again = first.decoder();
        again.restore(&mut SnapshotReader::new(&bytes)).unwrap();
        assert_eq!(again.model(), model);
    }
    assert!(decoder.control(&second.to_bytes().unwrap()[1..]).is_err());
    assert_eq!(decoder.model(), &second);
}
