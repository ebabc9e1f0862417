//! Sources of NeuraFlow: recordings, replay, synthetic headsets, device handles.
//!
//! | module | what is in it |
//! |---|---|
//! | [`recording`] | files as they are: EDF, EDF+, BDF, BDF+, GDF, Muse CSV, spike trains with their streams, markers and warnings |
//! | [`replay`] | a recording as a source, in packets of any size, at any speed |
//! | [`synthetic`] | a seeded headset with bursts, blinks and line noise, and faults on demand |
//! | [`device`] | the handle by which a host application pushes samples from any thread or task, and its journal |
//! | `kafka` (feature `kafka`) | into a topic, and out of it |
//! | [`log`] | what a source emitted, written down and replayed to the same bits |
//! | [`pace`] | when a sample is due |
//!
//! Values are `[sample][channel]` in µV, or in the channel's own unit where that is no voltage.

pub mod device;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod log;
pub mod pace;
mod part;
pub mod recording;
pub mod replay;
pub mod synthetic;
