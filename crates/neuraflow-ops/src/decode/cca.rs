//! Canonical correlation with sines: which flicker somebody looks at.

use std::sync::Arc;

use ndarray::ArrayView2;
use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{Channel, Decision, NoDecision, SamplingRate, Span, Window};
use neuraflow_core::operator::{Latency, Operator, OperatorError, WindowSpec};

use super::made_up::MadeUp;
use super::targets::Targets;
use crate::feature::{LookBack, Segment};
use crate::kernel::Value;
use crate::shape::{Rows, as_array, same_channels, same_length};

/// Decides which of several flickers is looked at, by the canonical correlation of the EEG with sines and cosines of each
/// flicker's frequency and its harmonics. Nothing is trained.
///
/// ```text
/// ρ(class) = the greatest correlation of any weighted sum of channels with any weighted sum of
///            sin 2πhft, cos 2πhft,  h = 1 … harmonics
/// decision = the class with the greatest ρ;  confidence = ρ² / Σ ρ² over all classes
/// ```
///
/// The confidence is a share from 1 / classes to 1, not a probability. Sources: Z. Lin, C. Zhang, W. Wu and X. Gao (2006), IEEE Trans.
/// Biomed. Eng. 53(12):2610–2614; correlations by QR and SVD, see [`kernel::cca`](crate::kernel::cca).
///
/// Input: windows or epochs of filtered EEG, of any number of samples. Output: the class's name and confidence, or why there
/// is none: [`WarmUp`](NoDecision::WarmUp) until filters have settled and the look-back is full;
/// [`Gap`](NoDecision::Gap) where more than a tenth of the samples have a missing value or were made up by a gap policy (those
/// with a missing value are left out of both sides); [`Degenerate`](NoDecision::Degenerate) where there are fewer samples than twice the channels and references
/// together (50 ms at 256 Hz are 12 samples, and 8 channels and 4 references follow each other perfectly in them, whatever
/// was looked at), or where no channel varies. Channels that depend on others, as after an average reference, do no harm. State: the
/// samples of the look-back.
///
/// Default: all EEG channels, two harmonics, each window or epoch by itself.
///
/// # Errors
/// `prepare`: fewer than two classes; a name or frequency twice; a frequency of 0; no harmonic, or one at Nyquist or beyond;
/// a channel that is not there, or no EEG channel; a look-back shorter than a sample. `process`: another number of channels.
///
/// ```
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_ops::decode::Cca;
/// let decoder = || Cca::new([("left", 13.0), ("right", 17.0)]).harmonics(1).over_millis(1_000);
/// // In a pipeline: .stage(|| Butterworth::bandpass(4, 5.0..45.0)).window(Tumbling::millis(50)).feature(decoder)
/// // Without one, on a second of two channels, one of which follows 17 Hz:
/// let wave = |n: usize| (std::f32::consts::TAU * 17.0 * n as f32 / 256.0).cos();
/// let values: Vec<f32> = (0..256).flat_map(|n| [wave(n) + wave(n * n % 97), wave(n * n % 89)]).collect();
/// let rho = decoder().of_samples(&values, 2, SamplingRate::hz(256)?)?;
/// assert!(rho[1] > 0.6 && rho[0] < 0.3, "{rho:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cca {
    targets: Targets,
    over: Option<Span>,
    hop: Span,
    rows: Arc<Rows>,
    look_back: Option<LookBack>,
    made_up: MadeUp,
    segment: Segment,
}

impl Cca {
    /// Tells classes apart, each with a name and the frequency of its flicker in Hz.
    pub fn new<N: Into<String>>(classes: impl IntoIterator<Item = (N, f64)>) -> Self {
        Self {
            targets: Targets::new(classes),
            over: None,
            hop: Span::ZERO,
            rows: Arc::default(),
            look_back: None,
            made_up: MadeUp::default(),
            segment: Segment::default(),
        }
    }

    /// Counts the first so many harmonics of each flicker, the frequency itself being the first.
    #[must_use]
    pub fn harmonics(mut self, harmonics: usize) -> Self {
        self.targets.harmonics = harmonics;
        self
    }

    /// Looks back over this many milliseconds that end with the window.
    #[must_use]
    pub fn over_millis(mut self, millis: i64) -> Self {
        self.over = Some(Span::millis(millis));
        self
    }

