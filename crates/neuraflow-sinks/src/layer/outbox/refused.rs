//! What the sink behind refuses for good: kept beside the log, within a bound.

use std::io;
use std::path::Path;

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::log::Log;
use super::options;
use super::reader::Reader;

/// The folder it is kept in, and in files of what size.
const FOLDER: &str = "refused";
const SEGMENT: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Refused {
    log: Log,
    max_bytes: u64,
}

impl Refused {
    pub(super) fn open(dir: &Path, max_bytes: u64) -> io::Result<Self> {
        Ok(Self { log: Log::open(&dir.join(FOLDER), SEGMENT, None)?, max_bytes })
    }

    /// Keeps items, durably.
    pub(super) fn keep<T: Serialize>(&mut self, items: &[T]) -> io::Result<()> {
        let payloads: Vec<Vec<u8>> = items.iter().filter_map(|item| options().serialize(item).ok()).collect();
        self.keep_bytes(&payloads)
    }

    /// The same, of what is written down already. Nothing is thrown away to make room: an error says that there is none.
    pub(super) fn keep_bytes(&mut self, payloads: &[Vec<u8>]) -> io::Result<()> {
        let more = payloads.iter().map(|payload| payload.len() as u64).sum::<u64>();
        let kept = self.log.end() - self.log.passed();
        if kept > 0 && kept + more > self.max_bytes {
            let what = format!(
                "{kept} bytes are kept already, of {} at most; end the run, read them with Outbox::refused, and remove the folder `{FOLDER}`",
                self.max_bytes
            );
            return Err(io::Error::new(io::ErrorKind::StorageFull, what));
        }
        self.log.append(payloads.iter().map(Vec::as_slice))?;
        self.log.sync()
    }

    /// All that is kept beside the log in `dir`, the oldest first.
    pub(super) fn read<T: DeserializeOwned>(dir: &Path) -> io::Result<Vec<T>> {
        let mut log = Log::open(&dir.join(FOLDER), SEGMENT, None)?;
        let (mut reader, mut items) = (Reader::new(0), Vec::new());
        while reader.fill(&mut log, &mut 0)? {
            while let Some((payload, _)) = reader.next(&mut 0) {
                items.extend(options().deserialize::<T>(payload));
            }
        }
        Ok(items)
    }
}
