//! Whole windows of any values, for tests of what looks at samples.
#![allow(dead_code, unreachable_pub, reason = "shared by the test binaries, each its own crate")]

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, SamplingRate, StreamHeader, StreamKey, Timestamp, Window, WindowInfo, WindowStatus,
};
use neuraflow_core::operator::{Missing, SignalSpec, WindowSpec};

/// A whole window number `index` of sample-major values `[sample][channel]`, and the spec of windows like it.
pub fn window(channels: &[Channel], hz: u64, index: u64, values: &[f32]) -> (WindowSpec, Window) {
    let (rate, samples) = (SamplingRate::hz(hz).unwrap(), (values.len() / channels.len()) as u64);
    let hop = rate.offset(samples);
    let key = StreamKey::of_names("session", "headset");
    let stream = Arc::new(StreamHeader::new(key, "headset", rate, channels.to_vec()));
    let mut chunk = Chunk::new(index * samples, channels.len());
    chunk.extend(values);
    let info = WindowInfo {
        stream,
        index: index as i64,
        start: Timestamp::EPOCH + rate.offset(index * samples),
        end: Timestamp::EPOCH + rate.offset((index + 1) * samples),
        expected: samples as u32,
        received: samples as u32,
        imputed: 0,
        status: WindowStatus::Complete,
        warm_up: false,
        arrival: 0,
        marker: None,
    };
    let signal = SignalSpec { channels: channels.into(), rate, missing: Missing::Restart };
    (WindowSpec { signal, hop }, Window { info, samples: chunk })
}
