//! Spikes: from what an electrode records to when units fire near it.
//!
//! | operator | gives | from → to |
//! |---|---|---|
//! | [`SpikeDetector`] | when and how deep the signal crosses a threshold, aligned to its trough between samples | window → [`Spikes`] |
//! | [`ThresholdCrossings`] | how often it does in each window | window → features |
//! | [`SpikingBandPower`](crate::feature::SpikingBandPower) | how strong the band of spikes is | window → features |
//! | [`SpikeCounts`](crate::feature::SpikeCounts) | how often sorted units fire, from spike trains | window → features |
//!
//! All but the last stand behind a band-pass, usually 300 to 6,000 Hz; windows may be as short as a millisecond:
//!
//! ```
//! use neuraflow_core::dataflow::Tumbling;
//! use neuraflow_ops::filter::Butterworth;
//! use neuraflow_ops::spike::SpikeDetector;
//! let band = || Butterworth::bandpass(4, 300.0..6_000.0);
//! let bins = Tumbling::millis(10); // or 1, 20, 50
//! let counts = || SpikeDetector::new().threshold(4.5).counts();
//! // Pipeline::from(source).stage(band).window(bins).feature(counts)
//! # let _ = (band, bins, counts);
//! ```

mod channel;
mod crossings;
mod detector;
mod item;
mod running;

pub use crossings::ThresholdCrossings;
pub use detector::SpikeDetector;
pub use item::{Spike, Spikes};
