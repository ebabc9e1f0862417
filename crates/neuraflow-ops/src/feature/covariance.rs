//! The covariance of channels.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::LookBack;
use crate::kernel::linalg::{Estimator, LinalgError, covariance_into};
use crate::shape::{Rows, same_channels};

/// Covariance of all channels with each other, in µV²: what the [decoders](crate::decode) of motor imagery look at.
///
/// The mean of each channel is taken off; the [`Estimator`] says what else. Put a band-pass filter ahead of it.
///
/// Input: windows or epochs of any number of samples. Output: a row and a column for each channel that is not a trigger. A
/// sample with a missing value is left out as a whole. NaN where less than nine tenths of the samples are left, or fewer
/// than two; and, with [`over_millis`](Self::over_millis), until the look-back has been filled once. Without it there is no
/// state, and the look-back declared is the window or epoch.
///
/// # Errors
/// `prepare`: only trigger channels, or more than 1,024 others; a look-back shorter than one sample. `process`: another
/// number of channels.
///
/// ```
/// use neuraflow_ops::feature::Covariance;
/// use neuraflow_ops::kernel::linalg::{Estimator, covariance};
/// let feature = Covariance::oas().over_millis(2_000); // in a pipeline: .feature(Covariance::oas)
/// // Without a pipeline: three samples of two channels.
/// let plain = covariance(&[1.0, 2.0, -1.0, -2.0, 0.0, 0.0], 2, Estimator::Sample)?;
/// assert!((plain[1] - 4.0 / 3.0).abs() < 1e-15);
/// # let _ = feature;
/// # Ok::<(), neuraflow_ops::kernel::linalg::LinalgError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Covariance {
    estimator: Estimator,
    over: Option<Span>,
    /// In bands, each by itself.
    by_band: bool,
    /// Rows that stand in a covariance together.
    together: usize,
    hop: Span,
    rows: Rows,
    look_back: Option<LookBack>,
    /// A row of the look-back, or a sample of the window.
    line: Vec<f64>,
    /// `[sample][row]`.
    samples: Vec<f64>,
}

