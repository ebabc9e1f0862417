//! The hello: who a process is, and what it would run. Both ends say it, and both ends judge it.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::error::ClusterError;
use super::wire;
use crate::checkpoint::Fingerprint;

/// What every version of this library begins with, then its version, so that two versions can tell that they differ.
const MARKER: [u8; 8] = *b"\x89NFCL\r\n\x1a";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Purpose {
    /// What processes tell each other.
    Control,
    /// Timely's.
    Data,
}

/// Who a process is, and what it would run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub(super) process: usize,
    pub(super) processes: usize,
    pub(super) workers: usize,
    pub(super) fingerprint: Fingerprint,
    /// Tells a process from an earlier one of the same number.
    pub(super) life: u64,
}

/// What came in answer.
pub(super) enum Answer {
    Hello {
        purpose: Purpose,
        hello: Hello,
    },
    /// It speaks another version of this library.
    Version(String),
    /// Whoever it is does not belong to a cluster.
    Stranger,
}

impl Hello {
    pub(super) fn say(&self, purpose: Purpose, to: &mut impl Write) -> io::Result<()> {
        self.say_as(VERSION, purpose, to)
    }

    fn say_as(&self, version: &str, purpose: Purpose, to: &mut impl Write) -> io::Result<()> {
        let mut bytes = MARKER.to_vec();
        let version = &version.as_bytes()[..version.len().min(255)];
        bytes.push(version.len() as u8);
        bytes.extend_from_slice(version);
        wire::put(&(purpose, self), &mut bytes)?;
        to.write_all(&bytes)
    }

    /// In what the other process differs, if it must not: what, what is expected and what is found.
    fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let numbers = [
            ("this many processes:", self.processes, other.processes),
            ("this many workers in each process:", self.workers, other.workers),
        ];
        if let Some((what, here, there)) = numbers.into_iter().find(|(_, here, there)| here != there) {
            return Some((what, here.to_string(), there.to_string()));
        }
        let difference = self.fingerprint.first_difference(&other.fingerprint)?;
        let line =
            |line: Option<String>| line.map_or("its end".to_owned(), |line| format!("\"{}\"", line.trim()));
        Some(("a pipeline with", line(difference.expected), line(difference.found)))
    }

    /// Whether the process at `address`, which should be number `process`, belongs here.
    pub(super) fn judge(
        &self,
        process: usize,
        address: &str,
        answer: Answer,
    ) -> Result<(Purpose, Self), ClusterError> {
        let mismatch = |what, expected, found| {
            Err(ClusterError::Mismatch { process, address: address.to_owned(), what, expected, found })
        };
        match answer {
            Answer::Stranger => Err(ClusterError::Stranger { process, address: address.to_owned() }),
            Answer::Version(found) => mismatch("version", VERSION.to_owned(), found),
            Answer::Hello { hello, .. } if hello.process != process => {
                mismatch("process number", process.to_string(), hello.process.to_string())
            }
            Answer::Hello { purpose, hello } => match self.difference(&hello) {
                Some((what, expected, found)) => mismatch(what, expected, found),
                None => Ok((purpose, hello)),
            },
        }
    }
}

/// Hears who is there.
pub(super) fn hear(from: &mut impl Read) -> io::Result<Answer> {
    let mut marker = [0; MARKER.len() + 1];
    from.read_exact(&mut marker)?;
    if !marker.starts_with(&MARKER) {
        return Ok(Answer::Stranger);
    }
    let mut version = vec![0; usize::from(marker[MARKER.len()])];
    from.read_exact(&mut version)?;
    let version = String::from_utf8_lossy(&version).into_owned();
    if version != VERSION {
        return Ok(Answer::Version(version));
    }
    let (purpose, hello) = wire::receive(from)?;
    Ok(Answer::Hello { purpose, hello })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(process: usize, workers: usize, stage: &str) -> Hello {
        let fingerprint = Fingerprint::new(["source tape", stage]);
        Hello { process, processes: 2, workers, fingerprint, life: 1 }
    }

    fn heard(bytes: &[u8]) -> Answer {
        hear(&mut &bytes[..]).unwrap()
    }

    fn said(hello: &Hello, version: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        hello.say_as(version, Purpose::Control, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn equals_belong_together() {
        let (here, there) = (hello(0, 1, "rms"), hello(1, 1, "rms"));
        let (purpose, heard) = here.judge(1, "b", heard(&said(&there, VERSION))).unwrap();
        assert_eq!((purpose, heard.process), (Purpose::Control, 1));
    }

    #[test]
    fn whoever_differs_is_told_in_what() {
        let here = hello(0, 1, "rms");
        let judged = |answer| here.judge(1, "b", answer).unwrap_err().to_string();
        let beginning = "process 1 at b: expected";
        for (answer, reason) in [
            (said(&hello(1, 1, "mean"), VERSION), "a pipeline with \"rms\", found \"mean\""),
            (said(&hello(1, 2, "rms"), VERSION), "this many workers in each process: 1, found 2"),
            (said(&hello(2, 1, "rms"), VERSION), "process number 1, found 2"),
            (said(&hello(1, 1, "rms"), "0.0.9"), "version 0.1.0, found 0.0.9"),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "a process of this cluster, found something else"),
        ] {
            let said = judged(heard(&answer));
            assert!(said.starts_with(&format!("{beginning} {reason}")), "{said}");
        }
    }

    #[test]
    fn half_a_hello_is_an_error() {
        let whole = said(&hello(1, 1, "rms"), VERSION);
        for length in 0..whole.len() {
            assert!(hear(&mut &whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}
