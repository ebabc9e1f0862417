//! The power spectral density of every channel over a look-back: what band power and spectrum share.

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, OperatorError, WindowSpec};

use super::LookBack;
use crate::kernel::{Detrend, KernelError, LANES, Psd, PsdLanes, Value, Window as Taper};
use crate::shape::{Rows, same_channels};

/// Welch's method (mean taken off, periodic Hann taper, segments that overlap by half) over a look-back that ends with
/// the window. Settings, and, once prepared, the memory.
#[derive(Debug)]
pub(super) struct Welch {
    over: Span,
    segment: Option<Span>,
    rows: Rows,
    state: Option<State>,
}

/// With fewer rows the memory for lanes would be more than that of the look-back.
const ROWS_FOR_LANES: usize = 4 * LANES;

struct State {
    look_back: LookBack,
    segments: Segments,
    /// Planned from the start, or once a long look-back is full.
    psd: Option<Psd>,
    samples: Vec<f64>,
    density: Vec<f64>,
    lanes: Option<Lanes>,
}

/// The memory to compute several rows side by side.
struct Lanes {
    psd: PsdLanes,
    samples: Vec<[f64; LANES]>,
    density: Vec<[f64; LANES]>,
}

impl Lanes {
    fn new(psd: &Psd) -> Self {
        Self { psd: PsdLanes::new(psd), samples: Vec::new(), density: vec![[0.0; LANES]; psd.bins()] }
    }

    /// Computes the rows from `first` on, with room for the samples of one. False where a value is missing.
    fn rows(&mut self, first: usize, look_back: &LookBack, row: &mut Vec<f64>, psd: &Psd) -> bool {
        for lane in 0..LANES {
            let values = look_back.copy(first + lane, row);
            self.samples.resize(values.len(), [0.0; LANES]);
            for (wide, value) in self.samples.iter_mut().zip(values) {
                wide[lane] = *value;
            }
        }
        self.psd.process(psd, &self.samples, &mut self.density)
    }
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
    pub(super) fn plan(&self) -> Result<Psd, OperatorError> {
        Psd::new(self.length, self.overlap, Taper::Hann, Detrend::Constant, self.rate)
            .map_err(|e| refused(&e))
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("look_back", &self.look_back).finish_non_exhaustive()
    }
}

impl Default for Welch {
    fn default() -> Self {
        Self { over: Span::secs(1), segment: None, rows: Rows::default(), state: None }
    }
}

impl Welch {
    pub(super) fn over_millis(&mut self, millis: i64) {
        self.over = Span::millis(millis);
    }

    pub(super) fn segment_millis(&mut self, millis: i64) {
        self.segment = Some(Span::millis(millis));
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
        let psd = (segments.length <= PLANNED_AHEAD).then(|| segments.plan()).transpose()?;
        let (samples, density) = (Vec::new(), Vec::new());
        self.state = Some(State { look_back, segments, psd, samples, density, lanes: None });
        Ok(segments)
    }

    /// Takes in a window, and once the look-back is full gives each row's density to `each`.
    pub(super) fn process(
        &mut self,
        input: &Window,
        mut each: impl FnMut(usize, &[f64]),
    ) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let Some(State { look_back, segments, psd, samples, density, lanes }) = &mut self.state else {
            return Ok(());
        };
        look_back.push(&input.samples, &self.rows);
        if look_back.is_full() {
            let psd = match psd {
                Some(psd) => psd,
                unplanned => unplanned.insert(segments.plan()?),
            };
            density.resize(segments.bins(), 0.0);
            let (rows, mut side_by_side) = (self.rows.len(), 0);
            if rows >= ROWS_FOR_LANES {
                let lanes = lanes.get_or_insert_with(|| Lanes::new(psd));
                while side_by_side + LANES <= rows && lanes.rows(side_by_side, look_back, samples, psd) {
                    for lane in 0..LANES {
                        for (value, bin) in density.iter_mut().zip(&lanes.density) {
                            *value = bin[lane];
                        }
                        each(side_by_side + lane, density);
                    }
                    side_by_side += LANES;
                }
            }
            for row in side_by_side..rows {
                psd.process(look_back.copy(row, samples), density).map_err(|e| refused(&e))?;
                each(row, density);
            }
        }
        Ok(())
    }

    /// The density of each column of `[sample][channel]` over the last look-back, by a plan of [`Welch::segments`].
    pub(super) fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
        psd: &mut Psd,
        mut each: impl FnMut(usize, &[f64]),
    ) -> Result<(), OperatorError> {
        let length = rate.samples_in(self.over) as usize;
        let skip = values.nrows().checked_sub(length).ok_or_else(|| OperatorError::Input {
            what: "samples",
            expected: format!("at least the {length} of the look-back"),
            found: values.nrows().to_string(),
        })?;
        let mut density = vec![0.0; psd.bins()];
        for (row, column) in values.columns().into_iter().enumerate() {
            let samples: Vec<f64> = column.iter().skip(skip).map(|value| value.to_f64()).collect();
            psd.process(&samples, &mut density).map_err(|e| refused(&e))?;
            each(row, &density);
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
        }
    }

    pub(super) fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.state.as_mut().map_or(Ok(()), |state| state.look_back.restore(reader))
    }
}

pub(super) fn refused(error: &KernelError) -> OperatorError {
    OperatorError::Spec {
        what: "spectrum",
        expected: "a spectrum that can be computed".to_owned(),
        found: error.to_string(),
    }
}
