//! The notch: takes one frequency out, and little around it.

use std::f64::consts::PI;

use neuraflow_core::operator::OperatorError;

use super::cascade::cascade;
use super::latency::Bands;
use super::refusal::{Names, refusal};
use super::stage::SosStage;
use crate::kernel::{DesignError, Sos, notch};

/// Takes out one frequency, such as the mains; everything outside `hz ± hz / (2 · quality)` loses less than 3
/// dB.
///
/// The design is `scipy.signal.iirnotch(hz, quality, fs=rate)`. The higher the quality, the narrower the
/// notch and the longer its warm-up: about 2.2 · quality / hz seconds. The group delay is declared at 0 Hz,
/// far from the notch, where it is next to nothing; `group_delay_max` is that at the notch's −3 dB edges. How
/// all filters treat channels, gaps and latency: see [`filter`](crate::filter).
///
/// ```
/// use neuraflow_core::model::{Channel, Chunk, SamplingRate};
/// use neuraflow_core::operator::{Missing, Operator, SignalSpec};
/// use neuraflow_ops::filter::Notch;
///
/// let mut mains = Notch::new(50.0, 30.0);
/// mains.prepare(&SignalSpec {
///     channels: [Channel::new("Oz"), Channel::new("Status")].into(),
///     rate: SamplingRate::hz(250)?,
///     missing: Missing::Restart,
/// })?;
/// assert!(mains.latency().group_delay.as_millis_f64() < 1.0);
///
/// let (mut input, mut output) = (Chunk::new(0, 2), Chunk::new(0, 2));
/// input.extend(&[12.5, 7.0, 12.5, 8.0]); // two samples
/// mains.process(&input, &mut output)?;
/// assert_eq!(output.values()[3], 8.0); // a trigger word passes as it is
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// `prepare`: [`OperatorError::Spec`] where the filter cannot be designed for this rate: a frequency at or beyond
/// Nyquist, a quality so low that the notch is wider than the spectrum, or so high that rounding makes it
/// unstable in the precision chosen.
#[derive(Debug, Clone)]
pub struct Notch {
    hz: f64,
    quality: f64,
    stage: SosStage,
}

impl Notch {
    /// A notch at `hz` whose −3 dB width is `hz / quality`.
    pub fn new(hz: f64, quality: f64) -> Self {
        Self { hz, quality, stage: SosStage::default() }
    }

    /// The cascade for a sampling rate in Hz, to look at or to run on slices with
    /// [`SosFilter`](crate::kernel::SosFilter).
    ///
    /// # Errors
    /// As [`notch`]: a frequency, quality or sampling rate out of range.
    ///
    /// ```
    /// use neuraflow_ops::filter::Notch;
    /// let sos = Notch::new(50.0, 30.0).design(250.0)?;
    /// assert!(sos.frequency_response(50.0, 250.0).norm() < 1e-12);
    /// # Ok::<(), neuraflow_ops::kernel::DesignError>(())
    /// ```
    pub fn design(&self, sampling_rate: f64) -> Result<Sos, DesignError> {
        notch(self.hz, self.quality, sampling_rate)
    }

    fn checked_design(&self, sampling_rate: f64) -> Result<Sos, OperatorError> {
        let names = Names::of_edge("frequency of the notch", self.hz);
        self.design(sampling_rate).map_err(|error| refusal(error, &names))
    }

    /// The −3 dB edges: they lie the design's width apart, and the tangents of their half angles have the
    /// notch's as their geometric mean (the bilinear transform of a notch's symmetry), so cos(middle) =
    /// cos(width/2) · cos(notch).
    fn bands(&self, _: &Sos, sampling_rate: f64) -> Bands {
        let nyquist = sampling_rate / 2.0;
        let notch = PI * self.hz / nyquist;
        let half_width = notch / self.quality / 2.0;
        let middle = libm::acos(libm::cos(half_width) * libm::cos(notch));
        let hz = |angle: f64| (angle * nyquist / PI).clamp(0.0, nyquist);
        Bands::around(hz(middle - half_width), hz(middle + half_width), nyquist)
    }
}

cascade!(Notch, "Notch::new(50.0, 5.0)");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_the_notch_are_at_half_power() {
        for (hz, quality, rate) in [(50.0, 30.0, 250.0), (60.0, 5.0, 160.0), (3.0, 0.7, 12.8)] {
            let notch = Notch::new(hz, quality);
            let sos = notch.design(rate).unwrap();
            for edge in notch.bands(&sos, rate).edges() {
                if edge > 0.0 && edge < rate / 2.0 {
                    let power = sos.frequency_response(edge, rate).norm_sqr();
                    assert!((power - 0.5).abs() < 1e-9, "{hz} {quality} {rate}: {power} at {edge}");
                }
            }
        }
    }
}
