//! Sources of NeuraFlow: recordings, replay, synthetic headsets, device handles.

pub mod device;
pub mod log;
pub mod pace;
pub mod recording;
pub mod replay;
pub mod synthetic;
