//! A device in the host's own process: the host pushes what it reads from its driver, the pipeline takes it.

mod error;
mod handle;
mod queue;
mod reader;
mod shared;

use std::sync::Arc;

use neuraflow_core::model::Span;
use neuraflow_core::sink::Overflow;

pub use error::{PushError, Pushed};
pub use handle::{DeviceHandle, PushFuture};
pub use queue::DeviceStats;
pub use reader::DeviceSource;

use queue::Queue;
use shared::Shared;

/// How a device is coupled to the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceConfig {
    /// Samples of all streams that may wait for the pipeline; a sample of all channels counts once.
    pub capacity: usize,
    /// What happens to samples beyond that. Opens, markers and ends are never dropped.
    pub overflow: Overflow,
    /// A stream without samples for longer than this, on the pipeline's clock, is reported silent, once until it
    /// is heard again. `None` never reports.
    pub stale_after: Option<Span>,
}

impl Default for DeviceConfig {
    /// 16,384 samples; pushes wait for room; silence is not reported.
    fn default() -> Self {
        Self { capacity: 16_384, overflow: Overflow::Block, stale_after: None }
    }
}

/// A device and the source that a pipeline reads it from.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::model::{Channel, PacketBody, SamplingRate, StreamHeader, StreamKey};
/// use neuraflow_core::testing::{FakeClock, collect_packets};
/// use neuraflow_sources::device::{self, DeviceConfig};
///
/// let (handle, source) = device::channel(DeviceConfig::default());
/// let driver = std::thread::spawn(move || {
///     let key = StreamKey::of_names("monday", "headset");
///     let channels = vec![Channel::new("C3"), Channel::new("C4")];
///     handle.open(StreamHeader::new(key, "headset", SamplingRate::hz(250)?, channels))?;
///     handle.push(&key, 0, &[1.0, -1.0, 2.0, -2.0])?; // two samples of two channels, in µV
///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()) // the handle is dropped: the stream ends
/// });
/// let packets = collect_packets(&source, &Arc::new(FakeClock::new()))?;
/// assert_eq!(packets.len(), 3);
/// assert_eq!(packets[2].1.body, PacketBody::End { next: Some(2) });
/// # driver.join().unwrap().unwrap();
/// # Ok::<(), neuraflow_core::source::SourceError>(())
/// ```
pub fn channel(config: DeviceConfig) -> (DeviceHandle, DeviceSource) {
    let shared = Arc::new(Shared::new(Queue::new(config.capacity as u64, config.overflow)));
    (DeviceHandle::new(Arc::clone(&shared)), DeviceSource::new(shared, config))
}
