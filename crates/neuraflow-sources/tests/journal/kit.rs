//! Devices with journals, what is read of them, and what a killed process leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use neuraflow_core::model::{Channel, Packet, PacketBody, Positions, SamplingRate, StreamHeader, StreamKey};
use neuraflow_core::sink::Overflow;
use neuraflow_core::source::Polled;
use neuraflow_core::testing::{FakeClock, Probe, Scratch};
use neuraflow_sources::device::{self, DeviceConfig, DeviceHandle, DeviceSource, JournalConfig};

pub fn key(i: usize) -> StreamKey {
    StreamKey::of_names("session", &format!("device-{i}"))
}

pub fn header(i: usize) -> StreamHeader {
    let rate = SamplingRate::hz(250).unwrap();
    StreamHeader::new(key(i), format!("device-{i}"), rate, vec![Channel::new("C3"), Channel::new("C4")])
}

/// `count` samples of two channels that tell the stream and the number.
pub fn values(stream: usize, first: u64, count: u64) -> Vec<f32> {
    (first..first + count).flat_map(|n| [n as f32, -1.0 - stream as f32]).collect()
}

pub const SMALL: JournalConfig = JournalConfig { segment_bytes: 4 << 10, max_bytes: 1 << 20, fsync: None };

pub fn config(capacity: usize, overflow: Overflow) -> DeviceConfig {
    DeviceConfig { capacity, overflow, stale_after: None }
}

pub fn open(folder: &Path, config: DeviceConfig) -> (DeviceHandle, DeviceSource) {
    device::journaled(config, folder, SMALL).unwrap()
}

pub fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::at(1 << 50))
}

pub fn probe(source: &DeviceSource, from: Option<Positions>) -> Probe {
    Probe::open_from(source, &clock(), 0, 1, from).unwrap().unwrap()
}

/// What is there now, without waiting for more.
pub fn drain(probe: &mut Probe) -> Vec<Packet> {
    let mut all = Vec::new();
    loop {
        let (polled, packets) = probe.poll(64).unwrap();
        all.extend(packets.into_iter().map(|(_, packet)| packet));
        if polled != Polled::Ready {
            return all;
        }
    }
}

/// The folder as it is now: what a process that is killed at this moment leaves behind.
pub fn killed(folder: &Path, scratch: &Scratch, name: &str) -> PathBuf {
    let copy = scratch.file(name);
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    copy
}

/// Packets as what happens to each sample and else, stream by stream.
pub fn told(packets: &[Packet]) -> BTreeMap<StreamKey, Vec<String>> {
    let mut streams = BTreeMap::<StreamKey, Vec<String>>::new();
    for Packet { stream, body } in packets {
        let list = streams.entry(*stream).or_default();
        match body {
            PacketBody::Samples { sequence, values } => {
                let samples = values.chunks_exact(2).enumerate();
                list.extend(samples.map(|(i, v)| format!("{} is {v:?}", sequence + i as u64)));
            }
            PacketBody::Dropped { sequence, samples } => {
                list.extend((*sequence..sequence + samples).map(|n| format!("{n} dropped")));
            }
            other => list.push(format!("{other:?}")),
        }
    }
    streams
}

/// A journal of several segments, all of it emitted, and the packets in it.
pub fn filled(folder: &Path, packets: u64) -> Vec<Packet> {
    let (handle, source) = open(folder, config(1 << 20, Overflow::Block));
    let mut reader = probe(&source, None);
    handle.open(header(0)).unwrap();
    handle.open(header(1)).unwrap();
    for n in 0..packets {
        handle.push(&key(n as usize % 2), n, &values(n as usize % 2, n, 5)).unwrap();
    }
    drain(&mut reader)
}

pub fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "journal")).collect();
    paths.sort();
    paths
}
