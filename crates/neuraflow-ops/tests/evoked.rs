//! Decoders of evoked responses as operators: conformance, what cannot be fitted, and what is left undecided.
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{
    Channel, Decision, FeatureSpec, Features, NoDecision, SamplingRate, Span, Window,
};
use neuraflow_core::operator::{
    Latency, Missing, Operator, OperatorError, SignalSpec, WindowItem, WindowSpec,
};
use neuraflow_core::testing::Random;
use neuraflow_core::testing::conformance::{Check, Report, default_window_specs, window_operator};
use neuraflow_ops::decode::{Csp, Decoder, FitError, Mdm, Model, Trials, Xdawn, XdawnLda, XdawnTangent};
use neuraflow_ops::feature::Samples;
use neuraflow_ops::kernel::linalg::{Estimator, LinalgError};

mod whole;
use whole::window;

const NAMES: [&str; 3] = ["Cz", "Pz", "Oz"];
const SAMPLES: usize = 10;

/// An epoch of noise, with or without a response at Pz.
fn epoch(random: &mut Random, response: f64) -> Vec<f64> {
    let noise = |at: usize| {
        4.0 * random.unit() + if (SAMPLES + 4..SAMPLES + 8).contains(&at) { response } else { 0.0 }
    };
    (0..3 * SAMPLES).map(noise).collect()
}

fn trials(each: usize) -> Trials {
    let mut trials =
        Trials::epochs(NAMES, SAMPLES, SamplingRate::hz(100).unwrap(), ["other", "target"]).unwrap();
    let mut random = Random::new(21);
    for n in 0..2 * each {
        trials.push(n % 2, &epoch(&mut random, 15.0 * (n % 2) as f64)).unwrap();
    }
    trials
}

fn models() -> [Model; 3] {
    let trials = trials(20).reject_above(60.0).unwrap();
    [
        XdawnLda::new(Xdawn::oas(1)).means_of(5).fit(&trials).unwrap(),
        XdawnLda::new(Xdawn::oas(2)).shrunk().fit(&trials).unwrap(),
        XdawnTangent::new(Xdawn::oas(1)).fit(&trials).unwrap(),
    ]
}

/// What `Samples` puts out for an epoch `[channel][sample]`: through the operator itself.
fn features(names: &[&str], samples: &[f64], baseline: Option<i64>) -> Features {
    let channels: Vec<Channel> = names.iter().copied().map(Channel::new).collect();
    let count = samples.len() / names.len();
    let values: Vec<f32> =
        (0..count).flat_map(|n| (0..names.len()).map(move |row| samples[row * count + n] as f32)).collect();
    let (spec, window) = window(&channels, 100, 0, &values);
    let operator = Samples::new();
    let mut operator = if let Some(millis) = baseline { operator.baseline_millis(millis) } else { operator };
    let spec = operator.prepare(&spec).unwrap();
    let mut out = Features::blank(window.info.clone(), &spec);
    operator.process(&window, &mut out).unwrap();
    out
}

fn decide(model: &Model, input: &Features) -> Result<Result<(String, f64), NoDecision>, OperatorError> {
    let mut decoder = model.decoder();
    let classes = decoder.prepare(&input.spec)?;
    let mut out = Decision::blank(input.info.clone(), &classes);
    decoder.process(input, &mut out)?;
    Ok(out.outcome)
}

#[test]
fn samples_are_what_was_in_the_epoch() {
    let found = features(&["Cz", "Pz"], &[1.0, 2.0, 6.0, -1.0, -3.0, 0.5], None);
    assert_eq!(found.values, [1.0, 2.0, 6.0, -1.0, -3.0, 0.5]);
    assert_eq!((found.get("Pz", "20 ms"), &*found.spec.unit), (Some(0.5), "µV"));
    let found = features(&["Cz", "Pz"], &[1.0, 2.0, 6.0, -1.0, -3.0, 0.5], Some(20));
    assert_eq!(found.values, [-0.5, 0.5, 4.5, 1.0, -1.0, 2.5]);
    let signal = |rate| SignalSpec {
        channels: [Channel::new("Cz")].into(),
        rate: SamplingRate::hz(rate).unwrap(),
        missing: Missing::Restart,
    };
    let refused = |mut operator: Samples, rate, hop| {
        operator.prepare(&WindowSpec { signal: signal(rate), hop }).unwrap_err().to_string()
    };
    let second = Span::secs(1);
    assert!(refused(Samples::new().baseline_millis(1), 100, second).contains("1 ms, which is 0 samples"));
    assert!(
        refused(Samples::new().baseline_millis(1_500), 100, second)
            .contains("from 1 sample to the epoch's 100")
    );
    assert!(refused(Samples::new(), 2_000_000, second).contains("1 value to 1048576"));
    assert!(refused(Samples::new(), 100, Span::millis(1)).contains("found 0 samples"));
}

