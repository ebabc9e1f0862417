//! Decoders as operators: conformance, what cannot be fitted, and models on files.
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{
    Channel, Decision, FeatureSpec, Features, Marker, NoDecision, SamplingRate, Span, StreamHeader,
    StreamKey, Timestamp, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowItem, WindowSpec};
use neuraflow_core::testing::Random;
use neuraflow_core::testing::conformance::{Check, Report, window_operator};
use neuraflow_ops::decode::{
    Csp, Decoder, FitError, Mdm, Model, ModelError, TangentLogistic, Trials, Xdawn, XdawnLda, XdawnTangent,
};
use neuraflow_ops::feature::Covariance;
use neuraflow_ops::kernel::linalg::{Estimator, LinalgError, covariance};

const NAMES: [&str; 3] = ["C3", "Cz", "C4"];

/// Trials of two classes: more power at C3, or at C4.
fn trials(each: usize, classes: [&str; 2]) -> Trials {
    let mut trials = Trials::new(NAMES, SamplingRate::hz(160).unwrap(), classes).unwrap().band(8.0..30.0);
    let mut random = Random::new(5);
    for n in 0..2 * each {
        let class = n % 2;
        let samples: Vec<f64> = (0..80)
            .flat_map(|_| {
                let [a, b, c] = [0; 3].map(|_| 20.0 * random.unit() - 10.0);
                if class == 0 { [2.0 * a, b, c] } else { [a, b, 2.0 * c] }
            })
            .collect();
        trials.push(class, &covariance(&samples, 3, Estimator::Sample).unwrap()).unwrap();
    }
    trials
}

fn models() -> [Model; 4] {
    let trials = trials(6, ["left", "right"]);
    [
        Csp::new(2).fit(&trials).unwrap(),
        Csp::new(3).shrunk().fit(&trials).unwrap(),
        Mdm::new().fit(&trials).unwrap(),
        TangentLogistic::new().fit(&trials).unwrap(),
    ]
}

/// Models of epochs: something at C4 after some samples, or nothing.
fn evoked_models() -> [Model; 2] {
    let rate = SamplingRate::hz(160).unwrap();
    let mut trials = Trials::epochs(NAMES, 12, rate, ["left", "right"]).unwrap().band(8.0..30.0);
    let mut random = Random::new(9);
    for n in 0..16 {
        let noise = |at: usize| if n % 2 == 1 && at > 30 { 12.0 } else { 0.0 } + 3.0 * random.unit();
        trials.push(n % 2, &(0..36).map(noise).collect::<Vec<f64>>()).unwrap();
    }
    let trials = trials.reject_above(100.0).unwrap();
    [
        XdawnLda::new(Xdawn::oas(1)).means_of(4).shrunk().fit(&trials).unwrap(),
        XdawnTangent::new(Xdawn::oas(2)).fit(&trials).unwrap(),
    ]
}

fn features(rate: u64, names: &[&str], values: Vec<f64>, label: Option<&str>) -> Features {
    let channels = names.iter().copied().map(Channel::new).collect();
    let stream = StreamHeader::new(
        StreamKey::of_names("session", "headset"),
        "headset",
        SamplingRate::hz(rate).unwrap(),
        channels,
    );
    let names: Arc<[String]> = names.iter().map(|name| (*name).to_owned()).collect();
    Features {
        info: WindowInfo {
            stream: Arc::new(stream),
            index: 0,
            start: Timestamp::EPOCH,
            end: Timestamp::EPOCH + Span::secs(3),
            expected: 480,
            received: 480,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: label.map(|label| Arc::new(Marker::new(Timestamp::EPOCH, label))),
        },
        spec: Arc::new(FeatureSpec { rows: names.clone(), columns: names, unit: "µV²".into() }),
        values,
    }
}

fn decide(model: &Model, input: &Features) -> Result<Result<(String, f64), NoDecision>, OperatorError> {
    let mut decoder = model.decoder();
    let classes = decoder.prepare(&input.spec)?;
    let mut out = Decision::blank(input.info.clone(), &classes);
    decoder.process(input, &mut out)?;
    Ok(out.outcome)
}

