//! The covariance of channels.

use std::sync::Arc;

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{FeatureSpec, Features, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::{LookBack, Segment};
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
    rows: Arc<Rows>,
    look_back: Option<LookBack>,
    segment: Segment,
    /// The samples of one band.
    band: Vec<f64>,
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
            rows: Arc::default(),
            look_back: None,
            segment: Segment::default(),
            band: Vec::new(),
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

    /// Takes in the samples of a window; `false` while the look-back is not full.
    fn take(&mut self, window: &Window) -> bool {
        let Some(look_back) = &mut self.look_back else {
            self.segment.of_window(window, &self.rows);
            return true;
        };
        look_back.push(&window.samples, &self.rows);
        if look_back.is_full() {
            // A covariance counts what a gap policy has made up as any other sample.
            self.segment.of_look_back(look_back, 0, &self.rows);
        }
        look_back.is_full()
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
        let full = self.take(input);
        let Segment { values, samples, length, .. } = &self.segment;
        if !full || samples.len() < 2 || samples.len() * 10 < length * 9 {
            return Ok(());
        }
        let refused = |error: LinalgError| OperatorError::Input {
            what: "samples",
            expected: "some that have a covariance".to_owned(),
            found: error.to_string(),
        };
        let (width, together) = (self.rows.len(), self.together);
        if !self.by_band {
            return covariance_into(values, width, self.estimator, &mut out.values).map_err(refused);
        }
        for (band, out) in out.values.chunks_exact_mut(together * together).enumerate() {
            self.band.clear();
            for sample in values.chunks_exact(width) {
                self.band.extend_from_slice(&sample[band * together..(band + 1) * together]);
            }
            covariance_into(&self.band, together, self.estimator, out).map_err(refused)?;
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
