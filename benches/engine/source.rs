//! Sources that send a load: all at once, or each packet when it is due.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use neuraflow::ingest::{Ingest, StreamSlot};
use neuraflow::prelude::*;
use neuraflow::resilience::Clock;
use neuraflow::source::{Polled, SourceContext, SourceError, SourceReader};

use crate::load::Load;

/// CPU time of the process and the wall's, between the end of the warm-up and the last packet.
#[derive(Default)]
pub struct Stopwatch {
    started: Mutex<Option<(ProcessTime, Instant)>>,
    took: Mutex<(Duration, Duration)>,
}

impl Stopwatch {
    pub fn start(&self) {
        // With several workers, from the first that gets there to the last that is done.
        self.started.lock().unwrap().get_or_insert_with(|| (ProcessTime::now(), Instant::now()));
    }

    pub fn stop(&self) {
        if let Some((cpu, wall)) = *self.started.lock().unwrap() {
            *self.took.lock().unwrap() = (cpu.elapsed(), wall.elapsed());
        }
    }

    pub fn cpu(&self) -> Duration {
        self.took.lock().unwrap().0
    }

    pub fn wall(&self) -> Duration {
        self.took.lock().unwrap().1
    }
}

/// How fast packets come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are taken.
    Flood,
    /// Each device's every interval, the devices evenly spread over it; looked for so often.
    Real { look: Duration },
}

/// A source of a load. With several workers each reads its share of the devices.
#[derive(Clone)]
pub struct Devices {
    pub load: Load,
    pub pace: Pace,
    /// Devices are read on the worker that computes them, instead of by turns.
    pub at_home: bool,
    /// Packets of each device before the stopwatch is started.
    pub warm_up: u64,
    pub stopwatch: Arc<Stopwatch>,
}

impl Devices {
    pub fn new(load: &Load, pace: Pace, warm_up: u64) -> Self {
        Self { load: load.clone(), pace, at_home: false, warm_up, stopwatch: Arc::default() }
    }
}

impl Source for Devices {
    fn name(&self) -> String {
        "devices".into()
    }

    /// The graph is checked against the first: they are all of one kind, and opened when the source starts.
    fn streams(&self) -> Vec<StreamHeader> {
        vec![self.load.header(0)]
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let own = |device: &usize| {
            if self.at_home {
                context.owns(&self.load.key(*device))
            } else {
                device % context.workers == context.worker
            }
        };
        let devices = (0..self.load.devices).filter(own).collect();
        let of = self.clone();
        let (slots, clock) = (Vec::new(), context.clock);
        Ok(Some(Box::new(Reader { of, devices, slots, clock, start: 0, packet: 0, at: 0 })))
    }
}

struct Reader {
    of: Devices,
    devices: Vec<usize>,
    slots: Vec<StreamSlot>,
    clock: Arc<dyn Clock>,
    /// When the first packet is due.
    start: u64,
    packet: u64,
    /// Which of the devices is next.
    at: usize,
}

impl Reader {
    /// When the next packet is due, in nanoseconds of the pipeline's clock.
    fn due(&self) -> u64 {
        let interval = self.of.load.interval.as_nanos() as u64;
        self.start
            + self.packet * interval
            + self.devices[self.at] as u64 * interval / self.of.load.devices as u64
    }
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        if self.slots.len() < self.devices.len() {
            let (sequence, zeros) = self.of.load.rest();
            for device in &self.devices {
                let slot = out.open(self.of.load.header(*device));
                out.samples(slot, sequence, &zeros);
                self.slots.push(slot);
            }
            return Ok(Polled::Ready);
        }
        if self.start == 0 {
            self.start = self.clock.now() + 1;
        }
        let (now, mut samples) = (self.clock.now(), 0);
        while samples < budget {
            if self.packet == self.of.warm_up && self.at == 0 && samples == 0 {
                self.of.stopwatch.start();
            }
            if let Pace::Real { look } = self.of.pace {
                let due = self.due();
                if due > now {
                    return Ok(Polled::After(look.max(Duration::from_nanos(due - now))));
                }
                out.set_arrival(due);
            }
            let (sequence, values) = self.of.load.packet(self.devices[self.at], self.packet);
            out.samples(self.slots[self.at], sequence, values);
            samples += values.len() / self.of.load.channels;
            self.at += 1;
            if self.at == self.devices.len() {
                (self.at, self.packet) = (0, self.packet + 1);
                if self.packet == self.of.load.packets {
                    self.of.stopwatch.stop();
                    return Ok(Polled::Ended);
                }
                if self.packet == self.of.warm_up {
                    break; // what came before is computed before the stopwatch starts
                }
            }
        }
        Ok(Polled::Ready)
    }
}