#[test]
fn a_trial_is_decided_and_what_cannot_be_is_said() {
    for model in models() {
        let input = |values: &[f64]| features(160, &NAMES, values.to_vec(), None);
        let left = [130.0, 1.0, 0.0, 1.0, 33.0, 2.0, 0.0, 2.0, 31.0];
        let (class, confidence) = decide(&model, &input(&left)).unwrap().unwrap();
        assert!(class == "left" && confidence > 0.7 && confidence <= 1.0, "{} {confidence}", model.method());
        let outcome = |change: &dyn Fn(&mut Features)| {
            let mut input = input(&left);
            change(&mut input);
            decide(&model, &input).unwrap()
        };
        assert_eq!(outcome(&|input| input.info.warm_up = true), Err(NoDecision::WarmUp));
        assert_eq!(outcome(&|input| input.info.received = 431), Err(NoDecision::Gap));
        assert!(outcome(&|input| input.info.received = 432).is_ok());
        assert_eq!(outcome(&|input| input.values[4] = f64::NAN), Err(NoDecision::Gap));
        assert_eq!(outcome(&|input| input.values.fill(0.0)), Err(NoDecision::Degenerate));
    }
}

#[test]
fn another_montage_or_rate_is_refused() {
    let model = &models()[2];
    let refused = |input: Features| decide(model, &input).unwrap_err().to_string();
    let swapped = refused(features(160, &["C3", "C4", "Cz"], vec![1.0; 9], None));
    assert!(swapped.contains("expected Cz as channel 2") && swapped.contains("found C4"), "{swapped}");
    let fewer = refused(features(160, &["C3", "Cz"], vec![1.0; 4], None));
    assert!(fewer.contains("expected 3 channels") && fewer.contains("found 2"), "{fewer}");
    let faster = refused(features(250, &NAMES, vec![1.0; 9], None));
    assert!(faster.contains("expected 160 Hz") && faster.contains("found 250 Hz"), "{faster}");
    let mut bands = features(160, &NAMES, vec![1.0; 6], None);
    bands.spec = Arc::new(FeatureSpec {
        rows: bands.spec.rows.clone(),
        columns: ["alpha".to_owned(), "beta".to_owned()].into(),
        unit: "µV²".into(),
    });
    assert!(refused(bands).contains("found alpha in its columns"));
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let rate = SamplingRate::hz(160).unwrap();
    let says = |error: FitError, what: &str| assert!(error.to_string().contains(what), "{error}");
    says(Trials::new(NAMES, rate, ["left"]).unwrap_err(), "at least two to decide between");
    says(Trials::new(NAMES, rate, ["left", "left"]).unwrap_err(), "two named left");
    says(Trials::new([""; 0], rate, ["left", "right"]).unwrap_err(), "channels");
    let mut some = trials(3, ["left", "right"]);
    says(some.push(2, &[1.0; 9]).unwrap_err(), "class 2");
    says(some.push(0, &[1.0; 4]).unwrap_err(), "expected 3 × 3, found 4");
    says(some.push(1, &[f64::NAN; 9]).unwrap_err(), "trial 6 (right), found NaN");
    says(Csp::new(0).fit(&some).unwrap_err(), "from 1 to 3");
    says(Csp::new(4).fit(&some).unwrap_err(), "from 1 to 3");
    says(TangentLogistic::new().c(0.0).fit(&some).unwrap_err(), "above 0");

    // One class, too few trials.
    let unit = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let mut one = Trials::new(NAMES, rate, ["left", "right"]).unwrap();
    one.push(0, &unit).unwrap();
    one.push(0, &unit).unwrap();
    for error in [
        Csp::new(2).fit(&one).unwrap_err(),
        Mdm::new().fit(&one).unwrap_err(),
        TangentLogistic::new().fit(&one).unwrap_err(),
    ] {
        says(error, "trials of right, found 0");
    }
    says(Csp::new(3).fit(&trials(2, ["left", "right"])).unwrap_err(), "at least 5 trials of all classes");
    let mut three = Trials::new(NAMES, rate, ["left", "right", "feet"]).unwrap();
    (0..6).for_each(|n| three.push(n % 3, &unit).unwrap());
    says(Csp::new(2).fit(&three).unwrap_err(), "expected two; for more use minimum distance to mean");
    says(TangentLogistic::new().fit(&three).unwrap_err(), "found 3 classes");

    // An average reference: rank 2 of 3.
    let mut singular = Trials::new(NAMES, rate, ["left", "right"]).unwrap();
    let samples = [1.0, -2.0, 1.0, 3.0, 0.5, -3.5, -2.0, 0.0, 2.0, 0.0, 1.0, -1.0];
    let referenced = covariance(&samples, 3, Estimator::Sample).unwrap();
    (0..8).for_each(|n| singular.push(n % 2, &referenced).unwrap());
    for error in [
        Csp::new(2).fit(&singular).unwrap_err(),
        Mdm::new().fit(&singular).unwrap_err(),
        TangentLogistic::new().fit(&singular).unwrap_err(),
    ] {
        let FitError::Numbers { source, .. } = &error else { panic!("{error}") };
        assert_eq!(*source, LinalgError::Rank { rank: 2, order: 3 });
        says(error, "use a shrinkage estimator");
    }
}

