//! Features: numbers computed from windows, one row for each channel that is not a trigger.

mod aperiodic;
mod band_passes;
mod band_power;
mod channel_statistic;
mod coherence;
mod computed_in;
#[cfg(feature = "linalg")]
mod covariance;
mod envelope_power;
mod hjorth;
mod line_length;
mod log_variance;
mod look_back;
mod morlet;
mod multitaper;
mod over;
mod pairs;
mod periodogram;
mod phase_locking;
mod rms;
mod samples;
#[cfg(feature = "linalg")]
mod segment;
mod spectrum;
mod spike_counts;
mod spiking_band_power;
#[cfg(feature = "linalg")]
mod tangent;
mod welch;

pub use aperiodic::Aperiodic;
pub use band_power::BandPower;
pub use coherence::Coherence;
#[cfg(feature = "linalg")]
pub use covariance::Covariance;
pub use envelope_power::EnvelopePower;
pub use hjorth::Hjorth;
pub use line_length::LineLength;
pub use log_variance::LogVariance;
pub(crate) use look_back::LookBack;
pub use morlet::Morlet;
pub use multitaper::Multitaper;
pub(crate) use over::{Columns, Over, Statistic, look_back_feature, window_feature};
pub use periodogram::Periodogram;
pub use phase_locking::PhaseLocking;
pub use rms::Rms;
pub use samples::Samples;
#[cfg(feature = "linalg")]
pub(crate) use segment::Segment;
pub use spectrum::Spectrum;
pub use spike_counts::SpikeCounts;
pub use spiking_band_power::SpikingBandPower;
#[cfg(feature = "linalg")]
pub use tangent::Tangent;
