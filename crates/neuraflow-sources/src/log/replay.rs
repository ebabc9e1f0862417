//! Replaying a log: the same packets in the same order, with the arrivals that were recorded.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{PacketBody, Positions, StreamHeader};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::format::{self, HEADER, Step};
use super::record::io_error;

/// What positions call the bytes of the log that were replayed.
const BYTES: &str = "log bytes";

/// A log of packets, replayed as fast as the pipeline takes it. Read by worker 0. From a checkpoint it goes on with the next
/// packet; its position is a place in the file.
///
/// ```
/// use std::sync::Arc;
/// use neuraflow_core::model::SamplingRate;
/// use neuraflow_core::testing::{FakeClock, collect_packets};
/// use neuraflow_sources::{log::PacketLog, synthetic::Synthetic};
///
/// let path = std::env::temp_dir().join(format!("neuraflow-doc-{}.nflog", std::process::id()));
/// let live = PacketLog::record(Synthetic::new(2, SamplingRate::hz(250)?).seconds(1.0), &path)?;
/// let seen = collect_packets(&live, &Arc::new(FakeClock::new()))?;
///
/// let log = PacketLog::open(&path)?;
/// assert_eq!((log.packets() as usize, log.torn()), (seen.len(), None));
/// assert_eq!(collect_packets(&log, &Arc::new(FakeClock::new()))?, seen);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PacketLog {
    path: PathBuf,
    streams: Vec<StreamHeader>,
    /// Every opening of a stream: where its packet ends, and the header.
    openings: Vec<(u64, StreamHeader)>,
    packets: u64,
    /// Where the last whole packet ends.
    end: u64,
    torn: Option<Torn>,
}

/// The end of a log that was cut off while it was written (a crash, a full disk). The replay ends before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where the first bytes that are not replayed lie.
    pub offset: u64,
    /// How many bytes are not replayed: a part of one packet, unless the file system lost more.
    pub bytes: u64,
    /// What is wrong there.
    pub reason: &'static str,
}

impl PacketLog {
    /// Opens a log and checks all of it. A torn end is left out and reported by [`torn`](Self::torn); damage that
    /// is followed by whole packets is an error, since a replay without them would not be the run that was recorded.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let path = path.as_ref().to_owned();
        let read = |error| io_error("read", &path, error);
        let file = File::open(&path).map_err(|error| io_error("open", &path, error))?;
        let length = file.metadata().map_err(read)?.len();
        let mut file = BufReader::new(file);
        let mut buffer = Vec::new();
        file.by_ref().take(HEADER as u64).read_to_end(&mut buffer).map_err(read)?;
        format::check_header(&buffer)
            .map_err(|(field, expected, found)| malformed(&path, field.into(), expected, found))?;
        let (mut streams, mut packets, mut end) = (Vec::<StreamHeader>::new(), 0, HEADER as u64);
        let mut openings = Vec::new();
        let torn = loop {
            match format::next(&mut file, &mut buffer).map_err(read)? {
                Step::Packet(_, packet, bytes) => {
                    (packets, end) = (packets + 1, end + bytes);
                    if let PacketBody::Open(header) = packet.body {
                        if streams.iter().all(|known| known.key != header.key) {
                            streams.push((*header).clone());
                        }
                        openings.push((end, *header));
                    }
                }
                Step::End => break None,
                Step::Broken(reason, size) => {
                    let whole_after = size.is_some()
                        && matches!(format::next(&mut file, &mut buffer).map_err(read)?, Step::Packet(..));
                    if whole_after {
                        return Err(malformed(
                            &path,
                            format!("record {packets} at byte {end}"),
                            "an undamaged packet; restore the file from a copy".into(),
                            reason.into(),
                        ));
                    }
                    break Some(Torn { offset: end, bytes: length.saturating_sub(end), reason });
                }
            }
        };
        Ok(Self { path, streams, openings, packets, end, torn })
    }

    /// Packets that will be replayed.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// What is left out at the end of the file, if it was cut off.
    pub fn torn(&self) -> Option<&Torn> {
        self.torn.as_ref()
    }
}

fn malformed(path: &Path, field: String, expected: String, found: String) -> SourceError {
    SourceError::Malformed { target: path.display().to_string(), field, expected, found }
}

impl Source for PacketLog {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.streams.clone()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        if context.worker != 0 {
            return Ok(None);
        }
        let at = context.from.as_ref().and_then(|from| from.get(BYTES));
        let at = at.unwrap_or(HEADER as u64);
        if !(HEADER as u64..=self.end).contains(&at) {
            return Err(malformed(
                &self.path,
                "position".into(),
                format!(
                    "from {HEADER} to {}, where its packets are; go on with the log that was read",
                    self.end
                ),
                at.to_string(),
            ));
        }
        let opened = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(at))?;
            Ok(file)
        });
        let file = BufReader::new(opened.map_err(|error| io_error("open", &self.path, error))?);
        let resumed =
            self.openings.iter().take_while(|(end, _)| *end <= at).map(|(_, header)| header.clone());
        let (path, resumed) = (self.path.clone(), resumed.collect());
        Ok(Some(Box::new(Reader { file, path, at, end: self.end, resumed, buffer: Vec::new() })))
    }
}

struct Reader {
    file: BufReader<File>,
    path: PathBuf,
    /// Where the next packet begins, and where the last one ends.
    at: u64,
    end: u64,
    /// Streams that were opened before, until the first poll.
    resumed: Vec<StreamHeader>,
    buffer: Vec<u8>,
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let now = out.arrival();
        for header in self.resumed.drain(..) {
            out.resume(header);
        }
        let mut spent = 0;
        while self.at < self.end && spent < budget.max(1) {
            match format::next(&mut self.file, &mut self.buffer)
                .map_err(|error| io_error("read", &self.path, error))?
            {
                Step::Packet(arrival, packet, bytes) => {
                    spent += match &packet.body {
                        PacketBody::Samples { values, .. } => values.len().max(1),
                        _ => 1,
                    };
                    out.set_arrival(arrival);
                    out.packet(packet);
                    self.at += bytes;
                }
                Step::End | Step::Broken(..) => {
                    return Err(malformed(
                        &self.path,
                        "records".into(),
                        "the packets that were there when it was opened; do not change a log in use".into(),
                        format!("none at byte {}", self.at),
                    ));
                }
            }
        }
        out.set_arrival(now);
        Ok(if self.at >= self.end { Polled::Ended } else { Polled::Ready })
    }

    fn positions(&self) -> Option<Positions> {
        let mut positions = Positions::default();
        positions.set(BYTES, self.at);
        Some(positions)
    }
}
