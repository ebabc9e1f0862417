//! Items as a pipeline hands them to its sinks. Not every test uses all of it.
#![allow(dead_code)]

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, FeatureSpec, Features, SamplingRate, StreamHeader, StreamKey, Timestamp, WindowInfo,
    WindowStatus,
};

/// A stream at 250 Hz of the session `session`.
pub fn header(device: &str, channels: Vec<Channel>) -> Arc<StreamHeader> {
    let (key, rate) = (StreamKey::of_names("session", device), SamplingRate::hz(250).unwrap());
    Arc::new(StreamHeader::new(key, device, rate, channels))
}

/// Its complete window of 50 ms with this number.
pub fn info(stream: Arc<StreamHeader>, index: i64) -> WindowInfo {
    let time = |index| Timestamp::from_nanos(index * 50_000_000);
    WindowInfo {
        stream,
        index,
        start: time(index),
        end: time(index + 1),
        expected: 12,
        received: 12,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: false,
        arrival: 0,
        marker: None,
    }
}

/// A row for each channel of the window's stream.
pub fn features(info: WindowInfo, columns: &[&str], values: Vec<f64>) -> Features {
    let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let rows = names(info.stream.channels.iter().map(Channel::name).collect());
    let spec = FeatureSpec { rows, columns: names(columns.to_vec()), unit: "µV²".into() };
    Features { info, spec: Arc::new(spec), values }
}