    /// Looks at these channels, by name or label, and at no other.
    #[must_use]
    pub fn channels<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.targets.channels = names.into_iter().map(Into::into).collect();
        self
    }

    /// The correlation with each class of all of plain sample-major values `[sample][channel]`, filtered, without a pipeline.
    ///
    /// # Errors
    /// As `prepare`; a number of values that is no multiple of the channels; and where there is no decision, for the reasons
    /// above.
    pub fn of_samples<T: Value>(
        &self,
        values: &[T],
        channels: usize,
        rate: SamplingRate,
    ) -> Result<Vec<f64>, OperatorError> {
        self.of_array(as_array(values, channels)?, rate)
    }

    /// The same of an array `[sample][channel]` of any memory layout.
    ///
    /// # Errors
    /// As [`of_samples`](Self::of_samples).
    pub fn of_array<T: Value>(
        &self,
        values: ArrayView2<'_, T>,
        rate: SamplingRate,
    ) -> Result<Vec<f64>, OperatorError> {
        let mut targets = self.targets.clone();
        targets.channels.clear();
        let layout: Vec<Channel> = (1..=values.ncols()).map(|n| Channel::new(format!("EEG {n}"))).collect();
        targets.prepare(&layout, rate)?;
        let mut segment = Segment::default();
        segment.of_array(values);
        targets.correlations(&segment, layout.len()).map_err(|why| OperatorError::Input {
            what: "samples",
            expected: "at least twice the channels and references together, nine tenths of them without missing values, \
                       and a channel that varies"
                .to_owned(),
            found: format!("{} samples of {} channels ({why:?})", values.nrows(), values.ncols()),
        })
    }
}

impl Operator for Cca {
    type In = Window;
    type Out = Decision<String>;

    fn prepare(&mut self, spec: &WindowSpec) -> Result<Arc<[String]>, OperatorError> {
        self.rows = self.targets.prepare(&spec.signal.channels, spec.signal.rate)?;
        self.hop = spec.hop;
        self.look_back = self.over.map(|span| LookBack::new(span, &self.rows, &spec.signal)).transpose()?;
        self.made_up = MadeUp::over(self.look_back.as_ref().map_or(0, LookBack::length));
        Ok(Arc::clone(&self.targets.names))
    }

    fn process(&mut self, input: &Window, out: &mut Decision<String>) -> Result<(), OperatorError> {
        same_channels(self.rows.width, input.samples.channels())?;
        let full = self.take(input);
        out.outcome = if full && !out.info.warm_up { self.decide() } else { Err(NoDecision::WarmUp) };
        Ok(())
    }

    fn reset(&mut self) {
        self.look_back.iter_mut().for_each(LookBack::reset);
        self.made_up.reset();
    }

    fn latency(&self) -> Latency {
        Latency { look_back: self.over.unwrap_or(self.hop), ..Latency::default() }
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        if let Some(look_back) = &self.look_back {
            writer.put(&(self.rows.width as u64));
            look_back.snapshot(writer);
            self.made_up.snapshot(writer);
        }
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        let Some(look_back) = &mut self.look_back else { return Ok(()) };
        // The look-back knows the channels that it keeps, and not those around them.
        same_length("channels", self.rows.width, reader.take::<u64>()? as usize)?;
        look_back.restore(reader)?;
        self.made_up.restore(reader)
    }
}

impl Cca {
    /// Takes in the samples of a window; `false` while the look-back is not full.
    fn take(&mut self, window: &Window) -> bool {
        let Some(look_back) = &mut self.look_back else {
            self.segment.of_window(window, &self.rows);
            return true;
        };
        look_back.push(&window.samples, &self.rows);
        self.made_up.push(window);
        if look_back.is_full() {
            self.segment.of_look_back(look_back, self.made_up.count(), &self.rows);
        }
        look_back.is_full()
    }

    fn decide(&mut self) -> Result<(String, f64), NoDecision> {
        let correlations = self.targets.correlations(&self.segment, self.rows.len())?;
        let scores: Vec<f64> = correlations.iter().map(|rho| rho * rho).collect();
        self.targets.decide(&scores)
    }
}
