//! Decoders of trajectories: conformance, what cannot be fitted, what is not decided, and models on files.
#![cfg(feature = "linalg")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail by panicking")]

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{
    Decision, FeatureSpec, Features, NoDecision, SamplingRate, Span, StreamHeader, StreamKey, Timestamp,
    Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowItem, WindowSpec};
use neuraflow_core::testing::Random;
use neuraflow_core::testing::conformance::{default_window_specs, window_operator};
use neuraflow_ops::decode::{
    FitError, Kalman, Model, ModelError, PoissonBayes, Trajectory, TrajectoryDecoder, TrajectoryModel, Wiener,
};
use neuraflow_ops::feature::SpikeCounts;

const UNITS: [&str; 4] = ["unit 0", "unit 1", "unit 2", "unit 3"];

/// Made up: where somebody is on a track that is run to and fro, and how often four units fire that each like a place of their
/// own. The seed is 3.
fn made_up(windows: i64) -> Vec<([f64; 2], Vec<f64>)> {
    let mut random = Random::new(3);
    let mut window = |at: i64| {
        let phase = at as f64 / 40.0;
        let position = 50.0 - 50.0 * libm::cos(phase);
        let counts = (0..4).map(|unit| {
            let away = (position - 12.0 - 25.0 * f64::from(unit)) / 12.0;
            let expected = 0.2 + 3.0 * libm::exp(-0.5 * away * away);
            (expected + 1.5 * random.unit()).round().max(0.0)
        });
        let counts = counts.collect();
        ([position, 25.0 * libm::sin(phase)], counts)
    };
    (0..windows).map(&mut window).collect()
}

fn trajectory(windows: i64, names: &[&str]) -> Trajectory {
    let mut trajectory = Trajectory::new(UNITS, Span::millis(50), names.iter().copied()).unwrap();
    for (window, (values, counts)) in (0..).zip(made_up(windows)) {
        trajectory.push(window, &counts, Some(&values[..names.len()])).unwrap();
    }
    trajectory
}

fn models() -> Vec<TrajectoryModel> {
    let (one, two) = (trajectory(600, &["position"]), trajectory(600, &["position", "velocity"]));
    vec![
        Wiener::new(5).fit(&two).unwrap(),
        Wiener::new(1).ridge(3.0).fit(&one).unwrap(),
        Kalman::new().fit(&two).unwrap(),
        PoissonBayes::new().over_millis(150).fit(&one).unwrap(),
        PoissonBayes::new().bins(13).smoothing(0.0).occupancy_prior().over_millis(50).fit(&one).unwrap(),
    ]
}

fn features(index: i64, counts: &[f64]) -> Features {
    let rate = SamplingRate::hz(1_000).unwrap();
    let stream = StreamHeader::new(StreamKey::of_names("session", "rat"), "rat", rate, Vec::new());
    let start = Timestamp::EPOCH + Span::millis(50 * index);
    Features {
        info: WindowInfo {
            stream: Arc::new(stream),
            index,
            start,
            end: start + Span::millis(50),
            expected: 50,
            received: 50,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        },
        spec: Arc::new(FeatureSpec {
            rows: UNITS.map(str::to_owned).into(),
            columns: ["spikes".to_owned()].into(),
            unit: "spikes".to_owned(),
        }),
        values: counts.to_vec(),
    }
}

type Outcome = Result<(Vec<f64>, f64), NoDecision>;

fn decide(decoder: &mut TrajectoryDecoder, input: &Features) -> Result<Outcome, OperatorError> {
    let mut out = Decision::blank(input.info.clone(), &Arc::from(["position".to_owned()]));
    decoder.process(input, &mut out)?;
    Ok(out.outcome)
}

#[test]
fn every_decoder_follows_what_it_was_fitted_to() {
    let unseen = made_up(900).split_off(600);
    let counts: Vec<f64> = unseen.iter().flat_map(|(_, counts)| counts.clone()).collect();
    for model in models() {
        let decided = model.decode(&counts).unwrap();
        let pairs = decided.iter().zip(&unseen);
        let mut errors: Vec<f64> = pairs
            .filter_map(|(decided, (truth, _))| Some((decided.as_ref()?.0[0] - truth[0]).abs()))
            .collect();
        errors.sort_by(f64::total_cmp);
        println!("{}: median error {:.1} of 100", model.method(), errors[errors.len() / 2]);
        assert!(errors[errors.len() / 2] < 15.0, "{}", model.method());
        let sound = decided.iter().flatten().all(|(_, confidence)| (0.0..=1.0).contains(confidence));
        assert!(sound, "{}", model.method());
    }
}

