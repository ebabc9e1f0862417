//! A device in the host's own process: the host pushes what it reads from its driver, the pipeline takes it.

mod error;
mod handle;
mod journal;
mod offer;
mod queue;
mod reader;
mod shared;
mod source;

use std::path::Path;
use std::sync::{Arc, Weak};

use neuraflow_core::model::Span;
use neuraflow_core::sink::Overflow;
use neuraflow_core::source::SourceError;

pub use error::{PushError, Pushed};
pub use handle::{DeviceHandle, PushFuture};
pub use journal::{JournalConfig, JournalStats};
pub use queue::DeviceStats;
pub use source::DeviceSource;

use journal::{Journal, Keeper};
use queue::Queue;
use shared::Shared;

/// How a device is coupled to the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceConfig {
    /// Samples of all streams that may wait for the pipeline; a sample of all channels counts once.
    pub capacity: usize,
    /// What happens to samples beyond that. Opens, markers, controls and ends are never dropped.
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
    let shared = Arc::new(Shared::new(Queue::new(config.capacity as u64, config.overflow), None));
    (DeviceHandle::new(Arc::clone(&shared)), DeviceSource::new(shared, config, None))
}

/// The same, with a journal in the folder `dir`, so that the end of the process loses nothing that was pushed: a call that
/// accepts something returns once it is written there, and a pipeline that goes on from a checkpoint is given again what the
/// checkpoint does not cover, before anything new.
///
/// | what ends | what may be lost |
/// |---|---|
/// | the process, by `kill -9` too | nothing that a call has accepted |
/// | the machine, by a power failure | what was accepted within [`JournalConfig::fsync`] before it |
///
/// What is given again has the age it has: feedback does not act on it. The streams of the process before are gone on with; a
/// device opens them anew when it is there again. A pipeline without a checkpoint to go on from is given all that the journal holds;
/// remove the folder to begin afresh. Without checkpoints nothing is ever removed from it.
///
/// **When the journal is full**, samples wait or are refused as [`DeviceConfig::overflow`] says, and are counted;
/// under `DropOldest` the newest are refused, since a checkpoint may need the oldest. Opens, markers, controls and ends have some room
/// of their own, and are [`PushError::JournalFull`] beyond it.
///
/// # Errors
/// [`SourceError::Io`] where the folder cannot be used, [`SourceError::Setting`] where another device uses it or a setting makes
/// no sense, [`SourceError::Malformed`] where it is of another version.
///
/// ```
/// use neuraflow_sources::device::{self, DeviceConfig, JournalConfig};
/// # let scratch = neuraflow_core::testing::Scratch::new()?;
/// # let folder = scratch.file("journal");
/// let (handle, source) = device::journaled(DeviceConfig::default(), &folder, JournalConfig::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn journaled(
    config: DeviceConfig,
    dir: impl AsRef<Path>,
    journal: JournalConfig,
) -> Result<(DeviceHandle, DeviceSource), SourceError> {
    let interval = journal.fsync;
    let journal = Arc::new(Journal::open(dir.as_ref(), journal)?);
    let mut queue = Queue::new(config.capacity as u64, config.overflow);
    queue.journaled = journal.writer().end();
    let shared = Arc::new(Shared::new(queue, Some(Arc::clone(&journal))));
    let on = |act: fn(&Shared)| {
        let shared: Weak<Shared> = Arc::downgrade(&shared);
        move || {
            if let Some(shared) = shared.upgrade() {
                act(&shared);
            }
        }
    };
    let made_room = on(|shared| shared.made_room(shared.lock()));
    let keeper = Keeper::start(journal, interval, on(Shared::write_silences), made_room)?;
    let name = dir.as_ref().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let source = DeviceSource::new(Arc::clone(&shared), config, Some((name, Arc::new(keeper))));
    Ok((DeviceHandle::new(shared), source))
}
