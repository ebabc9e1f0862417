//! Signal operators of NeuraFlow: filters, references, artifacts, quality, features.
//!
//! Each is a setting until it is prepared for a stream, works in a pipeline and on plain arrays, and names its source.
//! Signals are `[sample][channel]` in µV; NaN is a missing value and enters no state. The order of work: flags and quality on
//! the raw signal, then filter, then reference, then features.
//!
//! | module | operators | from → to |
//! |---|---|---|
//! | [`artifact`] | [`ArtifactFlags`](artifact::ArtifactFlags): amplitude, gradient, flat line, rail; [`Kurtosis`](artifact::Kurtosis), [`Blinks`](artifact::Blinks) | window → features |
//! | | [`EogRegression`](artifact::EogRegression) | signal → signal |
//! | [`quality`] | [`SignalQuality`](quality::SignalQuality): a score from 0 to 1; [`Railed`](quality::Railed), [`LineNoise`](quality::LineNoise) | window → features |
//! | [`filter`] | [`Butterworth`](filter::Butterworth), [`Chebyshev1`](filter::Chebyshev1), [`Chebyshev2`](filter::Chebyshev2), [`Elliptic`](filter::Elliptic), [`Fir`](filter::Fir), [`Notch`](filter::Notch), [`Comb`](filter::Comb), [`DcRemoval`](filter::DcRemoval), [`Detrend`](filter::Detrend), [`Envelope`](filter::Envelope), [`ZScore`](filter::ZScore), [`Resample`](filter::Resample) | signal → signal |
//! | [`spatial`] | [`BadChannels`](spatial::BadChannels), [`Montage`](spatial::Montage), [`CommonAverage`](spatial::CommonAverage), [`Laplacian`](spatial::Laplacian), [`Bipolar`](spatial::Bipolar), [`SpatialFilter`](spatial::SpatialFilter) | signal → signal |
//! | [`feature`] | [`BandPower`](feature::BandPower), [`EnvelopePower`](feature::EnvelopePower), [`Morlet`](feature::Morlet), [`Spectrum`](feature::Spectrum), [`Multitaper`](feature::Multitaper), [`Periodogram`](feature::Periodogram), [`Aperiodic`](feature::Aperiodic), [`Coherence`](feature::Coherence), [`PhaseLocking`](feature::PhaseLocking), [`Hjorth`](feature::Hjorth), [`LineLength`](feature::LineLength), [`Rms`](feature::Rms), [`LogVariance`](feature::LogVariance), [`SpikeCounts`](feature::SpikeCounts), [`SpikingBandPower`](feature::SpikingBandPower) | window → features |
//! | [`spike`] | [`SpikeDetector`](spike::SpikeDetector): when and how deep a threshold is crossed; [`ThresholdCrossings`](spike::ThresholdCrossings): how often | window → spikes, window → features |
//! | `decode` (feature `linalg`) | `Cca`, `Fbcca`: which flicker is looked at | window → decision |
//! | | `Csp`, `Mdm`, `TangentLogistic`: fitted to trials, decide by covariances | features → decision |
//! | | `PoissonBayes`, `Wiener`, `Kalman`: fitted to trajectories, decide by spike counts | features → decision |
//! | [`kernel`] | what they compute with: slices in, slices out, of no type of the engine | |

pub mod artifact;
#[cfg(feature = "linalg")]
pub mod decode;
pub mod feature;
pub mod filter;
pub mod kernel;
pub mod quality;
pub mod spatial;
pub mod spike;

mod shape;