#[test]
fn what_cannot_be_decided_is_said() {
    for model in models() {
        let mut decoder = model.decoder();
        decoder.prepare(&features(0, &[0.0; 4]).spec).unwrap();
        let windows = model.windows() as i64;
        let mut at = 0;
        let mut next = |change: &dyn Fn(&mut Features)| {
            let mut input = features(at, &[1.0, 0.0, 2.0, 0.0]);
            change(&mut input);
            at = input.info.index + 1;
            decide(&mut decoder, &input).unwrap()
        };
        for _ in 1..windows {
            assert_eq!(next(&|_| ()), Err(NoDecision::WarmUp), "{}", model.method());
        }
        assert!(next(&|_| ()).is_ok());
        assert_eq!(next(&|input| input.values[2] = f64::NAN), Err(NoDecision::Gap));
        for _ in 1..windows {
            assert_eq!(next(&|_| ()), Err(NoDecision::Gap), "{}", model.method());
        }
        assert!(next(&|input| input.info.received = 45).is_ok());
        assert_eq!(next(&|input| input.info.received = 44), Err(NoDecision::Gap));
        // After a hole in the grid everything begins anew.
        let after = next(&|input| input.info.index += 5);
        assert_eq!(after.is_ok(), windows == 1, "{}", model.method());
        let expected = Span::millis(50 * (windows - 1));
        assert_eq!(decoder.latency().look_back, expected);
    }
}

#[test]
fn other_units_or_windows_are_refused() {
    let model = &models()[0];
    let refused = |change: &dyn Fn(&mut Features)| {
        let mut input = features(0, &[0.0; 4]);
        change(&mut input);
        let mut decoder = model.decoder();
        match decoder.prepare(&input.spec) {
            Ok(_) => decide(&mut decoder, &input).unwrap_err().to_string(),
            Err(error) => error.to_string(),
        }
    };
    let rows = |names: &[&str]| {
        let rows = names.iter().map(|name| (*name).to_owned()).collect();
        let spec = FeatureSpec { rows, columns: ["spikes".to_owned()].into(), unit: String::new() };
        refused(&|input| input.spec = Arc::new(spec.clone()))
    };
    assert!(rows(&["unit 0", "unit 2", "unit 1", "unit 3"]).contains("expected unit 1 as unit 2"));
    assert!(rows(&["unit 0"]).contains("expected 4 units"));
    let longer = refused(&|input| input.info.end = input.info.start + Span::millis(100));
    assert!(
        longer.contains("expected 50 ms, as the model was fitted") && longer.contains("found 100 ms"),
        "{longer}"
    );
    assert!(refused(&|input| input.values.truncate(3)).contains("expected 4 as prepared, found 3"));
    assert!(model.decode(&[0.0; 7]).unwrap_err().to_string().contains("spike counts"));
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let says = |error: FitError, what: &str| assert!(error.to_string().contains(what), "{error}");
    let hop = Span::millis(50);
    says(Trajectory::new([""; 0], hop, ["x"]).unwrap_err(), "units: expected from 1 to 1024");
    says(Trajectory::new(UNITS, hop, [""; 0]).unwrap_err(), "values to decode");
    says(Trajectory::new(UNITS, Span::ZERO, ["x"]).unwrap_err(), "longer than 0");
    let mut some = Trajectory::new(UNITS, hop, ["x"]).unwrap();
    says(PoissonBayes::new().fit(&some).unwrap_err(), "at least 2 windows with x, found 0");
    some.push(4, &[0.0; 4], Some(&[1.0])).unwrap();
    says(some.push(4, &[0.0; 4], None).unwrap_err(), "expected one after 4");
    says(some.push(5, &[0.0; 3], None).unwrap_err(), "expected 4, found 3");
    says(some.push(5, &[-1.0; 4], None).unwrap_err(), "expected 0 or more");
    says(some.push(5, &[f64::NAN; 4], None).unwrap_err(), "expected 0 or more, found NaN");
    says(some.push(5, &[0.0; 4], Some(&[f64::NAN])).unwrap_err(), "finite numbers");
    says(some.push(5, &[0.0; 4], Some(&[1.0, 2.0])).unwrap_err(), "number of values");
    some.push(5, &[0.0; 4], Some(&[1.0])).unwrap();
    says(PoissonBayes::new().fit(&some).unwrap_err(), "a x other than 1");
    let whole = trajectory(50, &["position"]);
    says(PoissonBayes::new().bins(1).fit(&whole).unwrap_err(), "from 2 to 10,000");
    says(PoissonBayes::new().smoothing(f64::NAN).fit(&whole).unwrap_err(), "smoothing");
    says(PoissonBayes::new().floor(0.0).fit(&whole).unwrap_err(), "above 0");
    says(PoissonBayes::new().over_millis(60).fit(&whole).unwrap_err(), "multiple of the window, 50 ms");
    let two = trajectory(50, &["position", "velocity"]);
    says(PoissonBayes::new().fit(&two).unwrap_err(), "expected one");
    says(Wiener::new(0).fit(&two).unwrap_err(), "from 1 to 1,000");
    says(Wiener::new(1).ridge(-1.0).fit(&two).unwrap_err(), "ridge: expected 0 or more");
    says(Wiener::new(12).fit(&two).unwrap_err(), "set a ridge, found 39");
    says(Kalman::new().fit(&trajectory(5, &["position", "velocity"])).unwrap_err(), "at least 6 windows");
    // A unit that follows from another, and a value that does.
    let mut twins = Trajectory::new(["a", "b"], hop, ["x", "2 x"]).unwrap();
    for (window, (values, counts)) in (0..).zip(made_up(80)) {
        let x = if window % 2 == 0 { values[0] } else { values[1] };
        twins.push(window, &[counts[0], 2.0 * counts[0]], Some(&[x, 2.0 * x])).unwrap();
    }
    says(Wiener::new(1).fit(&twins).unwrap_err(), "full rank");
    assert!(Wiener::new(1).ridge(1.0).fit(&twins).is_ok());
    says(Kalman::new().fit(&twins).unwrap_err(), "full rank");
}