impl Covariance {
    /// Estimated in this way.
    pub fn new(estimator: Estimator) -> Self {
        Self {
            estimator,
            over: None,
            by_band: false,
            together: 0,
            hop: Span::ZERO,
            rows: Rows::default(),
            look_back: None,
            line: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// The sample covariance ([`Estimator::Sample`]): singular if a channel follows from others.
    pub fn sample() -> Self {
        Self::new(Estimator::Sample)
    }

    /// Shrunk as by Ledoit and Wolf ([`Estimator::LedoitWolf`]).
    pub fn ledoit_wolf() -> Self {
        Self::new(Estimator::LedoitWolf)
    }

    /// Shrunk by oracle approximation ([`Estimator::Oas`]).
    pub fn oas() -> Self {
        Self::new(Estimator::Oas)
    }

    /// Over a look-back of this many milliseconds that ends with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Some(Span::millis(millis));
        self
    }

    /// Of each band of a [`FilterBank`](crate::filter::FilterBank) by itself: a row for each channel in each band, and a column for each
    /// channel, that is a covariance for each band, one below the other.
    #[must_use]
    pub fn by_band(mut self) -> Self {
        self.by_band = true;
        self
    }

    /// The channels that are in every band.
    fn columns(&self) -> Result<Arc<[String]>, OperatorError> {
        let split =
            |name: &String| name.split_once(" Hz ").map(|(band, of)| (band.to_owned(), of.to_owned()));
        let names: Vec<(String, String)> = self.rows.names.iter().filter_map(split).collect();
        let of_first = names.iter().take_while(|(band, _)| *band == names[0].0);
        let columns: Arc<[String]> = of_first.map(|(_, of)| of.clone()).collect();
        let alike = |band: &[(String, String)]| {
            band.len() == columns.len()
                && band
                    .iter()
                    .zip(columns.iter())
                    .all(|((of, name), column)| *of == band[0].0 && name == column)
        };
        if names.len() == self.rows.len() && names.chunks(columns.len().max(1)).all(alike) {
            return Ok(columns);
        }
        Err(OperatorError::Spec {
            what: "covariance by band",
            expected: "the channels of a FilterBank, the same in every band; put one ahead of it".to_owned(),
            found: self.rows.names.join(", "),
        })
    }

    /// Gathers the samples of the window or look-back that are whole; says how many there were.
    fn gather(&mut self, input: &Window) -> usize {
        let width = self.rows.len();
        self.samples.clear();
        let Some(look_back) = &mut self.look_back else {
            for sample in input.samples.samples() {
                self.line.clear();
                self.line.extend(self.rows.channels.iter().map(|channel| f64::from(sample[*channel])));
                if self.line.iter().all(|value| value.is_finite()) {
                    self.samples.extend_from_slice(&self.line);
                }
            }
            return input.samples.len();
        };
        look_back.push(&input.samples, &self.rows);
        if !look_back.is_full() {
            return 0;
        }
        let mut total = 0;
        for row in 0..width {
            let values = look_back.copy(row, &mut self.line);
            total = values.len();
            self.samples.resize(total * width, 0.0);
            for (sample, value) in self.samples.chunks_exact_mut(width).zip(values) {
                sample[row] = *value;
            }
        }
        let mut kept = 0;
        for sample in 0..total {
            let place = sample * width..(sample + 1) * width;
            if self.samples[place.clone()].iter().all(|value| value.is_finite()) {
                self.samples.copy_within(place, kept * width);
                kept += 1;
            }
        }
        self.samples.truncate(kept * width);
        total
    }
}

impl Operator for Covariance {
    type In = Window;
    type Out = Features;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<FeatureSpec>, OperatorError> {
        /// A file's header can claim any number of channels, and a covariance is that number squared.
        const MOST: usize = 1_024;
        self.rows = Rows::of(&spec.signal.channels)?;
        if self.rows.len() > MOST {
            return Err(OperatorError::Spec {
                what: "covariance",
                expected: format!("at most {MOST} channels; leave some out"),
                found: self.rows.len().to_string(),
            });
        }
        self.hop = spec.hop;
        self.look_back = self.over.map(|span| LookBack::new(span, &self.rows, &spec.signal)).transpose()?;
        let rows = self.rows.names.clone();
        let columns = if self.by_band { self.columns()? } else { rows.clone() };
        self.together = columns.len();
        Ok(Arc::new(FeatureSpec { rows, columns, unit: "µV²".to_owned() }))
    }

    fn process(&mut self, input: &Window, out: &mut Features) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let total = self.gather(input);
        let valid = self.samples.len() / self.rows.len().max(1);
        if valid >= 2 && valid * 10 >= total * 9 {
            let refused = |error: LinalgError| OperatorError::Input {
                what: "samples",
                expected: "some that have a covariance".to_owned(),
                found: error.to_string(),
            };
            if !self.by_band {
                return covariance_into(&self.samples, self.rows.len(), self.estimator, &mut out.values)
                    .map_err(refused);
            }
            let (width, together) = (self.rows.len(), self.together);
            for (band, out) in out.values.chunks_exact_mut(together * together).enumerate() {
                self.line.clear();
                for sample in self.samples.chunks_exact(width) {
                    self.line.extend_from_slice(&sample[band * together..(band + 1) * together]);
                }
                covariance_into(&self.line, together, self.estimator, out).map_err(refused)?;
            }
        }
        Ok(())
    }

    fn reset(&mut self) {
        if let Some(look_back) = &mut self.look_back {
            look_back.reset();
        }
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.over.unwrap_or(self.hop), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(look_back) = &self.look_back {
            look_back.snapshot(writer);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.look_back.as_mut().map_or(Ok(()), |look_back| look_back.restore(reader))
    }
}
