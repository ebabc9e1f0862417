//! Sources of NeuraFlow: recordings, replay, synthetic headsets, device handles.

pub mod recording;
pub mod replay;