#[test]
fn a_model_comes_back_from_its_file_and_no_other_does() {
    for model in models() {
        let bytes = model.to_bytes().unwrap();
        let again = TrajectoryModel::from_bytes(&bytes).unwrap();
        assert_eq!(again, model);
        let counts = [1.0, 0.0, 2.0, 1.0].repeat(20);
        assert_eq!(again.decode(&counts).unwrap(), model.decode(&counts).unwrap());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x10;
            assert!(TrajectoryModel::from_bytes(&damaged).is_err(), "{at}");
            assert!(TrajectoryModel::from_bytes(&bytes[..at]).is_err(), "{at}");
        }
        let error = Model::from_bytes(&bytes).unwrap_err();
        assert!(matches!(error, ModelError::Damaged { what: "marker", .. }), "{error}");
    }
}

/// Counts and a decoder as one operator on windows: what the conformance kit can drive.
struct Behind {
    counts: SpikeCounts,
    features: Option<Features>,
    model: TrajectoryModel,
    decoder: Option<TrajectoryDecoder>,
}

impl Operator for Behind {
    type In = Window;
    type Out = Decision<Vec<f64>>;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        let rows = self.counts.prepare(spec)?;
        // A model for whatever channels the kit has.
        let mut random = Random::new(9);
        let mut trajectory = Trajectory::new(rows.rows.iter().cloned(), spec.hop, ["x"]).unwrap();
        for window in 0..60 {
            let counts: Vec<f64> = rows.rows.iter().map(|_| 2.0 + 2.0 * random.unit()).collect();
            trajectory.push(window, &counts, Some(&[counts[0] + random.unit()])).unwrap();
        }
        self.model = refit(&self.model, &trajectory);
        let mut decoder = self.model.decoder();
        let out = decoder.prepare(&rows)?;
        self.decoder = Some(decoder);
        let stream = StreamHeader::new(StreamKey::default(), "", spec.signal.rate, Vec::new());
        let blank = features(0, &[0.0; 4]).info;
        self.features = Some(Features::blank(WindowInfo { stream: Arc::new(stream), ..blank }, &rows));
        Ok(out)
    }

    fn process(&mut self, input: &Window, out: &mut Decision<Vec<f64>>) -> Result<(), OperatorError> {
        let (Some(features), Some(decoder)) = (&mut self.features, &mut self.decoder) else { return Ok(()) };
        features.begin(&input.info);
        self.counts.process(input, features)?;
        // The kit's signals go below 0, which counts do not.
        features.values.iter_mut().for_each(|count| *count = count.abs());
        decoder.process(features, out)
    }

    fn reset(&mut self) {
        self.counts.reset();
        self.decoder.iter_mut().for_each(TrajectoryDecoder::reset);
    }

    fn latency(&self) -> Latency {
        let decoder = self.decoder.as_ref().map(TrajectoryDecoder::latency).unwrap_or_default();
        self.counts.latency().then(decoder)
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.counts.snapshot(writer);
        self.decoder.iter().for_each(|decoder| decoder.snapshot(writer));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.counts.restore(reader)?;
        self.decoder.as_mut().map_or(Ok(()), |decoder| decoder.restore(reader))
    }
}

fn refit(like: &TrajectoryModel, trajectory: &Trajectory) -> TrajectoryModel {
    let millis = trajectory.hop().as_nanos() / 1_000_000;
    let fitted = match like.method() {
        "Wiener filter" => Wiener::new(like.windows()).ridge(1.0).fit(trajectory),
        "Kalman filter" => Kalman::new().fit(trajectory),
        _ => PoissonBayes::new().over_millis(millis * like.windows() as i64).fit(trajectory),
    };
    fitted.unwrap()
}

#[test]
fn counts_and_decoders_pass_the_kit() {
    for model in models() {
        let make =
            || Behind { counts: SpikeCounts::new(), features: None, model: model.clone(), decoder: None };
        // A window without a sample has no count, so at 12.8 Hz nothing is decided.
        let specs = default_window_specs().into_iter().filter(|spec| spec.signal.rate.as_hz() > 50.0);
        let report = window_operator(make).specs(specs).run();
        report.assert_ok();
    }
    window_operator(SpikeCounts::new).run().assert_ok();
    window_operator(|| SpikeCounts::new().over_millis(200)).run().assert_ok();
}
