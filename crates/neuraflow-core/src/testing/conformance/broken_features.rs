//! The kit catches broken operators on windows, and passes good ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Check, Observed, Report, WindowOutput, window_operator};
use crate::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::model::{FeatureSpec, Features, Span, Window, WindowInfo};
use crate::operator::{Item, Latency, Operator, OperatorError, WindowSpec};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    NanLeaks,
    RunningSum,
    ResetIncomplete,
    SnapshotForgets,
    RestoreUnchecked,
    SharedState,
    WrongLayout,
    AnyShape,
    PanicsWhenEmpty,
    UndeclaredLookBack,
}

/// The mean of each channel's last `LOOK_BACK` windows' means.
struct WindowMean {
    defect: Defect,
    rows: Arc<[String]>,
    hop: Span,
    means: Vec<Vec<f64>>,
    sum: f64,
    shared: Arc<AtomicU64>,
}

const LOOK_BACK: usize = 8;

impl WindowMean {
    fn new(defect: Defect, shared: Arc<AtomicU64>) -> Self {
        Self { defect, rows: [].into(), hop: Span::ZERO, means: Vec::new(), sum: 0.0, shared }
    }
}

impl Operator for WindowMean {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.rows = spec.signal.channels.iter().map(|c| c.label().to_owned()).collect();
        self.hop = spec.hop;
        let columns = ["mean".to_owned()].into();
        Ok(Arc::new(FeatureSpec { rows: self.rows.clone(), columns, unit: "µV".into() }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        let width = self.rows.len();
        if input.samples.channels() != width && self.defect != Defect::AnyShape {
            return Err(OperatorError::Input {
                what: "channels",
                expected: width.to_string(),
                found: input.samples.channels().to_string(),
            });
        }
        if self.defect == Defect::PanicsWhenEmpty {
            assert!(!input.samples.is_empty());
        }
        let leaks = self.defect == Defect::NanLeaks;
        let mean = |c: usize| {
            let column = input.samples.samples().filter_map(|s| s.get(c)).copied().map(f64::from);
            let valid: Vec<f64> = column.filter(|v| v.is_finite() || leaks).collect();
            if valid.is_empty() { f64::NAN } else { valid.iter().sum::<f64>() / valid.len() as f64 }
        };
        let means: Vec<f64> = (0..width).map(mean).collect();
        self.sum += means.first().copied().filter(|m| m.is_finite() || leaks).unwrap_or(0.0);
        let shared = self.shared.fetch_add(1, Ordering::Relaxed);
        self.means.push(means);
        if self.means.len() > LOOK_BACK {
            self.means.remove(0);
        }
        for (c, value) in out.values.iter_mut().enumerate() {
            let valid: Vec<f64> = self.means.iter().map(|m| m[c]).filter(|m| m.is_finite()).collect();
            if !valid.is_empty() {
                *value = valid.iter().sum::<f64>() / valid.len() as f64;
            }
            match self.defect {
                Defect::RunningSum | Defect::NanLeaks | Defect::SnapshotForgets => *value += self.sum,
                Defect::SharedState => *value += shared as f64,
                _ => {}
            }
        }
        if self.defect == Defect::WrongLayout {
            out.values.push(0.0);
        }
        Ok(())
    }

    fn reset(&mut self) {
        if self.defect != Defect::ResetIncomplete {
            self.means.clear();
        }
        self.sum = 0.0;
    }

    fn latency(&self) -> Latency {
        let windows = if self.defect == Defect::UndeclaredLookBack { 1 } else { LOOK_BACK as i64 };
        Latency { look_back: Span::nanos(self.hop.as_nanos() * windows), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.rows.len(), &self.means));
        if self.defect != Defect::SnapshotForgets {
            writer.put(&self.sum);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (width, means): (usize, Vec<Vec<f64>>) = reader.take()?;
        let fits =
            width == self.rows.len() && means.len() <= LOOK_BACK && means.iter().all(|m| m.len() == width);
        if !fits && self.defect != Defect::RestoreUnchecked {
            return Err(RestoreError::Shape { what: "means", expected: self.rows.len(), found: width });
        }
        self.sum = if self.defect == Defect::SnapshotForgets { 0.0 } else { reader.take()? };
        self.means = means;
        Ok(())
    }
}

fn examine(defect: Defect) -> Report {
    let shared = Arc::new(AtomicU64::new(0));
    window_operator(|| WindowMean::new(defect, shared.clone())).run()
}

#[test]
fn a_good_feature_passes_every_check() {
    let report = examine(Defect::None);
    report.assert_ok();
    for check in [Check::Gap, Check::Reset, Check::Snapshot, Check::Isolation, Check::Causality, Check::Shape]
    {
        assert!(report.passed(check), "{check:?}");
    }
}

#[test]
fn every_defect_is_caught_by_its_check() {
    for (defect, check) in [
        (Defect::NanLeaks, Check::Gap),
        (Defect::RunningSum, Check::Gap),
        (Defect::UndeclaredLookBack, Check::Gap),
        (Defect::ResetIncomplete, Check::Reset),
        (Defect::SnapshotForgets, Check::Snapshot),
        (Defect::RestoreUnchecked, Check::Snapshot),
        (Defect::SharedState, Check::Isolation),
        (Defect::WrongLayout, Check::Reset),
        (Defect::AnyShape, Check::Shape),
        (Defect::PanicsWhenEmpty, Check::Causality),
    ] {
        let report = examine(defect);
        assert!(report.failed(check), "{defect:?} got past {check:?}:\n{report}");
    }
}

/// Something that is neither numbers nor windows.
#[derive(Clone, Debug)]
struct Verbal(String);

impl Item for Verbal {
    type Spec = ();
}

impl WindowOutput for Verbal {
    fn blank((): &(), _: &WindowInfo) -> Self {
        Self(String::new())
    }

    fn observe(&self) -> Observed {
        Observed::Text(format!("{self:?}"))
    }
}

/// Says whether a window is louder than all before it; forgets that on `reset` only if told to.
struct Loudest(f32, bool);

impl Operator for Loudest {
    type In = Window;
    type Out = Verbal;

    fn prepare(&mut self, _: &WindowSpec) -> Result<(), OperatorError> {
        Ok(())
    }

    fn process(&mut self, input: &Window, out: &mut Verbal) -> Result<(), OperatorError> {
        let finite = input.samples.values().iter().copied().filter(|v| v.is_finite());
        let loudest = finite.fold(self.0, f32::max);
        out.0 = if loudest > self.0 { "louder" } else { "not louder" }.to_owned();
        self.0 = loudest;
        Ok(())
    }

    fn reset(&mut self) {
        if self.1 {
            self.0 = f32::MIN;
        }
    }

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.0);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.0 = reader.take()?;
        Ok(())
    }
}

#[test]
fn outputs_of_any_kind_are_compared() {
    let run = |resets| {
        window_operator(move || Loudest(f32::MIN, resets))
            .without(Check::Gap, "remembers for ever")
            .without(Check::Shape, "takes any number of channels")
            .run()
    };
    run(true).assert_ok();
    let report = run(false);
    assert!(report.failed(Check::Reset) && report.to_string().contains("louder"), "{report}");
}
