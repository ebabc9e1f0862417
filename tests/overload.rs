//! More than ten times what a pipeline can take, from devices that do not wait: memory stays bounded, and every sample is
//! accounted for.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use neuraflow::model::StableHasher;
use neuraflow::prelude::*;
use neuraflow::sink::{Placement, SinkContext, SinkError, SinkWriter};
use neuraflow::sources::device::DeviceConfig;

const DEVICES: usize = 4;
const CHANNELS: usize = 8;
/// Samples in a packet.
const PACKET: u64 = 25;

/// A sink whose work is so hard that everything ahead of it has to wait.
struct Toiling;

impl Sink for Toiling {
    type Item = Features;
    type Writer = Self;

    fn name(&self) -> String {
        "toiling".into()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 64, overflow: Overflow::Block }
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(Self)
    }
}

impl SinkWriter for Toiling {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), SinkError> {
        for item in items.drain(..) {
            let mut hasher = StableHasher::default();
            for _ in 0..2_000 {
                item.values.iter().for_each(|value| {
                    hasher.f64(*value);
                });
            }
            std::hint::black_box(hasher.finish());
        }
        Ok(())
    }
}

/// KiB of memory that the process has now.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn overload(lasts: Duration) {
    let config = DeviceConfig { capacity: 4_096, overflow: Overflow::DropOldest, ..DeviceConfig::default() };
    let (handle, source) = device::channel(config);
    let headers: Vec<StreamHeader> = (0..DEVICES)
        .map(|device| {
            let key = StreamKey::of_names("overload", &device.to_string());
            let channels = (0..CHANNELS).map(|channel| Channel::new(format!("{channel}"))).collect();
            StreamHeader::new(key, format!("device {device}"), SamplingRate::hz(250).unwrap(), channels)
        })
        .collect();
    let pipeline = Pipeline::from(source)
        .stage(|| Butterworth::bandpass(4, 1.0..40.0))
        .window(Tumbling::millis(50))
        .feature(Rms::new)
        .sink(Toiling)
        .build()
        .unwrap();
    let running = pipeline.spawn(Workers::new(2)).unwrap();
    headers.iter().for_each(|header| handle.open(header.clone()).unwrap());
    let values: Vec<f32> = (0..PACKET as usize * CHANNELS).map(|n| (n * 7919 % 101) as f32).collect();
    let (begun, mut pushed, mut early) = (Instant::now(), 0, None);
    while begun.elapsed() < lasts {
        for header in &headers {
            handle.push(&header.key, pushed, &values).unwrap();
        }
        pushed += PACKET;
        if early.is_none() && begun.elapsed() > lasts / 5 {
            early = Some(resident());
        }
    }
    let grown = resident().saturating_sub(early.unwrap());
    drop(handle);
    let report = running.join().unwrap();
    let accounting = report.accounting();
    let (taken, offered) = (accounting.samples_in - accounting.dropped, pushed * DEVICES as u64);
    println!(
        "{offered} samples offered, {taken} taken: {:.0} times too many for {} s; memory grew by {grown} KiB after the first fifth",
        offered as f64 / taken as f64,
        lasts.as_secs()
    );
    assert!(offered > 10 * taken, "no overload");
    assert!(report.balances(), "{accounting:?}");
    assert_eq!(accounting.samples_in, offered);
    assert!(grown < 8 << 10, "{grown} KiB");
}

#[test]
fn memory_stays_bounded_and_the_books_balance() {
    overload(Duration::from_secs(5));
}

#[test]
#[ignore = "takes ten minutes"]
fn the_same_for_ten_minutes() {
    overload(Duration::from_secs(600));
}
