//! The kit catches stages that break their promises, and passes those that keep them.

use super::{Check, Report, signal_operator};
use crate::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use crate::model::{Chunk, Span};
use crate::operator::{Latency, Missing, Operator, OperatorError, SignalSpec};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    LostAtChunkBorder,
    PeeksIntoTheChunk,
    SnapshotForgets,
    RestoreUnchecked,
    RestorePanics,
    WrongDelay,
    NanLeaks,
    NanFilledSilently,
    ResetIncomplete,
    AnyShape,
    PanicsOnShape,
    CountsBadInput,
    NegativeLatency,
    Restarted,
    Refuses,
}

const SMOOTHING: f64 = 0.2;

/// `y[n] = y[n−1] + a · (x[n] − y[n−1])`, starting at the first value: delays by (1 − a) / a = 4 samples at 0 Hz.
struct Smoother {
    defect: Defect,
    state: Vec<Option<f64>>,
    seen: u64,
    freeze: bool,
    period: f64,
}

impl Smoother {
    fn new(defect: Defect) -> Self {
        Self { defect, state: Vec::new(), seen: 0, freeze: false, period: 0.0 }
    }

    fn step(&mut self, channel: usize, x: f64) -> f64 {
        let state = &mut self.state[channel];
        if !x.is_finite() && self.defect != Defect::NanLeaks {
            if !self.freeze {
                *state = None;
            }
            return if self.defect == Defect::NanFilledSilently { 0.0 } else { f64::NAN };
        }
        let before = state.unwrap_or(x);
        let y = before + SMOOTHING * (x - before);
        *state = Some(y);
        y
    }
}

impl Operator for Smoother {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        if self.defect == Defect::Refuses {
            return Err(OperatorError::Spec {
                what: "anything",
                expected: "nothing".into(),
                found: "this".into(),
            });
        }
        self.state = vec![None; spec.channels.len()];
        self.freeze = spec.missing == Missing::Freeze;
        self.period = 1.0 / spec.rate.as_hz();
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        let width = self.state.len();
        if self.defect == Defect::PanicsOnShape {
            assert_eq!(input.channels(), width);
        }
        if input.channels() != width && self.defect != Defect::AnyShape {
            if self.defect == Defect::CountsBadInput {
                self.state.fill(Some(0.0));
            }
            return Err(OperatorError::Input {
                what: "channels",
                expected: width.to_string(),
                found: input.channels().to_string(),
            });
        }
        if self.defect == Defect::LostAtChunkBorder {
            self.state.fill(None);
        }
        if self.defect == Defect::Restarted {
            out.restart(self.seen, width);
            out.restart(0, width);
        }
        let samples: Vec<&[f32]> = input.samples().collect();
        for (i, sample) in samples.iter().enumerate() {
            let ahead = samples.get(i + 1).filter(|_| self.defect == Defect::PeeksIntoTheChunk);
            let row: Vec<f32> = ahead
                .unwrap_or(sample)
                .iter()
                .take(width)
                .enumerate()
                .map(|(c, x)| self.step(c, f64::from(*x)) as f32)
                .collect();
            out.extend(&row);
            self.seen += 1;
        }
        Ok(())
    }

    fn reset(&mut self) {
        if self.defect != Defect::ResetIncomplete {
            self.state.fill(None);
        } else if let Some(first) = self.state.first_mut() {
            *first = None;
        }
        self.seen = 0;
    }

    fn latency(&self) -> Latency {
        let samples = if self.defect == Defect::WrongDelay { 6.5 } else { (1.0 - SMOOTHING) / SMOOTHING };
        let delay = Span::from_secs_f64(samples * self.period).unwrap();
        let warm_up = Span::millis(if self.defect == Defect::NegativeLatency { -1 } else { 200 });
        Latency { group_delay: delay, group_delay_max: delay, warm_up, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        let state = if self.defect == Defect::SnapshotForgets {
            vec![None; self.state.len()]
        } else {
            self.state.clone()
        };
        writer.put(&state);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let state: Vec<Option<f64>> = reader.take()?;
        if self.defect == Defect::RestorePanics {
            self.state.copy_from_slice(&state);
        }
        if state.len() != self.state.len() && self.defect != Defect::RestoreUnchecked {
            return Err(RestoreError::Shape {
                what: "channels",
                expected: self.state.len(),
                found: state.len(),
            });
        }
        self.state = state;
        Ok(())
    }
}

fn examine(defect: Defect) -> Report {
    signal_operator(|| Smoother::new(defect)).run()
}

#[test]
fn a_good_stage_passes_every_check() {
    let report = examine(Defect::None);
    report.assert_ok();
    for check in [
        Check::ChunkInvariance,
        Check::Gap,
        Check::Reset,
        Check::Snapshot,
        Check::Causality,
        Check::Isolation,
        Check::Finish,
        Check::Shape,
        Check::Latency,
        Check::Delay,
    ] {
        assert!(report.passed(check), "{check:?}");
    }
}

