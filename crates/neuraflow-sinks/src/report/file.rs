//! The file: begun beside its place when the run begins, moved there whole when it ends.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use neuraflow_core::sink::SinkError;

pub(super) fn io_error(action: &'static str, target: &Path, source: io::Error) -> SinkError {
    SinkError::Io { sink: "report".into(), action, target: target.display().to_string(), source }
}

/// A file that is not there yet. What was at its path stays until it is.
#[derive(Debug)]
pub(super) struct Pending {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    done: bool,
}

impl Pending {
    /// Begins it, so that a path that cannot be written is known before the run and not after it.
    pub(super) fn create(path: &Path) -> Result<Self, SinkError> {
        let refuse = |kind, why: &str| Err(io_error("create", path, io::Error::new(kind, why)));
        if path.is_dir() {
            return refuse(
                io::ErrorKind::IsADirectory,
                "it is a directory; name a file, such as report.html",
            );
        }
        // The report is moved to its place, and would take that of a device or a pipe.
        if path.exists() && !path.is_file() {
            return refuse(
                io::ErrorKind::InvalidInput,
                "it is not a regular file but a device, a pipe or a socket; name one, such as report.html",
            );
        }
        let Some(name) = path.file_name() else {
            return refuse(io::ErrorKind::InvalidInput, "it names no file; name one, such as report.html");
        };
        let mut partial = name.to_owned();
        partial.push(".partial");
        let partial = path.with_file_name(partial);
        match File::create(&partial) {
            Ok(file) => Ok(Self { path: path.to_owned(), partial, file, done: false }),
            Err(error) => Err(io_error("create", &partial, error)),
        }
    }

    /// Writes all of it, makes it durable, and moves it to its place.
    pub(super) fn finish(mut self, contents: &str) -> Result<(), SinkError> {
        self.file
            .write_all(contents.as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(|error| io_error("write", &self.partial, error))?;
        fs::rename(&self.partial, &self.path).map_err(|error| io_error("rename to", &self.path, error))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            // Nothing of ours stays behind; that it could not be removed would help no one here.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_keeps_its_place() {
        let path = std::env::temp_dir().join(format!("neuraflow-report-{}.socket", std::process::id()));
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = Pending::create(&path).unwrap_err().to_string();
        drop(socket);
        assert!(!path.is_file() && path.exists());
        fs::remove_file(&path).unwrap();
        assert!(error.contains("not a regular file but a device"), "{error}");
    }
}