#[test]
fn an_epoch_is_decided_and_what_cannot_be_is_said() {
    let mut random = Random::new(4);
    for model in models() {
        let mut right = 0;
        for n in 0..20 {
            let response = [0.0, 15.0][n % 2];
            let input = features(&NAMES, &epoch(&mut random, response), None);
            let (class, confidence) = decide(&model, &input).unwrap().unwrap();
            assert!((0.5..=1.0).contains(&confidence), "{confidence}");
            right += usize::from(class == ["other", "target"][n % 2]);
        }
        assert!(right >= 18, "{}: {right} of 20", model.method());
        let outcome = |change: &dyn Fn(&mut Features)| {
            let mut input = features(&NAMES, &epoch(&mut Random::new(8), 15.0), None);
            change(&mut input);
            decide(&model, &input).unwrap()
        };
        assert_eq!(outcome(&|input| input.info.warm_up = true), Err(NoDecision::WarmUp));
        assert_eq!(outcome(&|input| input.info.received = 8), Err(NoDecision::Gap));
        assert_eq!(outcome(&|input| input.values[4] = f64::NAN), Err(NoDecision::Gap));
        assert_eq!(outcome(&|input| input.values[4] = 70.0), Err(NoDecision::Artifact));
        assert_eq!(outcome(&|input| input.values.fill(0.0)), Err(NoDecision::Degenerate));
        assert_eq!(model.limit(), Some(60.0));
    }
}

#[test]
fn epochs_of_another_length_and_covariances_are_refused() {
    let model = &models()[2];
    let refused = |input: &Features| decide(model, input).unwrap_err().to_string();
    let longer = refused(&features(&NAMES, &[1.0; 33], None));
    assert!(
        longer.contains("expected an epoch of 10 samples") && longer.contains("found an epoch of 11"),
        "{longer}"
    );
    let other = refused(&features(&["Cz", "Oz", "Pz"], &[1.0; 30], None));
    assert!(other.contains("expected Pz as channel 2"), "{other}");
    let mut covariance = features(&NAMES, &[1.0; 30], None);
    let names = covariance.spec.rows.clone();
    covariance.spec = Arc::new(FeatureSpec { rows: names.clone(), columns: names, unit: "µV²".into() });
    assert!(refused(&covariance).contains("found a covariance, from feature::Covariance"));
    // A decoder of covariances, fitted to epochs.
    let says = |error: FitError, what: &str| assert!(error.to_string().contains(what), "{error}");
    says(
        Csp::new(1).fit(&trials(3)).unwrap_err(),
        "expected covariances, from feature::Covariance, found an epoch of 10",
    );
    says(Mdm::new().fit(&trials(3)).unwrap_err(), "expected covariances");
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let rate = SamplingRate::hz(100).unwrap();
    let says = |error: FitError, what: &str| assert!(error.to_string().contains(what), "{error}");
    says(Trials::epochs(NAMES, 0, rate, ["a", "b"]).unwrap_err(), "1 or more, found 0");
    let mut some = trials(4);
    says(some.push(0, &[1.0; 9]).unwrap_err(), "expected 3 × 10, found 9");
    says(some.push(0, &[f64::INFINITY; 30]).unwrap_err(), "trial 8 (other)");
    says(some.clone().reject_above(0.0).unwrap_err(), "µV above 0, found 0");
    let tangent = |filters| XdawnTangent::new(Xdawn::oas(filters));
    says(tangent(0).fit(&some).unwrap_err(), "from 1 to 3");
    says(tangent(4).fit(&some).unwrap_err(), "from 1 to 3");
    says(tangent(1).c(-1.0).fit(&some).unwrap_err(), "above 0, found -1");
    let lda = || XdawnLda::new(Xdawn::oas(2));
    says(lda().means_of(11).fit(&some).unwrap_err(), "from 1 to 10, the samples of an epoch, found 11");
    says(lda().fit(&some).unwrap_err(), "at least 42 trials of all classes; fewer filters, longer means");
    // Nothing left of a class.
    let rejected = some.clone().reject_above(14.0).unwrap();
    says(tangent(1).fit(&rejected).unwrap_err(), "at least 1 trials of target, found 0");
    let mut three = Trials::epochs(NAMES, SAMPLES, rate, ["a", "b", "c"]).unwrap();
    let mut random = Random::new(6);
    (0..9).for_each(|n| three.push(n % 3, &epoch(&mut random, n as f64)).unwrap());
    says(tangent(1).fit(&three).unwrap_err(), "found 3 classes");
    assert!(lda().shrunk().fit(&three).is_ok());
    let covariances = Trials::new(NAMES, rate, ["a", "b"]).unwrap();
    says(lda().fit(&covariances).unwrap_err(), "trials of a, found 0");
    says(covariances.reject_above(50.0).unwrap_err(), "expected epochs, from feature::Samples");

    // One channel is another's copy: no sample covariance, but a shrunk one.
    let mut doubled = Trials::epochs(NAMES, SAMPLES, rate, ["a", "b"]).unwrap();
    for n in 0..12 {
        let mut values = epoch(&mut random, f64::from(n % 2) * 9.0);
        values.copy_within(0..SAMPLES, 2 * SAMPLES);
        doubled.push((n % 2) as usize, &values).unwrap();
    }
    let error = Xdawn::new(1, Estimator::Sample).fit(&doubled).unwrap_err();
    let FitError::Numbers { source, .. } = &error else { panic!("{error}") };
    assert_eq!(*source, LinalgError::Rank { rank: 2, order: 3 });
    says(error, "use a shrinkage estimator");
    assert!(Xdawn::oas(1).fit(&doubled).is_ok());
    // Filters that repeat each other have no sample covariance either.
    let error = XdawnTangent::new(Xdawn::new(2, Estimator::Sample)).estimator(Estimator::Sample).fit(&some);
    assert!(matches!(error, Err(FitError::Numbers { source: LinalgError::Rank { .. }, .. })));
}

