//! What adapts and accumulates around a decoder: evidence of a trial, recentred covariances, another model.
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{
    Decision, FeatureSpec, Features, Marker, NoDecision, SamplingRate, Span, Timestamp, Window,
};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowItem, WindowSpec};
use neuraflow_core::testing::Random;
use neuraflow_core::testing::conformance::{Check, window_operator};
use neuraflow_ops::decode::{Centre, Decoder, Evidence, Mdm, Model, Recentre, Trials};
use neuraflow_ops::feature::Covariance;

mod headset;
use headset::info;

fn classes(names: &[&str]) -> Arc<[String]> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::EPOCH + Span::millis(millis)
}

fn prepared(mut evidence: Evidence) -> Evidence {
    evidence.prepare(&classes(&["a", "b", "c"])).unwrap();
    evidence
}

/// The decision of the window of 50 ms that begins then.
fn window(millis: i64, outcome: Result<(&str, f64), NoDecision>) -> Decision<String> {
    let mut info = info();
    (info.index, info.start, info.end) = (millis / 50, at(millis), at(millis + 50));
    Decision { info, outcome: outcome.map(|(class, sure)| (class.to_owned(), sure)) }
}

/// What comes out for decisions of windows from the beginning on.
fn out(evidence: &mut Evidence, inputs: &[Decision<String>]) -> Vec<Decision<String>> {
    let each = inputs.iter().map(|input| {
        let mut out = Decision::blank(input.info.clone(), &classes(&[]));
        evidence.process(input, &mut out).unwrap();
        out
    });
    each.collect()
}

#[test]
fn evidence_adds_up_to_the_posterior_and_decides_once_it_is_enough() {
    let mut evidence = prepared(Evidence::new(0.9, Span::secs(1)));
    let before = out(&mut evidence, &[window(0, Ok(("a", 0.99)))]);
    assert_eq!(before[0].outcome, Err(NoDecision::Idle), "no trial is on");
    evidence.marker(&Marker::new(at(50), "cue"));
    // Of a, b, c: [0.6 0.2 0.2], [0.25 0.5 0.25], [0.6 0.2 0.2]²: products 0.6·0.25·0.36 = 0.054, 0.2·0.5·0.04 = 0.004, 0.002.
    let given = [("a", 0.6), ("b", 0.5), ("a", 0.6), ("a", 0.6)];
    let inputs: Vec<_> =
        given.iter().enumerate().map(|(n, one)| window(50 + 50 * n as i64, Ok(*one))).collect();
    let found = out(&mut evidence, &inputs);
    assert!(found[..3].iter().all(|one| one.outcome == Err(NoDecision::Undecided)));
    let (class, sure) = found[3].outcome.clone().unwrap();
    assert!(class == "a" && (sure - 0.054 / 0.060).abs() < 1e-12, "{class} {sure}");
    assert_eq!(found[3].info.marker.as_ref().unwrap().label, "cue");
    let after = out(&mut evidence, &[window(250, Ok(("a", 0.99)))]);
    assert_eq!(after[0].outcome, Err(NoDecision::Idle), "it is decided");
}

#[test]
fn at_the_deadline_it_decides_or_leaves_it() {
    let cue = Marker::new(at(0), "cue");
    let inputs: Vec<_> = (0..6).map(|n| window(50 * n, Ok(("b", 0.36)))).collect();
    let mut forced = prepared(Evidence::new(0.99, Span::millis(200)));
    forced.marker(&cue);
    let found = out(&mut forced, &inputs);
    assert!(found[2].outcome.is_err() && found[4].outcome == Err(NoDecision::Idle));
    assert!(found[3].outcome.as_ref().is_ok_and(|(class, sure)| class == "b" && *sure < 0.5));
    let mut left = prepared(Evidence::new(0.99, Span::millis(200)).or_nothing());
    left.marker(&cue);
    let found = out(&mut left, &inputs);
    assert_eq!(found[3].outcome, Err(NoDecision::Undecided));
    assert_eq!((found[3].info.marker.is_some(), &found[4].outcome), (true, &Err(NoDecision::Idle)));
    // Nothing to decide by.
    let mut blind = prepared(Evidence::new(0.99, Span::millis(200)));
    blind.marker(&cue);
    let inputs: Vec<_> = (0..4).map(|n| window(50 * n, Err(NoDecision::Artifact))).collect();
    assert_eq!(out(&mut blind, &inputs)[3].outcome, Err(NoDecision::Artifact));
}

#[test]
fn gaps_markers_and_the_delay_begin_anew() {
    let mut evidence = prepared(Evidence::new(0.8, Span::secs(9)).after(Span::millis(100)).at(["cue"]));
    evidence.marker(&Marker::new(at(0), "rest"));
    assert_eq!(out(&mut evidence, &[window(0, Ok(("a", 0.7)))])[0].outcome, Err(NoDecision::Idle));
    evidence.marker(&Marker::new(at(50), "cue"));
    // The window from 50 ms ends within the delay; that from 100 ms counts; the gap takes it away.
    let inputs = [
        window(50, Ok(("b", 0.99))),
        window(100, Ok(("a", 0.7))),
        window(150, Err(NoDecision::Gap)),
        window(200, Ok(("a", 0.7))),
        window(250, Ok(("a", 0.7))),
    ];
    let found = out(&mut evidence, &inputs);
    assert_eq!(found[2].outcome, Err(NoDecision::Gap));
    assert!(found[3].outcome.is_err());
    // 0.7² against 0.15² twice.
    let sure = 0.49 / (0.49 + 2.0 * 0.0225);
    assert!((found[4].outcome.as_ref().unwrap().1 - sure).abs() < 1e-12);
    // A marker within a trial begins another, a reset ends it, and what is not finite is no evidence.
    evidence.marker(&Marker::new(at(300), "cue"));
    out(&mut evidence, &[window(400, Ok(("a", 0.7)))]);
    evidence.marker(&Marker::new(at(450), "cue"));
    let found = out(&mut evidence, &[window(550, Ok(("b", f64::NAN))), window(600, Ok(("b", 0.7)))]);
    assert!(found.iter().all(|one| one.outcome == Err(NoDecision::Undecided)));
    evidence.reset();
    assert_eq!(out(&mut evidence, &[window(650, Ok(("b", 0.7)))])[0].outcome, Err(NoDecision::Idle));
}

