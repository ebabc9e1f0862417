//! What the engine costs beside the work itself: the same packets through a plain loop over the window core, and through
//! a pipeline on one worker. The ratio of the two is the figure to look at.
//!
//! `cargo bench --bench engine`

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use neuraflow::ingest::Ingest;
use neuraflow::operator::{Missing, SignalSpec, WindowItem, WindowSpec};
use neuraflow::prelude::*;
use neuraflow::source::{Polled, SourceContext, SourceError, SourceReader};
use neuraflow::window::{
    Coverage, Filled, GapFiller, GapPolicy, Sequencer, SequencerConfig, WindowAssembler, WindowGrid,
};

const STREAMS: usize = 100;
const CHANNELS: usize = 8;
const PACKETS: u64 = 80;
/// Samples of a packet: two windows' worth at 250 Hz.
const SAMPLES: u64 = 25;

type Packets = Arc<Vec<Vec<f32>>>;

fn header(stream: usize) -> StreamHeader {
    let channels = (0..CHANNELS).map(|c| Channel::new(format!("ch{c}"))).collect();
    let key = StreamKey::of_names("bench", &format!("device {stream}"));
    let rate = SamplingRate::hz(250).unwrap_or_else(|_| unreachable!("250 Hz is a rate"));
    StreamHeader::new(key, "device", rate, channels)
}

/// Values of one packet: a ramp that differs in every channel.
fn values(packet: u64) -> Vec<f32> {
    let at = |n: u64, c: usize| ((n % 97) as f32 - 48.0) * (c + 1) as f32;
    (packet * SAMPLES..(packet + 1) * SAMPLES).flat_map(|n| (0..CHANNELS).map(move |c| at(n, c))).collect()
}

/// A source whose packets were made beforehand.
struct Prepared(Packets);

impl Source for Prepared {
    fn name(&self) -> String {
        "prepared".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        (0..STREAMS).map(header).collect()
    }

    fn open(&self, _: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        Ok(Some(Box::new(PreparedReader { packets: Arc::clone(&self.0), slots: Vec::new(), next: 0 })))
    }
}

struct PreparedReader {
    packets: Packets,
    slots: Vec<neuraflow::ingest::StreamSlot>,
    next: u64,
}

impl SourceReader for PreparedReader {
    fn poll(&mut self, out: &mut Ingest, _: usize) -> Result<Polled, SourceError> {
        if self.slots.is_empty() {
            self.slots = (0..STREAMS).map(|stream| out.open(header(stream))).collect();
        }
        for slot in &self.slots {
            out.samples(*slot, self.next * SAMPLES, &self.packets[self.next as usize]);
        }
        self.next += 1;
        Ok(if self.next == PACKETS { Polled::Ended } else { Polled::Ready })
    }
}

/// The window core and the operator, called one after the other without Timely.
fn plain_loop(packets: &Packets) -> u64 {
    let mut windows = 0;
    for stream in 0..STREAMS {
        let header = Arc::new(header(stream));
        let Ok(grid) = WindowGrid::of(&header, Span::millis(50)) else { continue };
        let mut sequencer = Sequencer::new(&header, grid, SequencerConfig::default());
        let mut filler = GapFiller::new(GapPolicy::default(), header.rate, CHANNELS);
        let mut coverage = Coverage::default();
        let mut assembler = WindowAssembler::new(Arc::clone(&header), grid, 0);
        let (channels, missing) = (Arc::clone(&header.channels), Missing::Restart);
        let signal = SignalSpec { channels, rate: header.rate, missing };
        let mut operator = Rms::default();
        let Ok(spec) = operator.prepare(&WindowSpec { signal, hop: Span::millis(50) }) else { continue };
        for (number, values) in packets.iter().enumerate() {
            sequencer.samples(number as u64 * SAMPLES, values, &mut |piece| {
                filler.piece(&piece, &mut |filled| {
                    let Filled::Chunk { chunk, coverage: kind } = filled else { return };
                    coverage.push(chunk.first(), chunk.len() as u64, kind);
                    assembler.push(chunk, &coverage, 0, 0, &mut |window| {
                        let mut out = Features::blank(window.info.clone(), &spec);
                        windows += u64::from(operator.process(window, &mut out).is_ok());
                        black_box(&out.values);
                    });
                });
            });
        }
    }
    windows
}

fn pipeline(packets: &Packets) -> u64 {
    let sink = Callback::new(|features: &Features| {
        black_box(&features.values);
    });
    let graph =
        Pipeline::from(Prepared(Arc::clone(packets))).window(Tumbling::millis(50)).feature(Rms::default);
    let run = graph.sink(sink).build().ok().and_then(|pipeline| pipeline.run().ok());
    run.map_or(0, |report| report.windows().total())
}

fn engine(criterion: &mut Criterion) {
    let packets: Packets = Arc::new((0..PACKETS).map(values).collect());
    let windows = STREAMS as u64 * PACKETS * 2;
    assert_eq!((plain_loop(&packets), pipeline(&packets)), (windows, windows), "both do the same work");
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(windows));
    group.bench_function("plain loop", |bench| bench.iter(|| plain_loop(&packets)));
    group.bench_function("pipeline on 1 worker", |bench| bench.iter(|| pipeline(&packets)));
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