/// The feature and a decoder behind it, as one operator on windows: what the kit takes.
struct Chain {
    feature: Samples,
    fit: fn(&Trials) -> Result<Model, FitError>,
    prepared: Option<(Features, Decoder)>,
}

impl Chain {
    fn new(fit: fn(&Trials) -> Result<Model, FitError>) -> Self {
        Self { feature: Samples::new().over_millis(400), fit, prepared: None }
    }

    /// Noise, louder at the beginning or at the end, for whatever channels and samples there are.
    fn trials(spec: &FeatureSpec, rate: SamplingRate) -> Trials {
        let (channels, samples, mut random) = (spec.rows.len(), spec.columns.len(), Random::new(3));
        let mut trials = Trials::epochs(spec.rows.iter().cloned(), samples, rate, ["a", "b"]).unwrap();
        for n in 0..12 {
            let value = |at: usize| {
                let second = at % samples >= samples / 2;
                25.0 * random.unit() + if second == (n % 2 == 1) { 40.0 } else { 0.0 }
            };
            trials.push(n % 2, &(0..channels * samples).map(value).collect::<Vec<f64>>()).unwrap();
        }
        trials
    }
}

impl Operator for Chain {
    type In = Window;
    type Out = Decision<String>;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        let features = self.feature.prepare(spec)?;
        let mut decoder = (self.fit)(&Self::trials(&features, spec.signal.rate)).unwrap().decoder();
        let classes = decoder.prepare(&features)?;
        let info = self::features(&NAMES, &[0.0; 3], None).info;
        self.prepared = Some((Features::blank(info, &features), decoder));
        Ok(classes)
    }

    fn process(&mut self, input: &Window, out: &mut Decision<String>) -> Result<(), OperatorError> {
        let (between, decoder) = self.prepared.as_mut().unwrap();
        between.begin(&input.info);
        self.feature.process(input, between)?;
        decoder.process(between, out)
    }

    fn reset(&mut self) {
        self.feature.reset();
    }

    fn latency(&self) -> Latency {
        self.feature.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.feature.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.feature.restore(reader)
    }
}

/// Every check ran on every spec.
fn took_every_spec(report: &Report) {
    report.assert_ok();
    assert!(report.to_string().contains(" 0 skipped"), "{report}");
    assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot) && report.passed(Check::Causality));
}

#[test]
fn samples_conform() {
    took_every_spec(&window_operator(Samples::new).run());
    took_every_spec(&window_operator(|| Samples::new().over_millis(330).baseline_millis(120)).run());
}

#[test]
fn decoders_conform() {
    // At 30 kHz an epoch of 400 ms is 12,000 samples; the usual rates do.
    let usual = |spec: &WindowSpec| spec.signal.rate.as_hz() < 2_000.0;
    let specs: Vec<WindowSpec> = default_window_specs().into_iter().filter(usual).collect();
    let run = |fit| took_every_spec(&window_operator(move || Chain::new(fit)).specs(specs.clone()).run());
    run(|trials| XdawnTangent::new(Xdawn::oas(1)).fit(trials));
    run(|trials| XdawnLda::new(Xdawn::oas(1)).means_of(4).shrunk().fit(trials));
}
