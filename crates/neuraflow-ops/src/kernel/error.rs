//! Errors of the kernels: what was expected, what was found, what to do.

use thiserror::Error;

/// A filter that cannot be designed. Raised once, when a pipeline is built; nothing is retried.
///
/// ```
/// use neuraflow_ops::kernel::{Response, butterworth};
/// let error = butterworth(4, Response::Lowpass(130.0), 250.0).unwrap_err();
/// assert!(error.to_string().contains("Nyquist"));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum DesignError {
    /// The order is zero or so high that the sections lose their meaning in `f64`.
    #[error("expected a filter order from 1 to {max}, found {found}; use a lower order")]
    Order {
        /// Highest order accepted.
        max: usize,
        /// Order asked for.
        found: usize,
    },
    /// The sampling rate is not a positive, finite number.
    #[error("expected a sampling rate in Hz above 0, found {found}; pass the stream's sampling rate")]
    SamplingRate {
        /// Sampling rate asked for, in Hz.
        found: f64,
    },
    /// An edge is NaN or infinite.
    #[error("expected an edge frequency in Hz, found {found}; pass a finite number")]
    EdgeNotFinite {
        /// The edge asked for, in Hz.
        found: f64,
    },
    /// An edge is outside the open interval from 0 Hz to half the sampling rate.
    #[error(
        "expected an edge above 0 Hz and below the Nyquist frequency of {nyquist} Hz, found {found} Hz; \
         move the edge, or leave it out with a low- or high-pass filter"
    )]
    EdgeOutOfRange {
        /// Half the sampling rate, in Hz.
        nyquist: f64,
        /// The edge asked for, in Hz.
        found: f64,
    },
    /// The band's lower edge is not below its upper edge.
    #[error("expected a lower edge below the upper edge, found {low} Hz and {high} Hz; swap or widen them")]
    EdgesNotIncreasing {
        /// Lower edge asked for, in Hz.
        low: f64,
        /// Upper edge asked for, in Hz.
        high: f64,
    },
    /// The quality factor of a notch gives no band below the Nyquist frequency.
    #[error(
        "expected a quality factor above {min} at this frequency and sampling rate, found {found}; raise it"
    )]
    Quality {
        /// The quality factor must exceed this.
        min: f64,
        /// Quality factor asked for.
        found: f64,
    },
    /// A ripple that is none, or so deep that nothing of the pass band is within half the power.
    #[error("expected a pass-band ripple above 0 dB and below 3.01 dB, found {found} dB; 0.1 to 1 is usual")]
    Ripple {
        /// Ripple asked for, in dB.
        found: f64,
    },
    /// An attenuation that stops nothing.
    #[error(
        "expected a stop-band attenuation above 3.01 dB and up to 400 dB, found {found} dB; 20 to 80 is usual"
    )]
    Attenuation {
        /// Attenuation asked for, in dB.
        found: f64,
    },
    /// A number of taps that the filter cannot have.
    #[error("expected {expected} taps, found {found}; add or take off one")]
    Taps {
        /// What would do.
        expected: &'static str,
        /// Taps asked for.
        found: usize,
    },
    /// A comb whose teeth do not fall on whole samples.
    #[error(
        "expected a comb of {fundamental} Hz to have a whole number of samples a period at {sampling_rate} Hz; use          notches, or resample first"
    )]
    Period {
        /// Distance of the teeth asked for, in Hz.
        fundamental: f64,
        /// Sampling rate, in Hz.
        sampling_rate: f64,
    },
    /// The poles are so close to the unit circle that rounding the coefficients to `f64` puts them on it.
    #[error(
        "expected a filter that is stable in f64, found section {section} {found:?} on the edge of stability; \
         move the edge away from 0 Hz or Nyquist, widen the band, or lower the sampling rate first"
    )]
    Unstable {
        /// Index of the section in the cascade.
        section: usize,
        /// The section's `[b0, b1, b2, a0, a1, a2]`.
        found: [f64; 6],
    },
    /// A section given by hand is not usable as it stands.
    #[error(
        "expected section {section} to be stable, finite and normalised to a0 = 1, found {found:?}; \
         divide by a0 and check its poles"
    )]
    Section {
        /// Index of the section in the cascade.
        section: usize,
        /// The section's `[b0, b1, b2, a0, a1, a2]`.
        found: [f64; 6],
    },
    /// A cascade without a section.
    #[error("expected at least one second-order section, found none; design a filter first")]
    NoSections,
}

