//! Latency from the packet that closes a window to the sink: a thousand devices, each pushing its packet when it is due, from
//! a thread that plays the drivers, into a pipeline whose worker parks, or spins, in between.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use neuraflow::dataflow::LatencyHistogram;
use neuraflow::prelude::*;
use neuraflow::resilience::{Clock, SystemClock};
use neuraflow::sources::device::DeviceConfig;

use crate::load::Load;
use crate::work::{Work, sum};

/// Latencies in microseconds.
pub struct Latency {
    /// Windows measured, and all there were.
    pub windows: u64,
    pub all: u64,
    /// Sum of all values.
    pub digest: f64,
    pub p50: f64,
    pub p99: f64,
    pub p999: f64,
    pub wait_p50: f64,
    pub compute_p50: f64,
    pub output_p50: f64,
}

/// Paces a load in real time. The first `warm_up` packets of each device are not measured.
/// `prepare` is given the pipeline before it runs.
pub fn paced(
    load: &Load,
    work: Work,
    workers: Workers,
    warm_up: u64,
    prepare: impl FnOnce(Pipeline) -> Pipeline,
) -> Latency {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let (handle, source) = device::channel(DeviceConfig { capacity: 1 << 22, ..DeviceConfig::default() });
    let headers: Vec<_> = (0..load.devices).map(|device| load.header(device)).collect();
    headers.iter().for_each(|header| handle.open(header.clone()).unwrap());
    // Event time from which on windows are measured.
    let from = Timestamp::EPOCH + Span::nanos((load.interval * warm_up as u32).as_nanos() as i64);
    let latencies = Arc::new(Mutex::new((LatencyHistogram::default(), 0.0)));
    let see = {
        let (latencies, clock) = (Arc::clone(&latencies), Arc::clone(&clock));
        move |features: &Features| {
            latencies.lock().unwrap().1 += sum(features);
            // The last of the window's results.
            if features.spec.columns.len() == 1 && features.info.start >= from {
                let latency = clock.now().saturating_sub(features.info.arrival);
                latencies.lock().unwrap().0.record(latency);
            }
        }
    };
    let pipeline = work.pipeline(source, see).with_clock(Arc::clone(&clock));
    let running = prepare(pipeline).spawn(workers).unwrap();
    let (sequence, zeros) = load.rest();
    for header in &headers {
        handle.push(&header.key, sequence, &zeros).unwrap();
    }

    let (start, interval) = (clock.now() + 500_000_000, load.interval.as_nanos() as u64);
    for packet in 0..load.packets {
        for (device, header) in headers.iter().enumerate() {
            let due = start + packet * interval + device as u64 * interval / load.devices as u64;
            // It spins, as a thread that sleeps wakes too late by more than what is measured here.
            while clock.now() < due {
                std::hint::spin_loop();
            }
            let (sequence, values) = load.packet(device, packet);
            handle.push(&header.key, sequence, values).unwrap();
        }
    }
    std::thread::sleep(Duration::from_millis(100));
    let split = running.watch().status().latency;
    drop(handle);
    let report = running.join().unwrap();
    let (latencies, digest) = latencies.lock().unwrap().clone();
    let micros = |histogram: &LatencyHistogram, q| histogram.quantile(q).unwrap_or(0) as f64 / 1e3;
    Latency {
        windows: latencies.count(),
        all: report.windows().total() - 2 * load.devices as u64,
        digest,
        p50: micros(&latencies, 0.5),
        p99: micros(&latencies, 0.99),
        p999: micros(&latencies, 0.999),
        wait_p50: micros(&split.wait, 0.5),
        compute_p50: micros(&split.compute, 0.5),
        output_p50: micros(&split.output, 0.5),
    }
}
