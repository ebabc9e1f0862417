//! Sources of NeuraFlow: recordings, replay, synthetic headsets, device handles.