#[test]
fn settings_of_evidence_that_make_no_sense_are_refused() {
    let three = classes(&["a", "b", "c"]);
    let says = |mut evidence: Evidence, classes: &Arc<[String]>, what: &str| {
        let error = evidence.prepare(classes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    let second = Span::secs(1);
    says(Evidence::new(0.9, second), &classes(&["a"]), "at least two");
    for threshold in [0.3, 1.0, f64::NAN] {
        says(Evidence::new(threshold, second), &three, "above chance, 0.333");
    }
    says(Evidence::new(0.9, second).weight(0.0), &three, "above 0, found 0");
    says(Evidence::new(0.9, second).after(second), &three, "more than the 1000 ms after which");
    says(Evidence::new(0.9, second).after(Span::secs(-1)), &three, "0 ms or more");
}

#[test]
fn a_trial_goes_on_over_a_restart() {
    let inputs: Vec<_> = (0..12).map(|n| window(50 * n, Ok((["a", "b"][n as usize % 2], 0.6)))).collect();
    let fresh = || prepared(Evidence::new(0.999, Span::millis(600)));
    let mut whole = fresh();
    whole.marker(&Marker::new(at(0), "cue"));
    let expected = out(&mut whole, &inputs);
    for cut in 0..=inputs.len() {
        let mut first = fresh();
        first.marker(&Marker::new(at(0), "cue"));
        let mut found = out(&mut first, &inputs[..cut]);
        let mut writer = SnapshotWriter::default();
        first.snapshot(&mut writer);
        let bytes = writer.into_bytes().unwrap();
        let mut second = fresh();
        second.restore(&mut SnapshotReader::new(&bytes)).unwrap();
        found.extend(out(&mut second, &inputs[cut..]));
        assert_eq!(found, expected, "cut at {cut}");
        let mut other = Evidence::new(0.9, Span::secs(1));
        other.prepare(&classes(&["a", "b"])).unwrap();
        assert_eq!(other.restore(&mut SnapshotReader::new(&bytes)).is_err(), cut < inputs.len());
    }
}

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

/// Covariances, recentred, decided, accumulated: as one operator on windows, which is what the kit takes.
struct Chain {
    feature: Covariance,
    recentre: Recentre,
    evidence: Evidence,
    prepared: Option<(Features, Features, Decoder, Decision<String>)>,
}

impl Chain {
    fn new(centre: Centre) -> Self {
        Self {
            feature: Covariance::oas().over_millis(400),
            recentre: Recentre::around(centre),
            evidence: Evidence::new(0.9, Span::secs(1)).weight(0.2).continuous(),
            prepared: None,
        }
    }
}

impl Operator for Chain {
    type In = Window;
    type Out = Decision<String>;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        let features = self.feature.prepare(spec)?;
        let recentred = self.recentre.prepare(&features)?;
        let mut trials = Trials::new(features.rows.iter().cloned(), spec.signal.rate, ["a", "b"]).unwrap();
        let (channels, mut random) = (features.rows.len(), Random::new(3));
        for n in 0..20 {
            let mut covariance = vec![0.0; channels * channels];
            for channel in 0..channels {
                covariance[channel * (channels + 1)] = 2.0 + (n % 2) as f64 + 0.5 * random.unit();
            }
            trials.push(n % 2, &covariance).unwrap();
        }
        let mut decoder = Mdm::new().fit(&trials).unwrap().decoder();
        let classes = decoder.prepare(&recentred)?;
        let classes = self.evidence.prepare(&classes)?;
        self.prepared = Some((
            Features::blank(info(), &features),
            Features::blank(info(), &recentred),
            decoder,
            Decision::blank(info(), &classes),
        ));
        Ok(classes)
    }

    fn process(&mut self, input: &Window, out: &mut Decision<String>) -> Result<(), OperatorError> {
        let (features, recentred, decoder, decision) = self.prepared.as_mut().unwrap();
        features.begin(&input.info);
        self.feature.process(input, features)?;
        recentred.begin(&input.info);
        self.recentre.process(features, recentred)?;
        decision.begin(&input.info);
        decoder.process(recentred, decision)?;
        self.evidence.process(decision, out)
    }

    fn reset(&mut self) {
        self.feature.reset();
        self.recentre.reset();
        self.evidence.reset();
        self.prepared.iter_mut().for_each(|(_, _, decoder, _)| decoder.reset());
    }

    fn latency(&self) -> Latency {
        self.feature.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.feature.snapshot(writer);
        self.recentre.snapshot(writer);
        self.evidence.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.feature.restore(reader)?;
        self.recentre.restore(reader)?;
        self.evidence.restore(reader)
    }
}

#[test]
fn they_conform() {
    for centre in [Centre::Riemann, Centre::Euclid] {
        let why =
            "a mean of all so far does not settle; that nothing missing enters it has a test of its own";
        let report = window_operator(|| Chain::new(centre)).without(Check::Gap, why).run();
        report.assert_ok();
        assert!(report.passed(Check::Snapshot) && report.passed(Check::Causality), "{report}");
    }
}
