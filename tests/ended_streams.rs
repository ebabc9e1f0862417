//! Streams that have ended leave their numbers behind and not their memory. Measured by the system's own count, where it
//! has one; alone in its process, so that nobody else's memory is in it.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers outside #[test]

use std::fs;

use neuraflow::ingest::Ingest;
use neuraflow::model::{Channel, Packet, PacketBody};
use neuraflow::prelude::*;
use neuraflow::source::{Polled, SourceContext, SourceError, SourceReader};
use neuraflow::window::GapPolicy;

const STREAMS: u32 = 4000;

/// Short streams of two channels at 30 kHz, one after another, each with a gap of three seconds in it.
struct OneAfterAnother(u32);

impl Source for OneAfterAnother {
    fn name(&self) -> String {
        "one after another".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        Ok(Some(Box::new(Self(0))))
    }
}

impl SourceReader for OneAfterAnother {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        let name = format!("device {}", self.0);
        let channels = ["Cz", "Pz"].map(Channel::new).to_vec();
        let key = StreamKey::of_names("session", &name);
        let header = StreamHeader::new(key, &name, SamplingRate::hz(30_000).unwrap(), channels);
        let samples = |sequence| PacketBody::Samples { sequence, values: vec![1.0; 600] };
        let end = PacketBody::End { next: Some(90_600) };
        for body in [PacketBody::Open(Box::new(header)), samples(0), samples(90_300), end] {
            out.packet(Packet { stream: key, body });
        }
        self.0 += 1;
        Ok(if self.0 < STREAMS { Polled::Ready } else { Polled::Ended })
    }
}

/// The most memory this process has used so far, in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn the_work_space_of_streams_that_have_ended_is_let_go() {
    let before = peak();
    let graph = Pipeline::from(OneAfterAnother(0)).gaps(GapPolicy::Mask).window(Tumbling::millis(50));
    let report = graph.sink(Callback::new(|_: &Window| {})).build().unwrap().run().unwrap();
    assert_eq!(
        (report.streams.len(), report.accounting().windowed),
        (STREAMS as usize, 600 * u64::from(STREAMS))
    );
    let used = peak() - before;
    assert!(used < 32 << 20, "{} MiB for {STREAMS} streams", used >> 20);
}
