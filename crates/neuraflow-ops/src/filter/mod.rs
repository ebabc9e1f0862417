//! Filters with memory, as stages: bands, notch and comb, FIR, resampling, detrending, envelope and z-score.
//!
//! A filter here is a setting (`Butterworth::bandpass(4, 1.0..40.0)`). It becomes numbers once the sampling
//! rate is known: in a pipeline when it is prepared, without one through `design` or `filter`. Both run the
//! same cascade of second-order sections, [`SosFilter`](crate::kernel::SosFilter), with coefficients and
//! state in `f64`, or in `f32` where [`Precision::Single`](crate::kernel::Precision) is chosen.
//!
//! As stages all of them
//! - take chunks of any channels and give chunks of the same; channels of [`ChannelKind::Trigger`] pass
//!   unchanged;
//! - start each channel at the steady state of its first value, so that an offset makes no transient;
//! - put out NaN where a value is missing (NaN or infinite), never let it into the state, and go on after it
//!   as the stream's [`Missing`](neuraflow_core::operator::Missing) says, each channel on its own;
//! - put out every sample at once: `look_ahead` and `look_back` are zero;
//! - declare the group delay where the pass band has its geometric centre. A band that reaches down to 0 Hz
//!   has it at 0 Hz, one that reaches up to Nyquist between its edge and Nyquist. `group_delay_max` is the
//!   largest within −3 dB;
//! - declare as `warm_up` the time after which a start at an arbitrary place moves the output by no more than
//!   a thousandth of what the greatest departure of the signal from its first value can move it
//!   ([`Sos::settling_samples`](crate::kernel::Sos::settling_samples) at 10⁻³). On EEG that is below the
//!   noise of an amplifier. The low edge decides: about 2.6 s for 1–40 Hz of order 4, twice that for 0.5 Hz.
//!
//! [`ChannelKind::Trigger`]: neuraflow_core::model::ChannelKind::Trigger

mod butterworth;
mod cascade;
mod chebyshev1;
mod chebyshev2;
mod comb;
mod dc_removal;
mod detrend;
mod elliptic;
mod envelope;
mod filter_bank;
mod fir;
mod latency;
mod notch;
mod past;
mod refusal;
mod resample;
mod stage;
mod z_score;

pub(crate) use latency::{Bands, latency, slowest};
pub(crate) use refusal::{Names, refusal};
pub(crate) use stage::not_restored;

pub use butterworth::Butterworth;
pub use chebyshev1::Chebyshev1;
pub use chebyshev2::Chebyshev2;
pub use comb::Comb;
pub use dc_removal::DcRemoval;
pub use detrend::Detrend;
pub use elliptic::Elliptic;
pub use envelope::Envelope;
pub use filter_bank::FilterBank;
pub use fir::Fir;
pub use notch::Notch;
pub use resample::Resample;
pub use z_score::ZScore;
