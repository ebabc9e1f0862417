//! Power of a frequency band, from a power spectral density.

use core::ops::Range;

use super::KernelError;

/// Slack at a band's edges, in bins: an edge that falls on a bin includes it whatever the rounding.
const SLACK: f64 = 1e-9;

/// The bins of a one-sided spectrum inside a closed band `[low, high]`.
///
/// How many there are is for the builder to look at: a 50 ms segment has bins 20 Hz apart, and no alpha.
///
/// ```
/// use neuraflow_ops::kernel::Band;
/// assert_eq!(Band::new(8.0, 13.0, 250, 250.0)?.bins(), 8..14); // one-second segment: 8, 9, … 13 Hz
/// assert!(Band::new(8.0, 13.0, 12, 250.0)?.bins().is_empty());
/// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    bins: Range<usize>,
    width: f64,
}

impl Band {
    /// The bins k with `low <= k · sampling_rate / nperseg <= high` (Hz), for spectra of `nperseg` samples.
    ///
    /// # Errors
    /// Edges that are not finite or not increasing, an empty segment, a sampling rate that is not positive and
    /// finite. A band without a bin is no error here; see [`Band::bins`].
    pub fn new(low: f64, high: f64, nperseg: usize, sampling_rate: f64) -> Result<Self, KernelError> {
        if !(low.is_finite() && high.is_finite() && low <= high) {
            return Err(KernelError::BandEdges { low, high });
        }
        if nperseg == 0 {
            return Err(KernelError::EmptySegment);
        }
        if !(sampling_rate.is_finite() && sampling_rate > 0.0) {
            return Err(KernelError::SamplingRate { found: sampling_rate });
        }
        let position = |edge: f64| edge * nperseg as f64 / sampling_rate;
        // Casts saturate: a negative edge is bin 0, and the top is cut to the spectrum.
        let first = libm::ceil(position(low) - SLACK) as usize;
        let end = if high < 0.0 { 0 } else { libm::floor(position(high) + SLACK) as usize + 1 };
        let end = end.min(nperseg / 2 + 1);
        Ok(Self { bins: first.min(end)..end, width: sampling_rate / nperseg as f64 })
    }

    /// Bins inside the band; empty when the band falls between two bins or outside the spectrum.
    pub fn bins(&self) -> Range<usize> {
        self.bins.clone()
    }

    /// Power by the trapezoidal rule over the band's bins, as MNE and `numpy.trapezoid` over the frequency mask:
    /// density in µV²/Hz gives µV². The default. A single bin, which has no trapezoid, counts with its width; a
    /// band without a bin, or beyond the density given, is NaN.
    ///
    /// ```
    /// use neuraflow_ops::kernel::Band;
    /// let density = [0.0, 2.0, 4.0, 2.0, 0.0]; // 0 to 4 Hz
    /// assert_eq!(Band::new(1.0, 3.0, 8, 8.0)?.power(&density), 6.0);
    /// assert_eq!(Band::new(2.0, 2.5, 8, 8.0)?.power(&density), 4.0);
    /// assert!(Band::new(2.2, 2.8, 8, 8.0)?.power(&density).is_nan());
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn power(&self, density: &[f64]) -> f64 {
        match density.get(self.bins()) {
            Some([]) | None => f64::NAN,
            Some([only]) => only * self.width,
            Some(bins) => self.width * bins.windows(2).fold(0.0, |sum, pair| sum + (pair[0] + pair[1]) / 2.0),
        }
    }

    /// Power as the plain sum over the band's bins times their width, so that powers of adjoining bands add up to
    /// the variance. NaN as in [`Band::power`].
    ///
    /// ```
    /// use neuraflow_ops::kernel::Band;
    /// let density = [0.0, 2.0, 4.0, 2.0, 0.0];
    /// assert_eq!(Band::new(1.0, 3.0, 8, 8.0)?.power_by_sum(&density), 8.0);
    /// # Ok::<(), neuraflow_ops::kernel::KernelError>(())
    /// ```
    pub fn power_by_sum(&self, density: &[f64]) -> f64 {
        match density.get(self.bins()) {
            Some([]) | None => f64::NAN,
            Some(bins) => self.width * super::stats::sum(bins),
        }
    }
}