#[test]
fn trials_come_out_of_a_pipeline_with_their_markers() {
    let unit = vec![1.0, 0.0, 0.0, 1.0];
    let trial = |label| features(160, &["C3", "C4"], unit.clone(), label);
    let classes = [("T1", "fists"), ("T2", "feet")];
    let mut given = vec![trial(Some("T2")), trial(Some("T1"))];
    given[0].info.index = 7;
    let trials = Trials::of(&given, classes).unwrap();
    assert_eq!(
        (trials.labels(), trials.classes()),
        (&[0, 1][..], &["fists".to_owned(), "feet".to_owned()][..])
    );
    let says = |more: Features, what: &str| {
        let error = Trials::of(&[trial(Some("T1")), more], classes).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    };
    says(trial(None), "expected T1, T2, found a window that is no epoch");
    says(trial(Some("T0")), "found T0; cut epochs at these labels only");
    says(features(250, &["C3", "C4"], unit.clone(), Some("T1")), "another sampling rate");
    says(
        features(160, &["C3", "Cz"], unit.clone(), Some("T1")),
        "another montage: expected C3 C4, found C3 Cz",
    );
    says(features(160, &["C3", "C4"], vec![f64::NAN; 4], Some("T1")), "lies in a gap");
    let none: FitError = Trials::of(&[], classes).unwrap_err();
    assert!(none.to_string().contains("found 0"), "{none}");
}

