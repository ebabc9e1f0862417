//! Streaming neural signals as exact event-time windows on Timely Dataflow.
//!
//! A pipeline reads packets from a source, filters each stream as it arrives, cuts it into windows of event time
//! (50 ms by default), computes features, and hands them to sinks. The same packets give the same bits, live or
//! replayed, whatever the packet size, the speed or the number of workers; and every sample is accounted for.
//!
//! ```
//! use neuraflow::prelude::*;
//!
//! let headset = Synthetic::new(8, SamplingRate::hz(250)?).seed(7).until(Span::secs(10));
//! let (sink, power) = neuraflow::sinks::bounded(1_024, Overflow::Block);
//! let report = Pipeline::from(headset)
//!     .stage(|| Butterworth::bandpass(4, 1.0..40.0))
//!     .stage(CommonAverage::new)
//!     .window(Tumbling::millis(50))
//!     .feature(|| BandPower::bands([("alpha", 8.0..13.0), ("beta", 13.0..30.0)]).over_millis(1_000))
//!     .sink(sink)
//!     .build()?
//!     .run()?;
//! assert_eq!(report.windows().complete, 200);
//! assert!(report.balances());
//! assert!(power.iter().last().and_then(|p| p.get("O1", "alpha")).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate only gathers what the crates behind it define: `neuraflow-core` (time, windows, the dataflow),
//! `neuraflow-ops` (operators), `neuraflow-sources` and `neuraflow-sinks`.

pub use neuraflow_core::{
    checkpoint, codec, dataflow, ingest, model, operator, resilience, sink, source, telemetry, window,
};
pub use neuraflow_ops as ops;
pub use neuraflow_sinks as sinks;
pub use neuraflow_sources as sources;

#[cfg(feature = "testing")]
pub use neuraflow_core::testing;

/// What a pipeline is written with: its builder and what that takes, the sources and sinks within a program, every operator of
/// [`ops`], and the items that go from one to the next.
///
/// Not here, but in [`ops::decode`]: how models are fitted, and models. What one program in ten needs is in the modules above.
pub mod prelude {
    pub use neuraflow_core::dataflow::{Pipeline, Report, Running, Tumbling, Workers};
    pub use neuraflow_core::model::{
        Channel, Chunk, Decision, Features, Marker, SamplingRate, Span, StreamHeader, StreamKey, Timestamp,
        Window,
    };
    pub use neuraflow_core::operator::{Latency, Operator};
    pub use neuraflow_core::sink::{Overflow, Sink};
    pub use neuraflow_core::source::Source;
    pub use neuraflow_core::window::{EpochConfig, GapPolicy};
    pub use neuraflow_ops::artifact::{ArtifactFlags, Blinks, EogRegression, Kurtosis};
    #[cfg(feature = "linalg")]
    pub use neuraflow_ops::decode::{Cca, Centre, Evidence, Fbcca, Recentre};
    pub use neuraflow_ops::feature::{
        Aperiodic, BandPower, Coherence, EnvelopePower, Hjorth, LineLength, LogVariance, Morlet, Multitaper,
        Periodogram, PhaseLocking, Rms, Samples, Spectrum, SpikeCounts, SpikingBandPower,
    };
    #[cfg(feature = "linalg")]
    pub use neuraflow_ops::feature::{Covariance, Tangent};
    pub use neuraflow_ops::filter::{
        Butterworth, Chebyshev1, Chebyshev2, Comb, DcRemoval, Detrend, Elliptic, Envelope, FilterBank, Fir,
        Notch, Resample, ZScore,
    };
    pub use neuraflow_ops::kernel::Precision;
    pub use neuraflow_ops::quality::{LineNoise, Railed, SignalQuality};
    pub use neuraflow_ops::spatial::{
        BadChannels, Bipolar, CommonAverage, Laplacian, Montage, SpatialFilter,
    };
    pub use neuraflow_ops::spike::{SpikeDetector, Spikes, ThresholdCrossings};
    pub use neuraflow_sinks::{Callback, bounded};
    pub use neuraflow_sources::replay::Replay;
    pub use neuraflow_sources::synthetic::Synthetic;
    pub use neuraflow_sources::{device, pace::Speed};
}

#[cfg(doctest)]
mod tutorials {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[doc = include_str!("../docs/tutorials/first-window.md")]
    mod first_window {}
    #[doc = include_str!("../docs/tutorials/own-recording.md")]
    mod own_recording {}
    #[doc = include_str!("../docs/tutorials/own-operator.md")]
    mod own_operator {}
    #[doc = include_str!("../docs/tutorials/own-sink.md")]
    mod own_sink {}
    #[cfg(feature = "linalg")]
    #[doc = include_str!("../docs/tutorials/ssvep.md")]
    #[doc = include_str!("../docs/tutorials/motor_imagery.md")]
    #[doc = include_str!("../docs/tutorials/p300.md")]
    #[doc = include_str!("../docs/tutorials/position.md")]
    mod decoders {}
    #[cfg(feature = "store")]
    #[doc = include_str!("../docs/reference/table.md")]
    mod table {}
}
