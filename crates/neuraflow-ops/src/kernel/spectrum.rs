//! Power spectral density of one channel: periodogram and Welch's average of periodograms.

mod lanes;

use super::stats::sum;
use super::{KernelError, Window};
pub(crate) use lanes::PsdLanes;

/// What is taken off a segment before its spectrum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detrend {
    /// Nothing (SciPy's `detrend=False`).
    None,
    /// The segment's mean.
    Constant,
}

/// One-sided power spectral density by Welch's method: `scipy.signal.welch(x, fs, window, nperseg, noverlap,
/// detrend=..., scaling='density')`. One segment over the whole input is the periodogram.
///
/// Input in µV gives µV²/Hz; bin k is at k · fs / nperseg Hz; `nperseg / 2 + 1` bins. Any segment length; lengths
/// without large prime factors are fastest. Planned once; processing allocates nothing. Source: P. D. Welch
/// (1967), IEEE Trans. Audio Electroacoust. 15(2):70–73.
///
/// ```
/// use neuraflow_ops::kernel::{Detrend, Psd, Window};
/// let mut psd = Psd::new(250, 125, Window::Hann, Detrend::Constant, 250.0)?;
/// let tau = 2.0 * std::f64::consts::PI;
/// let x: Vec<f64> = (0..1000).map(|n| (tau * 10.0 * n as f64 / 250.0).sin()).collect();
/// let mut density = vec![0.0; psd.bins()];
/// let segments = psd.process(&x, &mut density)?;
/// assert_eq!(segments, 7);
/// let peak = (0..psd.bins()).max_by(|a, b| density[*a].total_cmp(&density[*b]));
/// assert_eq!(peak.map(|bin| psd.frequency(bin)), Some(10.0));
/// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Psd {
    segments: SegmentPlan,
    one: PsdLanes<f64, 1>,
}

/// What segments a density is averaged over, and how they are weighted.
#[derive(Debug, Clone)]
pub(crate) struct SegmentPlan {
    taper: Vec<f64>,
    hop: usize,
    detrend: Detrend,
    sampling_rate: f64,
    scale: f64,
}

impl SegmentPlan {
    /// As [`Psd::new`].
    pub(crate) fn new(
        nperseg: usize,
        noverlap: usize,
        window: Window,
        detrend: Detrend,
        sampling_rate: f64,
    ) -> Result<Self, KernelError> {
        if nperseg == 0 {
            return Err(KernelError::EmptySegment);
        }
        if noverlap >= nperseg {
            return Err(KernelError::Overlap { segment: nperseg, found: noverlap });
        }
        if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
            return Err(KernelError::SamplingRate { found: sampling_rate });
        }
        let taper = window.values(nperseg);
        let energy: Vec<f64> = taper.iter().map(|w| w * w).collect();
        let scale = 1.0 / (sampling_rate * sum(&energy));
        Ok(Self { hop: nperseg - noverlap, detrend, sampling_rate, scale, taper })
    }

    /// Bins of the density.
    pub(crate) fn bins(&self) -> usize {
        self.taper.len() / 2 + 1
    }

    /// All but 0 Hz and, for an even length, half the sampling rate stand for two bins of the full spectrum.
    #[inline(always)]
    fn scale_of(&self, bin: usize, count: usize) -> f64 {
        let doubled = 1..self.taper.len().div_ceil(2);
        let sides = if doubled.contains(&bin) { 2.0 } else { 1.0 };
        sides * self.scale / count as f64
    }
}

impl Psd {
    /// Plans segments of `nperseg` samples of which consecutive ones share `noverlap`.
    ///
    /// # Errors
    /// An empty segment, an overlap that is not below the segment's length, a sampling rate that is not
    /// positive and finite.
    pub fn new(
        nperseg: usize,
        noverlap: usize,
        window: Window,
        detrend: Detrend,
        sampling_rate: f64,
    ) -> Result<Self, KernelError> {
        let segments = SegmentPlan::new(nperseg, noverlap, window, detrend, sampling_rate)?;
        Ok(Self { one: PsdLanes::new(&segments), segments })
    }

    /// Plans a periodogram over `samples` samples: `scipy.signal.periodogram`.
    ///
    /// # Errors
    /// As [`Psd::new`].
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Detrend, Psd, Window};
    /// let psd = Psd::periodogram(13, Window::Boxcar, Detrend::Constant, 250.0)?;
    /// assert_eq!(psd.bins(), 7);
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn periodogram(
        samples: usize,
        window: Window,
        detrend: Detrend,
        sampling_rate: f64,
    ) -> Result<Self, KernelError> {
        Self::new(samples, 0, window, detrend, sampling_rate)
    }

    /// Samples in a segment.
    pub fn segment_len(&self) -> usize {
        self.segments.taper.len()
    }

    /// Bins of the density, from 0 Hz to at most half the sampling rate.
    pub fn bins(&self) -> usize {
        self.segments.bins()
    }

    /// Frequency of a bin, in Hz.
    pub fn frequency(&self, bin: usize) -> f64 {
        bin as f64 * self.segments.sampling_rate / self.segment_len() as f64
    }

    /// Averages the segments of `x` (one channel) into `density` and returns how many there were.
    ///
    /// A segment that holds a NaN or infinite value is left out. Without a segment to average (all left out, or
    /// `x` shorter than one) the density is NaN and the count 0. Samples behind the last whole segment are not
    /// used.
    ///
    /// # Errors
    /// `density` is not of length [`Psd::bins`].
    ///
    /// ```
    /// use neuraflow_ops::kernel::{Detrend, Psd, Window};
    /// let mut psd = Psd::new(4, 0, Window::Boxcar, Detrend::None, 4.0)?;
    /// let mut density = [0.0; 3];
    /// let x = [1.0, 1.0, 1.0, 1.0, f64::NAN, 1.0, 1.0, 1.0];
    /// assert_eq!(psd.process(&x, &mut density)?, 1);
    /// assert_eq!(density, [1.0, 0.0, 0.0]);
    /// assert_eq!(psd.process(&x[4..], &mut density)?, 0);
    /// assert!(density.iter().all(|value| value.is_nan()));
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn process(&mut self, x: &[f64], density: &mut [f64]) -> Result<usize, KernelError> {
        if density.len() != self.bins() {
            return Err(KernelError::Length { what: "density", expected: self.bins(), found: density.len() });
        }
        let (x, density) = (x.as_chunks().0, density.as_chunks_mut().0);
        Ok(self.one.process(&self.segments, x, density).unwrap_or(0))
    }
}
