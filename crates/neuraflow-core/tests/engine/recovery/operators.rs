//! Operators with a state to lose.

use std::collections::VecDeque;
use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Chunk, FeatureSpec, Features, Marker, Span, Window, WindowInfo};
use neuraflow_core::operator::{Latency, Operator, OperatorError, SignalSpec, WindowItem, WindowSpec};

use super::tape::Fuse;

/// Smooths every channel, and holds the last samples back. Each value that comes out depends on all before it.
#[derive(Default)]
pub(crate) struct Smooth {
    hold: usize,
    channels: usize,
    span: Span,
    level: Vec<f64>,
    held: VecDeque<Vec<f32>>,
    next: u64,
}

impl Smooth {
    pub(crate) fn holding(hold: usize) -> Self {
        Self { hold, ..Self::default() }
    }
}

impl Operator for Smooth {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        self.channels = spec.channels.len();
        self.level = vec![0.0; self.channels];
        self.span = spec.rate.offset(self.hold as u64);
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, out: &mut Chunk) -> Result<(), OperatorError> {
        out.restart(input.first() - self.held.len() as u64, self.channels);
        for sample in input.samples() {
            let mut smoothed = sample.to_vec();
            for (value, level) in smoothed.iter_mut().zip(&mut self.level) {
                if value.is_finite() {
                    *level = *level * 0.9 + f64::from(*value) * 0.1;
                    *value = *level as f32;
                }
            }
            self.held.push_back(smoothed);
            if self.held.len() > self.hold
                && let Some(first) = self.held.pop_front()
            {
                out.extend(&first);
            }
        }
        self.next = input.end();
        Ok(())
    }

    fn finish(&mut self, out: &mut Chunk) -> Result<(), OperatorError> {
        out.restart(self.next - self.held.len() as u64, self.channels);
        self.held.drain(..).for_each(|sample| _ = out.extend(&sample));
        Ok(())
    }

    fn reset(&mut self) {
        self.level.fill(0.0);
        self.held.clear();
    }

    fn latency(&self) -> Latency {
        Latency { look_ahead: self.span, warm_up: Span::millis(120), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.level);
        writer.put(&self.held);
        writer.put(&self.next);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.level = reader.take()?;
        self.held = reader.take()?;
        self.next = reader.take()?;
        Ok(())
    }
}

/// The sum of every channel since the latest start, put out so many windows later. A marker adds to it, and a control says what a
/// value weighs.
pub(crate) struct Running {
    pub(crate) later: usize,
    pub(crate) fuse: Fuse,
    hop: Span,
    weight: f64,
    sum: Vec<f64>,
    held: VecDeque<(WindowInfo, Vec<f64>)>,
}

impl Running {
    pub(crate) fn later(later: usize, fuse: Fuse) -> Self {
        Self { later, fuse, hop: Span::ZERO, weight: 1.0, sum: Vec::new(), held: VecDeque::new() }
    }

    fn put_out(&mut self, out: &mut Features) {
        if let Some((info, values)) = self.held.pop_front() {
            out.begin(&info);
            out.values = values;
        }
    }
}

impl Operator for Running {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        self.hop = spec.hop;
        self.sum = vec![0.0; spec.signal.channels.len()];
        let rows = spec.signal.channels.iter().map(|c| c.label().to_owned()).collect();
        Ok(Arc::new(FeatureSpec { rows, columns: ["sum".to_owned()].into(), unit: "µV".into() }))
    }

    fn process(&mut self, window: &Window, out: &mut Features) -> Result<(), OperatorError> {
        if self.fuse.burns() {
            let (expected, found) = ("a longer fuse".into(), "its end".into());
            return Err(OperatorError::Spec { what: "fuse", expected, found });
        }
        for sample in window.samples.samples() {
            for (sum, value) in self.sum.iter_mut().zip(sample).filter(|(_, value)| value.is_finite()) {
                *sum = *sum * 0.999 + self.weight * f64::from(*value);
            }
        }
        self.held.push_back((out.info.clone(), self.sum.clone()));
        if self.held.len() > self.later {
            self.put_out(out);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Features) -> Result<(), OperatorError> {
        self.put_out(out);
        Ok(())
    }

    fn reset(&mut self) {
        self.sum.fill(0.0);
        self.held.clear();
    }

    fn latency(&self) -> Latency {
        let look_ahead = Span::nanos(self.hop.as_nanos() * self.later as i64);
        Latency { look_ahead, look_back: Span::millis(200), ..Latency::default() }
    }

    fn minds_markers(&self) -> bool {
        true
    }

    fn marker(&mut self, marker: &Marker) {
        self.sum.iter_mut().for_each(|sum| *sum += marker.label.len() as f64);
    }

    fn listens_to(&self) -> Option<&str> {
        Some("running")
    }

    fn control(&mut self, payload: &[u8]) -> Result<(), OperatorError> {
        let &[weight @ 1..=255] = payload else {
            let (expected, found) = ("one byte above 0".to_owned(), format!("{payload:?}"));
            return Err(OperatorError::Spec { what: "weight", expected, found });
        };
        self.weight = f64::from(weight);
        Ok(())
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        writer.put(&self.weight);
        writer.put(&self.sum);
        writer.put(&self.held);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.weight = reader.take()?;
        self.sum = reader.take()?;
        self.held = reader.take()?;
        Ok(())
    }
}
