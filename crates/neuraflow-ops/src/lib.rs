//! Signal operators of NeuraFlow: filters, references, artifacts, quality, features.
//!
//! Each is a setting until it is prepared for a stream, works in a pipeline and on plain arrays, and names its source.
//! Signals are `[sample][channel]` in µV; NaN is a missing value and enters no state. The order of work: flags and quality on
//! the raw signal, then filter, then reference, then features.
//!
//! | module | operators | from → to |
//! |---|---|---|
//! | [`artifact`] | [`ArtifactFlags`](artifact::ArtifactFlags): amplitude, gradient, flat line, rail | window → features |
//! | [`quality`] | [`SignalQuality`](quality::SignalQuality): a score from 0 to 1 | window → features |
//! | [`filter`] | [`Butterworth`](filter::Butterworth), [`Notch`](filter::Notch) | signal → signal |
//! | [`spatial`] | [`CommonAverage`](spatial::CommonAverage), [`Bipolar`](spatial::Bipolar) | signal → signal |
//! | [`feature`] | [`BandPower`](feature::BandPower), [`Spectrum`](feature::Spectrum), [`Periodogram`](feature::Periodogram), [`Rms`](feature::Rms), [`LogVariance`](feature::LogVariance) | window → features |
//! | [`kernel`] | what they compute with: slices in, slices out, of no type of the engine | |

pub mod artifact;
pub mod feature;
pub mod filter;
pub mod kernel;
pub mod quality;
pub mod spatial;

mod shape;
