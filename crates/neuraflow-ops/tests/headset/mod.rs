//! A window of a headset, for tests of what is computed behind it.
#![allow(unreachable_pub, reason = "shared by the test binaries, each its own crate")]

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, SamplingRate, Span, StreamHeader, StreamKey, Timestamp, WindowInfo, WindowStatus,
};

/// A whole window of 50 ms of a headset with three channels at 160 Hz.
pub fn info() -> WindowInfo {
    let channels = ["C3", "Cz", "C4"].map(Channel::new).to_vec();
    let key = StreamKey::of_names("session", "headset");
    WindowInfo {
        stream: Arc::new(StreamHeader::new(key, "headset", SamplingRate::hz(160).unwrap(), channels)),
        index: 0,
        start: Timestamp::EPOCH,
        end: Timestamp::EPOCH + Span::millis(50),
        expected: 8,
        received: 8,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: false,
        arrival: 0,
        marker: None,
    }
}
