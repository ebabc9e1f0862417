//! A spike, and those of a window.

use std::sync::Arc;

use neuraflow_core::model::{Span, Timestamp, WindowInfo};
use neuraflow_core::operator::{Item, WindowItem};
use serde::{Deserialize, Serialize};

/// A crossing of the threshold, and the trough behind it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spike {
    /// Its channel's place among those that have a name in [`Spikes::channels`].
    pub channel: usize,
    /// The first sample beyond the threshold, counted from the stream's start.
    pub crossing: u64,
    /// Where the trough is, in samples from the stream's start, between two of them by a parabola through three.
    pub trough: f64,
    /// How deep it is there, in µV.
    pub microvolts: f64,
}

/// The spikes whose waveform is complete by the end of a window, in the order in which they were; of the same instant the lowest channel
/// first. A spike at the end of a window comes with the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spikes {
    /// The window.
    pub info: WindowInfo,
    /// Names of the channels.
    pub channels: Arc<[String]>,
    /// The spikes.
    pub spikes: Vec<Spike>,
}

impl Spikes {
    /// When a spike's trough was.
    pub fn time_of(&self, spike: &Spike) -> Timestamp {
        let seconds = spike.trough / self.info.stream.rate.as_hz();
        self.info.stream.t0 + Span::from_secs_f64(seconds).unwrap_or_default()
    }
}

impl Item for Spikes {
    /// Names of the channels.
    type Spec = Arc<[String]>;

    fn info(&self) -> Option<&WindowInfo> {
        Some(&self.info)
    }
}

impl WindowItem for Spikes {
    fn blank(info: WindowInfo, spec: &Arc<[String]>) -> Self {
        Self { info, channels: Arc::clone(spec), spikes: Vec::new() }
    }

    fn reshape(&mut self, spec: &Arc<[String]>) {
        if !Arc::ptr_eq(&self.channels, spec) {
            self.channels = Arc::clone(spec);
        }
    }

    fn begin(&mut self, info: &WindowInfo) {
        self.info.clone_from(info);
        self.spikes.clear();
    }
}
