//! How to repeat the run: its command line, its inputs and its settings.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use neuraflow_core::sink::SinkError;
use sha2::{Digest, Sha256};

use super::file::io_error;

/// What the host said about the run.
#[derive(Debug, Default)]
pub(super) struct Repeat {
    pub(super) command: Option<String>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) inputs: Vec<Input>,
}

/// A file that the run read.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl Input {
    pub(super) fn read(path: &Path) -> Result<Self, SinkError> {
        let failed = |action| move |error| io_error(action, path, error);
        let mut file = File::open(path).map_err(failed("open"))?;
        let (mut hash, mut bytes, mut block) = (Sha256::new(), 0, vec![0; 1 << 16]);
        loop {
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(read) => {
                    hash.update(&block[..read]);
                    bytes += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read")(error)),
            }
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { name, bytes, sha256 })
    }
}

/// Arguments as a POSIX shell takes them back, quoted where needed.
pub(super) fn command_line(arguments: impl IntoIterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+%".contains(c);
    let quoted = arguments.into_iter().map(|argument| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_the_command_line_back() {
        let line = |arguments: &[&str]| command_line(arguments.iter().map(|a| (*a).to_owned()));
        assert_eq!(line(&["live", "--bands", "alpha=8-13,beta=13-30"]), "live --bands alpha=8-13,beta=13-30");
        assert_eq!(
            line(&["live", "my file.edf", "", "it's", "$(id)"]),
            r"live 'my file.edf' '' 'it'\''s' '$(id)'"
        );
    }
}
