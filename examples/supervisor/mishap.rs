//! A bug on purpose.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::thread;

use neuraflow::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow::operator::{OperatorError, SignalSpec};
use neuraflow::prelude::*;

#[derive(Clone, Copy)]
pub enum Kind {
    Hang,
    Panic,
}

/// An operator that passes the signal on, but for a mishap on purpose, once: a file says that it has been.
#[derive(Clone)]
pub struct Mishap {
    kind: Kind,
    seconds: Option<f64>,
    marker: PathBuf,
    /// The first sample that it happens at.
    at: u64,
}

impl Mishap {
    pub fn new(seconds: Option<f64>, marker: &Path, kind: Kind) -> Self {
        Self { kind, seconds, marker: marker.to_owned(), at: u64::MAX }
    }

    /// Whether this is the first time, in any process.
    fn is_first(&self) -> bool {
        OpenOptions::new().write(true).create_new(true).open(&self.marker).is_ok()
    }
}

impl Operator for Mishap {
    type In = Chunk;
    type Out = Chunk;

    fn prepare(&mut self, spec: &SignalSpec) -> Result<SignalSpec, OperatorError> {
        self.at = self.seconds.map_or(u64::MAX, |seconds| (seconds * spec.rate.as_hz()) as u64);
        Ok(spec.clone())
    }

    fn process(&mut self, input: &Chunk, output: &mut Chunk) -> Result<(), OperatorError> {
        if input.first() >= self.at && self.is_first() {
            match self.kind {
                Kind::Panic => panic!("a bug, on purpose"),
                Kind::Hang => loop {
                    thread::park(); // for ever
                },
            }
        }
        output.clone_from(input);
        Ok(())
    }

    fn reset(&mut self) {}

    fn latency(&self) -> Latency {
        Latency::default()
    }

    fn snapshot(&self, _: &mut SnapshotWriter) {}

    fn restore(&mut self, _: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        Ok(())
    }
}
