//! The load: devices that all speak in turn, their packets made beforehand.

use std::sync::Arc;

use cpu_time::ProcessTime;
use neuraflow::ingest::{Ingest, StreamSlot};
use neuraflow::prelude::*;
use neuraflow::source::{Polled, SourceContext, SourceError, SourceReader};

use std::sync::Mutex;
use std::time::Duration;

/// Packets that are made; all devices send these, each beginning with another one.
const DISTINCT: usize = 64;

/// So many devices of one kind, each sending a packet a window.
#[derive(Clone)]
pub struct Load {
    pub devices: usize,
    pub channels: usize,
    pub rate: u64,
    /// Packets of each device: windows of 50 ms, or parts of one.
    pub packets: u64,
    /// Packets in a second of event time.
    pub packets_per_second: u64,
    values: Arc<Vec<f32>>,
}

impl Load {
    pub fn new(devices: usize, channels: usize, rate: u64, packets_per_second: u64, packets: u64) -> Self {
        let samples = rate.div_ceil(packets_per_second) as usize;
        // A linear congruential generator (Knuth, MMIX), its upper bits as -100 to 100 µV.
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 * 200.0 - 100.0
        };
        let values = (0..DISTINCT * samples * channels).map(|_| noise()).collect();
        Self { devices, channels, rate, packets, packets_per_second, values: Arc::new(values) }
    }

    pub fn header(&self, device: usize) -> StreamHeader {
        let channels = (0..self.channels).map(|c| Channel::new(format!("ch{c}"))).collect();
        let key = StreamKey::of_names("bench", &format!("device {device}"));
        let rate = SamplingRate::hz(self.rate).unwrap_or_else(|_| unreachable!("a rate"));
        StreamHeader::new(key, "device", rate, channels)
    }

    /// First sample of a packet.
    pub fn first(&self, packet: u64) -> u64 {
        (packet * self.rate).div_ceil(self.packets_per_second)
    }

    /// Number of the first sample of a device's packet, and its values.
    pub fn packet(&self, device: usize, packet: u64) -> (u64, &[f32]) {
        let (first, end) = (self.first(packet), self.first(packet + 1));
        let room = self.values.len() / DISTINCT;
        let begin = (device * 7 + packet as usize) % DISTINCT * room;
        (first, &self.values[begin..begin + (end - first) as usize * self.channels])
    }

    /// Windows of 50 ms that come out.
    pub fn windows(&self) -> u64 {
        self.devices as u64 * self.packets * 20 / self.packets_per_second
    }
}

/// CPU time of the whole process between two moments of a run.
#[derive(Default)]
pub struct Stopwatch(Mutex<(Option<ProcessTime>, Duration)>);

impl Stopwatch {
    pub fn start(&self) {
        self.0.lock().unwrap().0 = Some(ProcessTime::now());
    }

    pub fn stop(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.1 = inner.0.map_or(Duration::ZERO, |start| start.elapsed());
    }

    pub fn cpu(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// A source that sends all packets as fast as they are taken. With several workers each reads its share of the devices.
#[derive(Clone)]
pub struct Flood {
    pub load: Load,
    /// Packets of each device before the stopwatch is started.
    pub warm_up: u64,
    pub stopwatch: Arc<Stopwatch>,
}

impl Source for Flood {
    fn name(&self) -> String {
        "flood".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        (0..self.load.devices).map(|device| self.load.header(device)).collect()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let devices = (context.worker..self.load.devices).step_by(context.workers).collect();
        Ok(Some(Box::new(FloodReader { flood: self.clone(), devices, slots: Vec::new(), packet: 0, at: 0 })))
    }
}

struct FloodReader {
    flood: Flood,
    devices: Vec<usize>,
    slots: Vec<StreamSlot>,
    packet: u64,
    /// Which of the devices is next.
    at: usize,
}

impl SourceReader for FloodReader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        let Flood { load, warm_up, stopwatch } = &self.flood;
        if self.slots.len() < self.devices.len() {
            self.slots = self.devices.iter().map(|device| out.open(load.header(*device))).collect();
            return Ok(Polled::Ready);
        }
        if self.packet == *warm_up && self.at == 0 {
            stopwatch.start();
        }
        let mut samples = 0;
        while samples < budget {
            let (first, values) = load.packet(self.devices[self.at], self.packet);
            out.samples(self.slots[self.at], first, values);
            samples += values.len() / load.channels;
            self.at += 1;
            if self.at == self.devices.len() {
                (self.at, self.packet) = (0, self.packet + 1);
                if self.packet == load.packets {
                    stopwatch.stop();
                    return Ok(Polled::Ended);
                }
                if self.packet == *warm_up {
                    break;
                }
            }
        }
        Ok(Polled::Ready)
    }
}
