//! The plain loop: our own keyed window core and the same operators, one stream after the other, without Timely, without
//! accounting for anybody, without sinks. What the pipeline costs beyond this is the price of the engine.

use std::hint::black_box;
use std::sync::Arc;

use neuraflow::operator::{Missing, SignalSpec, WindowItem, WindowSpec};
use neuraflow::prelude::*;
use neuraflow::window::{
    Coverage, Filled, GapFiller, Sequencer, SequencerConfig, WindowAssembler, WindowGrid,
};

use crate::load::{Load, Stopwatch};
use crate::work::{self, Spectral};

struct Keyed {
    sequencer: Sequencer,
    filler: GapFiller,
    coverage: Coverage,
    assembler: WindowAssembler,
    filter: Butterworth,
    filtered: Chunk,
    rms: Rms,
    rms_out: Features,
    spectral: Spectral,
    spectral_out: Features,
}

impl Keyed {
    fn new(load: &Load, device: usize, work: work::Work) -> Option<Self> {
        let header = Arc::new(load.header(device));
        let grid = WindowGrid::of(&header, Span::millis(50)).ok()?;
        let signal = SignalSpec {
            channels: Arc::clone(&header.channels),
            rate: header.rate,
            missing: Missing::Restart,
        };
        let mut filter = work.filter();
        let filtered = filter.prepare(&signal).ok()?;
        let windows = WindowSpec { signal: filtered, hop: Span::millis(50) };
        let (mut rms, mut spectral) = (Rms::default(), work.spectral());
        let (rms_spec, spectral_spec) = (rms.prepare(&windows).ok()?, spectral.prepare(&windows).ok()?);
        let assembler = WindowAssembler::new(Arc::clone(&header), grid, 0);
        let info = neuraflow::model::WindowInfo {
            stream: Arc::clone(&header),
            index: 0,
            start: Timestamp::EPOCH,
            end: Timestamp::EPOCH,
            expected: 0,
            received: 0,
            imputed: 0,
            status: neuraflow::model::WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        Some(Self {
            sequencer: Sequencer::new(&header, grid, SequencerConfig::default()),
            filler: GapFiller::new(GapPolicy::default(), header.rate, load.channels),
            coverage: Coverage::default(),
            assembler,
            filter,
            filtered: Chunk::new(0, load.channels),
            rms,
            rms_out: Features::blank(info.clone(), &rms_spec),
            spectral,
            spectral_out: Features::blank(info, &spectral_spec),
        })
    }

    fn packet(&mut self, first: u64, values: &[f32]) -> u64 {
        let mut windows = 0;
        let Self { sequencer, filler, coverage, assembler, filter, filtered, rms, rms_out, .. } = self;
        let (spectral, spectral_out) = (&mut self.spectral, &mut self.spectral_out);
        sequencer.samples(first, values, &mut |piece| {
            filler.piece(&piece, &mut |filled| {
                let Filled::Chunk { chunk, coverage: kind } = filled else { return };
                coverage.push(chunk.first(), chunk.len() as u64, kind);
                filtered.restart(chunk.first(), chunk.channels());
                if filter.process(chunk, filtered).is_err() {
                    return;
                }
                assembler.push(filtered, coverage, 0, 0, &mut |window| {
                    rms_out.begin(&window.info);
                    spectral_out.begin(&window.info);
                    let done =
                        rms.process(window, rms_out).is_ok() & spectral.process(window, spectral_out).is_ok();
                    windows += u64::from(done);
                    black_box((&rms_out.values, &spectral_out.values));
                });
                coverage.forget_before(assembler.needs_from());
            });
        });
        windows
    }
}

/// Windows computed, and the CPU time from `warm_up` on.
pub fn run(load: &Load, work: work::Work, warm_up: u64) -> (u64, std::time::Duration) {
    let mut streams: Vec<_> = (0..load.devices).filter_map(|device| Keyed::new(load, device, work)).collect();
    let stopwatch = Stopwatch::default();
    let mut windows = 0;
    for packet in 0..load.packets {
        if packet == warm_up {
            stopwatch.start();
        }
        for (device, stream) in streams.iter_mut().enumerate() {
            let (first, values) = load.packet(device, packet);
            windows += stream.packet(first, values);
        }
    }
    stopwatch.stop();
    (windows, stopwatch.cpu())
}
