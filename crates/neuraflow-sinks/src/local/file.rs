//! A file that only ever holds whole records, and the names of files.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
#[cfg(unix)]
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use neuraflow_core::model::StreamHeader;
use neuraflow_core::sink::SinkError;

pub(super) fn io_error(sink: &str, action: &'static str, target: &Path, source: io::Error) -> SinkError {
    SinkError::Io { sink: sink.into(), action, target: target.display().to_string(), source }
}

/// Refuses a pipe: to open one blocks until somebody reads from it, which may be never.
fn no_pipe(sink: &str, path: &Path) -> Result<(), SinkError> {
    #[cfg(unix)]
    if fs::metadata(path).is_ok_and(|about| about.file_type().is_fifo()) {
        let why = "it is a pipe and not a regular file; remove it or choose another place";
        return Err(io_error(sink, "create", path, io::Error::new(io::ErrorKind::InvalidInput, why)));
    }
    Ok(())
}

/// The most files that a sink has open at a time. A process may have 1024 on many systems, and a sink is not alone in it.
const MOST_OPEN: usize = 256;

/// The open files of a sink. Streams come and go, and there may be more of them than a process may have files open: the
/// file that was not written to for the longest time is closed for another, and opened again when it is needed.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    /// By number, with the time of the last use.
    files: BTreeMap<u64, (File, u64)>,
    next: u64,
    uses: u64,
}

impl OpenFiles {
    /// The file with this number; `open` opens it if it is not.
    fn file(&mut self, number: u64, open: impl FnOnce() -> io::Result<File>) -> io::Result<&mut File> {
        if !self.files.contains_key(&number) && self.files.len() >= MOST_OPEN {
            let oldest = self.files.iter().min_by_key(|(_, (_, used))| *used).map(|(number, _)| *number);
            oldest.and_then(|oldest| self.files.remove(&oldest));
        }
        self.uses += 1;
        let (file, used) = match self.files.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert((open()?, 0)),
        };
        *used = self.uses;
        Ok(file)
    }
}

/// Appends whole records. What a failed write left behind of one is cut off again.
#[derive(Debug)]
pub(super) struct Records {
    sink: &'static str,
    /// Among the open files.
    number: u64,
    path: PathBuf,
    whole: u64,
    /// Whether something was written since it was made durable.
    dirty: bool,
}

impl Records {
    /// A new file; one that is there is replaced.
    pub(super) fn create(sink: &'static str, path: PathBuf, open: &mut OpenFiles) -> Result<Self, SinkError> {
        no_pipe(sink, &path)?;
        let number = open.next;
        open.next += 1;
        match open.file(number, || File::create(&path)) {
            Ok(_) => Ok(Self { sink, number, path, whole: 0, dirty: true }),
            Err(error) => Err(io_error(sink, "create", &path, error)),
        }
    }

    /// A file that holds whole records of `whole` bytes, and nothing else.
    pub(super) fn resume(sink: &'static str, path: PathBuf, whole: u64, open: &mut OpenFiles) -> Self {
        let number = open.next;
        open.next += 1;
        Self { sink, number, path, whole, dirty: false }
    }

