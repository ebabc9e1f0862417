//! What is allocated once a pipeline is in its stride: nothing in operators, nothing for a window.
//!
//! The only test of its program, so that nobody else allocates meanwhile.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::alloc::System;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use neuraflow::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};
use neuraflow::ingest::{Ingest, StreamSlot};
use neuraflow::operator::{Item, OperatorError};
use neuraflow::prelude::*;
use neuraflow::source::{Polled, SourceContext, SourceError, SourceReader};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const DEVICES: usize = 50;
/// Packets of a device until everything is filled, and after that.
const WARM_UP: u64 = 200;
const MEASURED: u64 = 200;

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// An operator, and how often it allocated while it processed windows or chunks after its warm-up.
struct Counted<O> {
    inner: O,
    calls: u64,
    count: Arc<AtomicUsize>,
}

impl<O: Operator> Operator for Counted<O> {
    type In = O::In;
    type Out = O::Out;

    fn prepare(&mut self, spec: &<O::In as Item>::Spec) -> Result<<O::Out as Item>::Spec, OperatorError> {
        self.inner.prepare(spec)
    }

    fn process(&mut self, input: &O::In, out: &mut O::Out) -> Result<(), OperatorError> {
        let before = allocations();
        let done = self.inner.process(input, out);
        self.calls += 1;
        if self.calls > WARM_UP {
            self.count.fetch_add(allocations() - before, Ordering::Relaxed);
        }
        done
    }

    fn finish(&mut self, out: &mut O::Out) -> Result<(), OperatorError> {
        self.inner.finish(out)
    }

    fn reset(&mut self) {
        self.inner.reset();
    }

    fn latency(&self) -> Latency {
        self.inner.latency()
    }

    fn snapshot(&self, writer: &mut SnapshotWriter) {
        self.inner.snapshot(writer);
    }

    fn restore(&mut self, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
        self.inner.restore(reader)
    }
}

/// Devices that send packets of 12 and 13 samples, and a look at the allocator at the end of the warm-up and at the end.
#[derive(Clone)]
struct Devices(Arc<[AtomicUsize; 2]>);

fn header(device: usize) -> StreamHeader {
    let channels = ["C3", "Cz", "C4", "Pz", "O1", "O2", "Fz", "Oz"].map(Channel::new).to_vec();
    let key = StreamKey::of_names("allocation", &format!("device {device}"));
    StreamHeader::new(key, "device", SamplingRate::hz(250).unwrap(), channels)
}

impl Source for Devices {
    fn name(&self) -> String {
        "devices".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        (0..DEVICES).map(header).collect()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        let values = (0..13 * 8).map(|n| (n * 7 % 31) as f32).collect();
        Ok(Some(Box::new(Reader { seen: Arc::clone(&self.0), slots: Vec::new(), packet: 0, values })))
    }
}

struct Reader {
    seen: Arc<[AtomicUsize; 2]>,
    slots: Vec<StreamSlot>,
    packet: u64,
    values: Vec<f32>,
}

impl SourceReader for Reader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        if self.slots.is_empty() {
            self.slots = (0..DEVICES).map(|device| out.open(header(device))).collect();
        }
        if self.packet == WARM_UP {
            self.seen[0].store(allocations(), Ordering::Relaxed);
        }
        if self.packet == WARM_UP + MEASURED {
            self.seen[1].store(allocations(), Ordering::Relaxed);
            return Ok(Polled::Ended);
        }
        let (first, end) = ((self.packet * 25).div_ceil(2), ((self.packet + 1) * 25).div_ceil(2));
        for slot in &self.slots {
            out.samples(*slot, first, &self.values[..(end - first) as usize * 8]);
        }
        self.packet += 1;
        Ok(Polled::Ready)
    }
}

#[test]
fn a_pipeline_in_its_stride_allocates_nothing_for_a_window() {
    let count = Arc::new(AtomicUsize::new(0));
    fn counted<O: Operator>(
        count: &Arc<AtomicUsize>,
        make: impl Fn() -> O + Send + Sync + 'static,
    ) -> impl Fn() -> Counted<O> + Send + Sync + 'static {
        let count = Arc::clone(count);
        move || Counted { inner: make(), calls: 0, count: Arc::clone(&count) }
    }
    let seen = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let sink = || {
        Callback::new(|features: &Features| {
            std::hint::black_box(&features.values);
        })
    };
    // What computes in either precision takes turns.
    let alpha = || BandPower::bands([("alpha", 8.0..13.0)]);
    let pipeline = Pipeline::from(Devices(Arc::clone(&seen)))
        .branch(|raw| {
            let windows = raw.window(Tumbling::millis(50));
            let windows = windows.branch(|w| w.feature(counted(&count, SignalQuality::default)).sink(sink()));
            windows.feature(counted(&count, ArtifactFlags::default)).sink(sink())
        })
        .stage(counted(&count, || Butterworth::bandpass(4, 1.0..40.0)))
        .stage(counted(&count, || Notch::new(50.0, 30.0)))
        .stage(counted(&count, CommonAverage::new))
        .window(Tumbling::millis(50))
        .branch(|w| {
            w.feature(counted(&count, || Periodogram::new().precision(Precision::Single))).sink(sink())
        })
        .branch(|w| w.feature(counted(&count, LogVariance::default)).sink(sink()))
        .branch(|w| w.feature(counted(&count, || Spectrum::new().up_to_hz(60.0))).sink(sink()))
        .branch(|w| w.feature(counted(&count, move || alpha().precision(Precision::Single))).sink(sink()))
        .feature(counted(&count, Rms::default))
        .sink(sink())
        .build()
        .unwrap();
    let report = pipeline.run().unwrap();
    assert!(report.balances());
    let windows = DEVICES as u64 * MEASURED;
    let engine = seen[1].load(Ordering::Relaxed) - seen[0].load(Ordering::Relaxed);
    println!("{engine} allocations in {MEASURED} activations of {windows} windows");
    assert_eq!(count.load(Ordering::Relaxed), 0, "operators allocate while they process");
    // Timely's own scheduling may allocate for an activation; windows and packets must not.
    assert!((engine as u64) < 8 * MEASURED, "{engine} allocations in {MEASURED} activations");
}