/// A kernel given data or parameters whose shape does not fit.
///
/// ```
/// use neuraflow_ops::kernel::{Detrend, Psd, Window};
/// let error = Psd::new(64, 64, Window::Hann, Detrend::Constant, 250.0).unwrap_err();
/// assert!(error.to_string().contains("overlap"));
/// ```
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum KernelError {
    /// A kernel over zero channels.
    #[error("expected at least one channel, found none; check the stream's channel layout")]
    NoChannels,
    /// The number of values is not a whole number of samples.
    #[error("expected a multiple of {channels} values (one per channel), found {found}; pass whole samples")]
    NotWholeSamples {
        /// Number of channels.
        channels: usize,
        /// Number of values given.
        found: usize,
    },
    /// A slice has the wrong length.
    #[error("expected {what} of length {expected}, found {found}; size it from the kernel's own accessor")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Its length by design.
        expected: usize,
        /// Its length as given.
        found: usize,
    },
    /// A channel index beyond the layout.
    #[error("expected a channel index below {channels}, found {found}")]
    Channel {
        /// Number of channels.
        channels: usize,
        /// Index given.
        found: usize,
    },
    /// A segment without a sample.
    #[error("expected a segment of at least 1 sample, found 0; raise the look-back or the sampling rate")]
    EmptySegment,
    /// Segments that would never advance.
    #[error("expected an overlap below the segment length of {segment}, found {found}; lower the overlap")]
    Overlap {
        /// Segment length in samples.
        segment: usize,
        /// Overlap in samples.
        found: usize,
    },
    /// The sampling rate is not a positive, finite number.
    #[error("expected a sampling rate in Hz above 0, found {found}; pass the stream's sampling rate")]
    SamplingRate {
        /// Sampling rate given, in Hz.
        found: f64,
    },
    /// The edges of a band are not finite or not increasing.
    #[error("expected finite band edges with low <= high, found {low} Hz and {high} Hz; swap or fix them")]
    BandEdges {
        /// Lower edge given, in Hz.
        low: f64,
        /// Upper edge given, in Hz.
        high: f64,
    },
    /// A cascade that cannot be run with coefficients and state in `f32`.
    #[error(
        "expected a filter that is stable in f32, found section {section} {found:?} too close to the edge of \
         stability; use double precision, move the edge away from 0 Hz, or lower the sampling rate first"
    )]
    UnstableInSingle {
        /// Index of the section in the cascade.
        section: usize,
        /// The section's `[b0, b1, b2, a0, a1, a2]`.
        found: [f64; 6],
    },
    /// A state of double precision for a filter of single precision.
    #[error(
        "expected a state in f32, found {found} in channel {channel}, which f32 does not hold; restore it into a \
         filter of double precision"
    )]
    StatePrecision {
        /// Whose state.
        channel: usize,
        /// The value in it.
        found: f64,
    },
    /// A missing value where none can be left out.
    #[error("expected finite values, found {found} at {index}; leave out samples with missing values")]
    NotFinite {
        /// Where in the slice.
        index: usize,
        /// The value there.
        found: f64,
    },
    /// The state of another filter.
    #[error(
        "expected the state of a filter of {expected} {what}, found {found}; restore it where it was taken"
    )]
    State {
        /// Channels or sections.
        what: &'static str,
        /// What this filter has.
        expected: usize,
        /// What the state has.
        found: usize,
    },
    /// A state that no input leads to.
    #[error("expected a state of finite numbers, found {found} in channel {channel}; start without it")]
    StateNotFinite {
        /// Whose state.
        channel: usize,
        /// The value in it.
        found: f64,
    },
}
