//! Features: numbers computed from windows, one row for each channel that is not a trigger.

mod band_power;
mod channel_statistic;
mod log_variance;
mod look_back;
mod periodogram;
mod rms;
mod spectrum;
mod welch;

pub use band_power::BandPower;
pub use log_variance::LogVariance;
pub(crate) use look_back::LookBack;
pub use periodogram::Periodogram;
pub use rms::Rms;
pub use spectrum::Spectrum;
