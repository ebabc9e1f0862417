//! What the report's unit tests share.

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, SamplingRate, Span, StreamHeader, StreamKey, Timestamp, WindowInfo, WindowStatus,
};

/// The 50 ms window number `index` of a stream that begins at the epoch.
pub(super) fn info(index: i64, status: WindowStatus) -> WindowInfo {
    let rate = SamplingRate::hz(200).unwrap();
    let key = StreamKey::of_names("session", "device");
    let start = Timestamp::from_nanos(index.saturating_mul(50_000_000));
    WindowInfo {
        stream: Arc::new(StreamHeader::new(key, "device", rate, vec![Channel::new("Cz")])),
        index,
        start,
        end: start + Span::millis(50),
        expected: 10,
        received: 10,
        imputed: 0,
        status,
        warm_up: false,
        arrival: 0,
        marker: None,
    }
}