#[test]
fn every_defect_is_caught_by_its_check() {
    for (defect, check) in [
        (Defect::LostAtChunkBorder, Check::ChunkInvariance),
        (Defect::PeeksIntoTheChunk, Check::ChunkInvariance),
        (Defect::PeeksIntoTheChunk, Check::Causality),
        (Defect::SnapshotForgets, Check::Snapshot),
        (Defect::RestoreUnchecked, Check::Snapshot),
        (Defect::RestorePanics, Check::Snapshot),
        (Defect::WrongDelay, Check::Delay),
        (Defect::NanLeaks, Check::Gap),
        (Defect::NanFilledSilently, Check::Gap),
        (Defect::ResetIncomplete, Check::Reset),
        (Defect::AnyShape, Check::Shape),
        (Defect::PanicsOnShape, Check::Shape),
        (Defect::CountsBadInput, Check::Shape),
        (Defect::NegativeLatency, Check::Latency),
        (Defect::Restarted, Check::ChunkInvariance),
        (Defect::Refuses, Check::Prepare),
    ] {
        let report = examine(defect);
        assert!(report.failed(check), "{defect:?} got past {check:?}:\n{report}");
    }
}

#[test]
fn a_failure_says_which_check_seed_and_sample() {
    let text = signal_operator(|| Smoother::new(Defect::LostAtChunkBorder)).seed(7).run().to_string();
    for part in [
        "Smoother",
        "seed 0x7",
        "FAILED chunk invariance",
        "250 Hz, 6 channels",
        "first at 1 column 0",
        "expected",
        "found",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn an_excused_check_is_reported_with_its_reason() {
    let report =
        signal_operator(|| Smoother::new(Defect::WrongDelay)).without(Check::Delay, "not linear").run();
    report.assert_ok();
    assert!(report.to_string().contains("not linear"));
    assert!(!report.passed(Check::Delay));
}

/// The mean of a sample and its two neighbours: no delay, but a look-ahead of one sample.
struct Centred {
    held: Vec<f32>,
    next: Option<u64>,
    width: usize,
    period: Span,
    forgets_the_end: bool,
    declares_nothing: bool,
}

impl Centred {
    fn new(forgets_the_end: bool, declares_nothing: bool) -> Self {
        Self { held: Vec::new(), next: None, width: 0, period: Span::ZERO, forgets_the_end, declares_nothing }
    }

    fn mean(&self, at: usize) -> Vec<f32> {
        let value = |row: usize, c: usize| self.held.get(row * self.width + c);
        let row = |c| {
            let here = value(at, c).copied().unwrap_or(f32::NAN);
            let others = [at.checked_sub(1), Some(at + 1)];
            let neighbours = others.into_iter().flatten().filter_map(|row| value(row, c));
            let finite: Vec<f32> = neighbours.copied().filter(|v| v.is_finite()).collect();
            (here + finite.iter().sum::<f32>()) / (1 + finite.len()) as f32
        };
        (0..self.width).map(row).collect()
    }
}

impl Operator for Centred {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        self.width = spec.channels.len();
        self.period = Span::nanos(spec.rate.offset(1).as_nanos());
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        if input.channels() != self.width {
            return Err(OperatorError::Input {
                what: "channels",
                expected: String::new(),
                found: String::new(),
            });
        }
        let mut next = *self.next.get_or_insert(input.first());
        out.restart(next, self.width);
        for sample in input.samples() {
            self.held.extend_from_slice(sample);
            let rows = self.held.len() / self.width;
            if rows >= 2 {
                out.extend(&self.mean(rows - 2));
                next += 1;
            }
            if rows > 2 {
                self.held.drain(..self.width);
            }
        }
        self.next = Some(next);
        Ok(())
    }

    fn finish(&mut self, out: &mut Chunk) -> Result<(), OperatorError> {
        if let (Some(next), false) = (self.next, self.forgets_the_end) {
            out.restart(next, self.width);
            if let Some(last) = (self.held.len() / self.width).checked_sub(1) {
                out.extend(&self.mean(last));
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        self.held.clear();
        self.next = None;
    }

    fn latency(&self) -> Latency {
        let look_ahead = if self.declares_nothing { Span::ZERO } else { self.period };
        Latency { look_ahead, look_back: self.period, ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&(self.width, &self.held, self.next));
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let (width, held, next): (usize, Vec<f32>, Option<u64>) = reader.take()?;
        let fits = width == self.width
            && held.len() % self.width == 0
            && held.len() <= 2 * self.width
            && next.is_none_or(|n| n < 1 << 40);
        if !fits {
            return Err(RestoreError::Shape { what: "held", expected: self.width, found: held.len() });
        }
        (self.held, self.next) = (held, next);
        Ok(())
    }
}

#[test]
fn a_look_ahead_is_judged_by_what_it_declares() {
    signal_operator(|| Centred::new(false, false)).run().assert_ok();
    assert!(signal_operator(|| Centred::new(true, false)).run().failed(Check::Finish));
    let undeclared = signal_operator(|| Centred::new(false, true)).run();
    assert!(undeclared.failed(Check::Finish) && undeclared.failed(Check::Causality), "{undeclared}");
}