#[test]
fn a_model_survives_its_file_and_damage_is_noticed() {
    let directory = std::env::temp_dir().join(format!("neuraflow-models-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let mut random = Random::new(11);
    for (number, model) in models().iter().chain(&evoked_models()).enumerate() {
        let path = directory.join(number.to_string());
        model.save(&path).unwrap();
        let again = Model::load(&path).unwrap();
        assert_eq!(&again, model);
        assert_eq!((again.rate().as_hz(), again.band()), (160.0, Some(8.0..30.0)));
        assert_eq!(again.montage().join(" "), "C3 Cz C4");
        let bytes = model.to_bytes().unwrap();
        for bit in 0..8 * bytes.len() {
            let mut other = bytes.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let error = Model::from_bytes(&other).unwrap_err();
            assert!(matches!(error, ModelError::Damaged { .. } | ModelError::Version { .. }), "{error}");
        }
        for length in 0..bytes.len() {
            assert!(Model::from_bytes(&bytes[..length]).is_err());
        }
        // Bytes of somebody who knows how to make a checksum: whatever is read works, or says that it does not.
        for _ in 0..2_000 {
            let mut body = bytes[28..].to_vec();
            for _ in 0..1 + random.below(3) {
                let at = random.below(body.len());
                body[at] = random.next() as u8;
            }
            body.truncate(body.len() - random.below(2) * random.below(40));
            if let Ok(model) = Model::from_bytes(&sealed(&body, 1)) {
                let channels = model.montage().len();
                let columns = model.xdawn().map_or(channels, |xdawn| xdawn.evoked()[0].len());
                let unit: Vec<f64> = (0..channels * columns)
                    .map(|n| if n % (channels + 1) == 0 { 1.0 } else { 0.0 })
                    .collect();
                let _ = model.decide(&unit);
            }
        }
        let newer = Model::from_bytes(&sealed(&bytes[28..], 2)).unwrap_err();
        assert!(matches!(newer, ModelError::Version { supported: 1, found: 2 }), "{newer}");
    }
    assert!(matches!(Model::load(directory.join("none")), Err(ModelError::Io { action: "read", .. })));
    std::fs::remove_dir_all(&directory).unwrap();
}

/// An envelope as a model's, by the description of its bytes.
fn sealed(body: &[u8], version: u16) -> Vec<u8> {
    let mut bytes = b"\x89NFMD\r\n\x1a".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(checksum(body).to_le_bytes());
    bytes.extend(checksum(&bytes).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// CRC-32C, bit by bit.
fn checksum(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ if sum & 1 == 1 { 0x82f6_3b78 } else { 0 })
    })
}

/// A feature and a decoder behind it, as one operator on windows: what the kit takes.
struct Chain {
    feature: Covariance,
    fit: fn(&Trials) -> Result<Model, FitError>,
    prepared: Option<(Features, Decoder)>,
}

impl Chain {
    fn new(feature: Covariance, fit: fn(&Trials) -> Result<Model, FitError>) -> Self {
        Self { feature, fit, prepared: None }
    }

    /// Two classes with other powers in every channel, for whatever channels there are.
    fn trials(spec: &FeatureSpec, rate: SamplingRate) -> Trials {
        let mut trials = Trials::new(spec.rows.iter().cloned(), rate, ["a", "b"]).unwrap();
        let (channels, mut random) = (spec.rows.len(), Random::new(3));
        for n in 0..40 {
            let mut covariance = vec![0.0; channels * channels];
            for channel in 0..channels {
                let stronger = if n % 2 == channel % 2 { 50.0 } else { 0.0 };
                covariance[channel * (channels + 1)] = 30.0 + stronger + 20.0 * random.unit();
            }
            trials.push(n % 2, &covariance).unwrap();
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
        let info = self::features(160, &NAMES, Vec::new(), None).info;
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
        self.prepared.iter_mut().for_each(|(_, decoder)| decoder.reset());
    }

    fn latency(&self) -> Latency {
        let decoder = self.prepared.as_ref().map(|(_, decoder)| decoder.latency());
        self.feature.latency().then(decoder.unwrap_or_default())
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.feature.snapshot(writer);
        self.prepared.iter().for_each(|(_, decoder)| decoder.snapshot(writer));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.feature.restore(reader)?;
        self.prepared.iter_mut().try_for_each(|(_, decoder)| decoder.restore(reader))
    }
}

/// Every check ran on every spec.
fn took_every_spec(report: &Report) {
    report.assert_ok();
    assert!(report.to_string().contains(" 0 skipped"), "{report}");
    assert!(report.passed(Check::Gap) && report.passed(Check::Snapshot));
}

#[test]
fn covariances_conform() {
    took_every_spec(&window_operator(Covariance::sample).run());
    took_every_spec(&window_operator(|| Covariance::ledoit_wolf().over_millis(330)).run());
}

#[test]
fn decoders_conform() {
    let chain = |fit| move || Chain::new(Covariance::oas().over_millis(400), fit);
    took_every_spec(&window_operator(chain(|trials| Csp::new(1).fit(trials))).run());
    took_every_spec(&window_operator(chain(|trials| Mdm::new().fit(trials))).run());
    took_every_spec(&window_operator(chain(|trials| TangentLogistic::new().fit(trials))).run());
}
