//! The load: devices that speak in turn, with packets made beforehand. For devices of 8 channels at 250 Hz it is, to the
//! bit, the work that benches/peers/work.json gives to every peer.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use neuraflow::model::Sequence;
use neuraflow::prelude::*;

use crate::source::Stopwatch;

/// Packets made for each phase; all devices send these, each beginning with another one.
const PAYLOADS: usize = 64;

/// So many devices of one kind, each with its packets.
#[derive(Clone)]
pub struct Load {
    pub devices: usize,
    pub channels: usize,
    pub rate: u64,
    /// From one packet to the next.
    pub interval: Duration,
    /// Packets of each device, after its first packet of zeros.
    pub packets: u64,
    /// `[packet mod 2][payload]`
    payloads: Arc<[Vec<Vec<f32>>; 2]>,
}

impl Load {
    /// Devices that send a packet for each window of 50 ms: 13 and 12 samples in turn.
    pub fn headsets(devices: usize, packets: u64) -> Self {
        Self::new(devices, 8, 250, Duration::from_millis(50), packets)
    }

    pub fn new(devices: usize, channels: usize, rate: u64, interval: Duration, packets: u64) -> Self {
        let mut load = Self { devices, channels, rate, interval, packets, payloads: Arc::default() };
        let mut state = 12_345_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((f64::from(state >> 8) - 8_388_608.0) * 100.0 / 8_388_608.0) as f32
        };
        let payloads = [0, 1].map(|phase| {
            let values = (load.first(phase + 1) - load.first(phase)) as usize * channels;
            (0..PAYLOADS).map(|_| (0..values).map(|_| noise()).collect()).collect()
        });
        load.payloads = Arc::new(payloads);
        load
    }

    /// A device begins with a window of zeros before sample 0, so that filters which start at the steady state of the first
    /// value start at rest, as those of the peers do.
    pub fn header(&self, device: usize) -> StreamHeader {
        let channels = (0..self.channels).map(|c| Channel::new(format!("ch{c}"))).collect();
        let rate = SamplingRate::hz(self.rate).unwrap();
        let header = StreamHeader::new(self.key(device), "device", rate, channels);
        StreamHeader { t0: Timestamp::EPOCH - rate.offset(self.zeros()), ..header }
    }

    pub fn key(&self, device: usize) -> StreamKey {
        StreamKey::of_names("bench", &format!("device {device}"))
    }

    /// Samples in the first packet: those of the even windows, so that the grid goes on as if it had begun at sample 0.
    fn zeros(&self) -> u64 {
        2 * self.rate / 20
    }

    /// First sample of a packet after the zeros.
    fn first(&self, packet: u64) -> u64 {
        (packet * self.rate * self.interval.as_micros() as u64).div_ceil(1_000_000)
    }

    /// Counter and values of the packet of zeros.
    pub fn rest(&self) -> (Sequence, Vec<f32>) {
        (0, vec![0.0; self.zeros() as usize * self.channels])
    }

    /// Counter and values of a device's packet.
    pub fn packet(&self, device: usize, packet: u64) -> (Sequence, &[f32]) {
        let payload = &self.payloads[(packet % 2) as usize][(device + packet as usize) % PAYLOADS];
        (self.zeros() + self.first(packet), payload)
    }

    /// What a source of all packets does at least: copies their values to where they are taken from.
    pub fn copy_all(&self, warm_up: u64, stopwatch: &Stopwatch) {
        let mut values = Vec::new();
        for packet in 0..self.packets {
            if packet == warm_up {
                stopwatch.start();
            }
            for device in 0..self.devices {
                values.clear();
                values.extend_from_slice(self.packet(device, packet).1);
                black_box(&mut values);
            }
        }
        stopwatch.stop();
    }

    /// Windows that all packets complete, those of zeros left out.
    pub fn windows(&self) -> u64 {
        self.devices as u64 * (self.packets * self.interval.as_micros() as u64 / 50_000)
    }
}