    pub(super) fn sink(&self) -> &'static str {
        self.sink
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its first bytes: `count` of them, or all if there are fewer.
    pub(super) fn read(&self, count: usize) -> Result<Vec<u8>, SinkError> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(count as u64).read_to_end(&mut bytes))
            .map_err(|error| io_error(self.sink, "read", &self.path, error))?;
        Ok(bytes)
    }

    /// Bytes of whole records.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// The file, its end where the next record goes.
    fn file<'a>(&self, open: &'a mut OpenFiles) -> Result<&'a mut File, SinkError> {
        let again = || {
            let mut file = OpenOptions::new().write(true).open(&self.path)?;
            file.seek(SeekFrom::Start(self.whole))?;
            Ok(file)
        };
        open.file(self.number, again).map_err(|error| io_error(self.sink, "open again", &self.path, error))
    }

    pub(super) fn append(&mut self, records: &[u8], open: &mut OpenFiles) -> Result<(), SinkError> {
        self.dirty = true;
        let file = self.file(open)?;
        if let Err(error) = file.write_all(records) {
            // The write is what failed; that the rest could not be cut off would not help anyone.
            let _ = file.set_len(self.whole).and_then(|()| file.seek(SeekFrom::Start(self.whole)));
            return Err(io_error(self.sink, "write", &self.path, error));
        }
        self.whole += records.len() as u64;
        Ok(())
    }

    /// Writes over bytes that are there.
    pub(super) fn overwrite(&mut self, at: u64, bytes: &[u8], open: &mut OpenFiles) -> Result<(), SinkError> {
        self.dirty = true;
        let file = self.file(open)?;
        let written = file
            .seek(SeekFrom::Start(at))
            .and_then(|_| file.write_all(bytes))
            .and_then(|()| file.seek(SeekFrom::Start(self.whole)));
        written.map(drop).map_err(|error| io_error(self.sink, "write", &self.path, error))
    }

    /// Makes it durable, also what was written before the file was closed for another.
    pub(super) fn sync(&mut self, open: &mut OpenFiles) -> Result<(), SinkError> {
        if self.dirty {
            let synced = self.file(open)?.sync_all();
            synced.map_err(|error| io_error(self.sink, "flush", &self.path, error))?;
            self.dirty = false;
        }
        Ok(())
    }

    /// Makes it durable and closes it.
    pub(super) fn finish(&mut self, open: &mut OpenFiles) -> Result<(), SinkError> {
        let synced = self.sync(open);
        open.files.remove(&self.number);
        synced
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
            no_pipe(sink, path)?;
        } else {
            fs::create_dir_all(path).map_err(|error| io_error(sink, "create directory", path, error))?;
        }
        Ok(Self { path: path.to_owned(), single })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that the files are in.
    pub(super) fn directory(&self) -> PathBuf {
        match self.path.parent() {
            _ if !self.single => self.path.clone(),
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        }
    }

    /// Whether `name` is one that a file of some stream could have here, if its files end with these.
    pub(super) fn owns(&self, name: &str, suffixes: &[&str]) -> bool {
        if !self.single {
            let plain = Path::new(name).file_name().is_some_and(|plain| plain == name);
            return plain && suffixes.iter().any(|suffix| name.ends_with(suffix));
        }
        let place = Place { stem: self.path.with_extension(""), named: None };
        let beside = suffixes.iter().map(|suffix| place.beside(suffix));
        beside.chain([self.path.clone()]).any(|path| path.file_name().is_some_and(|own| own == name))
    }

    /// Whether all goes into one named file.
    pub(super) fn is_single(&self) -> bool {
        self.single
    }

    /// Where a stream's files go.
    pub(super) fn place(&self, stream: &StreamHeader) -> Place {
        if self.single {
            return Place { stem: self.path.with_extension(""), named: Some(self.path.clone()) };
        }
        let hash = stream.key.stable_hash() >> 32;
        Place { stem: self.path.join(format!("{}-{hash:08x}", safe(&stream.name))), named: None }
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

    #[test]
    fn only_names_that_a_sink_would_give_are_its_own() {
        let folder = Target { path: "results".into(), single: false };
        let named = Target { path: "results/run.npy".into(), single: true };
        let suffixes = [".npy", ".windows.csv"];
        assert!(folder.owns("headset-0-12345678.npy", &suffixes) && !folder.owns("notes.txt", &suffixes));
        assert!(!folder.owns("../run.npy", &suffixes) && !folder.owns("a/run.npy", &suffixes));
        assert!(named.owns("run.npy", &suffixes) && named.owns("run.windows.csv", &suffixes));
        assert!(!named.owns("other.npy", &suffixes) && !named.owns("other.windows.csv", &suffixes));
        assert_eq!(Target { path: "run.npy".into(), single: true }.directory(), Path::new("."));
    }
}
