//! The power spectral density of every channel over a look-back: what band power and spectrum share.

mod densities;

use std::sync::Arc;

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, OperatorError, WindowSpec};

use super::{LookBack, computed_in};
use crate::kernel::{Detrend, KernelError, Precision, SegmentPlan, Value, Window as Taper};
use crate::shape::{Rows, same_channels};
use densities::Densities;

/// Welch's method (mean taken off, periodic Hann taper, segments that overlap by half) over a look-back that ends with
/// the window. Settings, and, once prepared, the memory.
#[derive(Debug)]
pub(super) struct Welch {
    over: Span,
    segment: Option<Span>,
    precision: Precision,
    rows: Arc<Rows>,
    state: Option<State>,
}

struct State {
    look_back: LookBack,
    segments: Segments,
    /// Planned from the start, or once a long look-back is full.
    densities: Option<Densities>,
}

/// The longest segment that is planned before its samples are there: a second at 30 kHz. What is longer may be no more
/// than a header's claim.
const PLANNED_AHEAD: usize = 1 << 15;

/// The segments of a density, before anything is allocated for them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segments {
    /// Samples in each.
    pub(super) length: usize,
    overlap: usize,
    rate: f64,
}

impl Segments {
    /// Bins of their density.
    pub(super) fn bins(&self) -> usize {
        self.length / 2 + 1
    }

    /// Frequency of a bin in hertz.
    pub(super) fn frequency(&self, bin: usize) -> f64 {
        bin as f64 * self.rate / self.length as f64
    }

    /// The plan that computes it.
    fn plan(&self, precision: Precision) -> Result<Densities, OperatorError> {
        let Self { length, overlap, rate } = *self;
        let plan = SegmentPlan::new(length, overlap, Taper::Hann, Detrend::Constant, rate);
        Ok(Densities::new(plan.map_err(|e| refused(&e))?, precision))
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("look_back", &self.look_back).finish_non_exhaustive()
    }
}

impl Default for Welch {
    fn default() -> Self {
        let (over, precision) = (Span::secs(1), Precision::default());
        Self { over, segment: None, precision, rows: Arc::default(), state: None }
    }
}

impl Welch {
    pub(super) fn over_millis(&mut self, millis: i64) {
        self.over = Span::millis(millis);
    }

    pub(super) fn segment_millis(&mut self, millis: i64) {
        self.segment = Some(Span::millis(millis));
    }

    pub(super) fn precision(&mut self, precision: Precision) {
        self.precision = precision;
    }

    /// The rows that were prepared.
    pub(super) fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The segments at a sampling rate.
    pub(super) fn segments(&self, rate: SamplingRate) -> Result<Segments, OperatorError> {
        let length = rate.samples_in(self.over) as usize;
        let segment = self.segment.map_or(length, |span| rate.samples_in(span) as usize);
        if segment == 0 || segment > length {
            return Err(OperatorError::Spec {
                what: "segment of the spectrum",
                expected: format!("1 to {length} samples, the look-back at {rate}"),
                found: format!("{segment} samples; change the segment or the look-back"),
            });
        }
        let overlap = if segment == length { 0 } else { segment / 2 };
        Ok(Segments { length: segment, overlap, rate: rate.as_hz() })
    }

    /// Finds the rows, and plans what can be planned ahead. Returns the segments.
    pub(super) fn prepare(&mut self, spec: &WindowSpec) -> Result<Segments, OperatorError> {
        self.rows = Rows::of(&spec.signal.channels)?;
        let look_back = LookBack::new(self.over, &self.rows, &spec.signal)?;
        let segments = self.segments(spec.signal.rate)?;
        let plan = || segments.plan(self.precision);
        let densities = (segments.length <= PLANNED_AHEAD).then(plan).transpose()?;
        self.state = Some(State { look_back, segments, densities });
        Ok(segments)
    }

    /// Takes in a window, and once the look-back is full gives each row's density to `each`.
    pub(super) fn process(
        &mut self,
        input: &Window,
        each: impl FnMut(usize, &[f64]),
    ) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let Some(State { look_back, segments, densities }) = &mut self.state else {
            return Ok(());
        };
        look_back.push(&input.samples, &self.rows);
        if look_back.is_full() {
            let densities = match densities {
                Some(densities) => densities,
                unplanned => unplanned.insert(segments.plan(self.precision)?),
            };
            densities.of_rows(look_back, self.rows.len(), each);
        }
        Ok(())
    }

    /// The density of each column of `[sample][channel]` over the last look-back, by [`Welch::segments`] of this rate.
    pub(super) fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
        segments: Segments,
        mut each: impl FnMut(usize, &[f64]),
    ) -> Result<(), OperatorError> {
        let length = rate.samples_in(self.over) as usize;
        let skip = values.nrows().checked_sub(length).ok_or_else(|| OperatorError::Input {
            what: "samples",
            expected: format!("at least the {length} of the look-back"),
            found: values.nrows().to_string(),
        })?;
        let mut densities = segments.plan(self.precision)?;
        for (row, column) in values.columns().into_iter().enumerate() {
            let samples: Vec<f64> = column.iter().skip(skip).map(|value| value.to_f64()).collect();
            each(row, densities.of(&samples));
        }
        Ok(())
    }

    pub(super) fn latency(&self) -> Latency {
        Latency { look_back: self.over, ..Latency::default() }
    }

    pub(super) fn reset(&mut self) {
        if let Some(state) = &mut self.state {
            state.look_back.reset();
        }
    }

    pub(super) fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(state) = &self.state {
            state.look_back.snapshot(writer);
            computed_in::put(self.precision, writer);
        }
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(state) = &mut self.state else { return Ok(()) };
        state.look_back.restore(reader)?;
        computed_in::take(self.precision, reader)
    }
}

pub(super) fn refused(error: &KernelError) -> OperatorError {
    OperatorError::Spec {
        what: "spectrum",
        expected: "a spectrum that can be computed".to_owned(),
        found: error.to_string(),
    }
}
