//! A file that only ever holds whole records, and the names of files.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use neuraflow_core::model::StreamHeader;
use neuraflow_core::sink::SinkError;

pub(super) fn io_error(sink: &str, action: &'static str, target: &Path, source: io::Error) -> SinkError {
    SinkError::Io { sink: sink.into(), action, target: target.display().to_string(), source }
}

/// Refuses what is there and no regular file: to open a pipe could block for ever, and no device can be cut or made durable.
fn regular(sink: &str, path: &Path) -> Result<(), SinkError> {
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            let why = "it is not a regular file; remove it or choose another place";
            Err(io_error(sink, "create", path, io::Error::new(io::ErrorKind::InvalidInput, why)))
        }
        _ => Ok(()), // where there is nothing, or nothing to be seen, creating it says what is wrong
    }
}

/// Appends whole records. What a failed write left behind of one is cut off again.
#[derive(Debug)]
pub(super) struct Records {
    sink: &'static str,
    file: File,
    path: PathBuf,
    whole: u64,
}

impl Records {
    /// A new file; one that is there is replaced.
    pub(super) fn create(sink: &'static str, path: PathBuf) -> Result<Self, SinkError> {
        regular(sink, &path)?;
        match File::create(&path) {
            Ok(file) => Ok(Self { sink, file, path, whole: 0 }),
            Err(error) => Err(io_error(sink, "create", &path, error)),
        }
    }

    pub(super) fn append(&mut self, records: &[u8]) -> Result<(), SinkError> {
        if let Err(error) = self.file.write_all(records) {
            // The write is what failed; that the rest could not be cut off would not help anyone.
            let _ = self.file.set_len(self.whole).and_then(|()| self.file.seek(SeekFrom::Start(self.whole)));
            return Err(io_error(self.sink, "write", &self.path, error));
        }
        self.whole += records.len() as u64;
        Ok(())
    }

    /// Writes over bytes that are there.
    pub(super) fn overwrite(&mut self, at: u64, bytes: &[u8]) -> Result<(), SinkError> {
        let written = self
            .file
            .seek(SeekFrom::Start(at))
            .and_then(|_| self.file.write_all(bytes))
            .and_then(|()| self.file.seek(SeekFrom::Start(self.whole)));
        written.map(drop).map_err(|error| io_error(self.sink, "write", &self.path, error))
    }

    pub(super) fn finish(&mut self) -> Result<(), SinkError> {
        self.file.sync_all().map_err(|error| io_error(self.sink, "flush", &self.path, error))
    }
}

/// Where files go: into a directory under the names of their streams, or one stream into one named file.
#[derive(Clone, Debug)]
pub(super) struct Target {
    path: PathBuf,
    single: bool,
}

impl Target {
    /// `path` names a file if it ends with `.extension`, else a directory, which is made if it is missing.
    pub(super) fn new(sink: &'static str, path: &Path, extension: &str) -> Result<Self, SinkError> {
        let single =
            path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension)) && !path.is_dir();
        if single {
            regular(sink, path)?;
        } else {
            fs::create_dir_all(path).map_err(|error| io_error(sink, "create directory", path, error))?;
        }
        Ok(Self { path: path.to_owned(), single })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where a stream's files go. Refuses a second stream (`known` were asked for before) where one file was named.
    pub(super) fn place(
        &self,
        sink: &'static str,
        stream: &StreamHeader,
        known: usize,
    ) -> Result<Place, SinkError> {
        if !self.single {
            let hash = stream.key.stable_hash() >> 32;
            let stem = self.path.join(format!("{}-{hash:08x}", safe(&stream.name)));
            return Ok(Place { stem, named: None });
        }
        if known > 0 {
            return Err(SinkError::Layout {
                sink: sink.into(),
                what: "streams",
                expected: format!("one in {}; name a directory to get a file for each", self.path.display()),
                found: format!("another, {}", stream.name),
            });
        }
        Ok(Place { stem: self.path.with_extension(""), named: Some(self.path.clone()) })
    }
}

/// Where a stream's files go: under its name made safe and eight digits of its key's hash, so that two sessions of a
/// device never share a file, or where the user said.
#[derive(Debug)]
pub(super) struct Place {
    stem: PathBuf,
    named: Option<PathBuf>,
}

impl Place {
    /// The file with the data: the one that the user named, if so.
    pub(super) fn data(&self, suffix: &str) -> PathBuf {
        self.named.clone().unwrap_or_else(|| self.beside(suffix))
    }

    /// A file beside it.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.stem.clone().into_os_string();
        name.push(suffix);
        name.into()
    }
}

/// A name that every file system takes: letters, digits, `.`, `-` and `_`; at most 40 of them.
fn safe(name: &str) -> String {
    let keep = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = name.chars().take(40).map(keep).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "stream".into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe() {
        assert_eq!(safe("../etc/passwd"), "_etc_passwd");
        assert_eq!(safe("EEG 64 µ"), "EEG_64_µ");
        assert_eq!(safe(""), "stream");
        assert_eq!(safe(&"x".repeat(500)).len(), 40);
    }
}
