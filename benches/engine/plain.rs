//! The plain loop: our own keyed window core and the same operators, one stream after the other, without Timely, without
//! accounting for anybody, without sinks. What the pipeline costs beyond this is the price of the engine.

use std::hint::black_box;
use std::sync::Arc;
use std::thread;

use neuraflow::operator::{Missing, SignalSpec, WindowItem, WindowSpec};
use neuraflow::ops::feature::Periodogram;
use neuraflow::prelude::*;
use neuraflow::window::{
    Coverage, Filled, GapFiller, Sequencer, SequencerConfig, WindowAssembler, WindowGrid,
};

use crate::load::Load;
use crate::source::Stopwatch;
use crate::work::{Digest, Work};

struct Keyed {
    sequencer: Sequencer,
    filler: GapFiller,
    coverage: Coverage,
    assembler: WindowAssembler,
    filter: Butterworth,
    rms: Rms,
    rms_out: Features,
    spectral: Option<(Periodogram, Features)>,
}

/// Memory that is of use only while a packet is processed, lent to the stream whose turn it is, as the pipeline does.
#[derive(Default)]
struct Workspace {
    filled: Chunk,
    filtered: Chunk,
}

impl Keyed {
    fn new(load: &Load, device: usize, work: Work) -> Option<Self> {
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
        let mut rms = Rms::default();
        let rms_spec = rms.prepare(&windows).ok()?;
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
        let spectral = if work.spectral {
            let mut spectral = work.periodogram();
            let spec = spectral.prepare(&windows).ok()?;
            Some((spectral, Features::blank(info.clone(), &spec)))
        } else {
            None
        };
        Some(Self {
            sequencer: Sequencer::new(&header, grid, SequencerConfig::default()),
            filler: GapFiller::new(GapPolicy::default(), header.rate, load.channels),
            coverage: Coverage::default(),
            assembler,
            filter,
            rms,
            rms_out: Features::blank(info, &rms_spec),
            spectral,
        })
    }

    fn packet(
        &mut self,
        first: u64,
        values: &[f32],
        space: &mut Workspace,
        see: &mut impl FnMut(&Features),
    ) -> u64 {
        let mut windows = 0;
        let Self { sequencer, filler, coverage, assembler, filter, rms, rms_out, spectral } = self;
        let Workspace { filled, filtered } = space;
        sequencer.samples(first, values, &mut |piece| {
            filler.piece(&piece, filled, &mut |filled| {
                let Filled::Chunk { chunk, coverage: kind } = filled else { return };
                coverage.push(chunk.first(), chunk.len() as u64, kind);
                filtered.restart(chunk.first(), chunk.channels());
                if filter.process(chunk, filtered).is_err() {
                    return;
                }
                let close = |window: &Window| {
                    rms_out.begin(&window.info);
                    let mut done = rms.process(window, rms_out).is_ok();
                    see(rms_out);
                    if let Some((spectral, out)) = spectral {
                        out.begin(&window.info);
                        done &= spectral.process(window, out).is_ok();
                        see(out);
                    }
                    windows += u64::from(done);
                };
                assembler.push(filtered, 0, 0, &mut (&*coverage, close));
                coverage.forget_before(assembler.needs_from());
            });
        });
        windows
    }
}

/// Runs a load, calling `see` with everything that is computed; the stopwatch starts with packet number `warm_up`.
pub fn run(load: &Load, work: Work, warm_up: u64, stopwatch: &Stopwatch, see: impl FnMut(&Features)) -> u64 {
    let all: Vec<_> = (0..load.devices).collect();
    run_share(load, &all, work, warm_up, stopwatch, see)
}

/// The same on several threads, each with its share of the devices as workers have them. Two cores that are threads of one slow each
/// other down, whatever runs on them: this is how much.
pub fn run_on_threads(load: &Load, work: Work, warm_up: u64, stopwatch: &Stopwatch, threads: usize) -> u64 {
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                scope.spawn(move || {
                    let share: Vec<_> = (thread..load.devices).step_by(threads).collect();
                    run_share(load, &share, work, warm_up, stopwatch, ignore)
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

fn run_share(
    load: &Load,
    devices: &[usize],
    work: Work,
    warm_up: u64,
    stopwatch: &Stopwatch,
    mut see: impl FnMut(&Features),
) -> u64 {
    let mut streams: Vec<_> =
        devices.iter().filter_map(|device| Some((*device, Keyed::new(load, *device, work)?))).collect();
    let (sequence, zeros) = load.rest();
    let mut space = Workspace::default();
    for (_, stream) in &mut streams {
        stream.packet(sequence, &zeros, &mut space, &mut see);
    }
    let mut windows = 0;
    for packet in 0..load.packets {
        if packet == warm_up {
            stopwatch.start();
        }
        for (device, stream) in &mut streams {
            let (sequence, values) = load.packet(*device, packet);
            windows += stream.packet(sequence, values, &mut space, &mut see);
        }
    }
    stopwatch.stop();
    windows
}

/// What comes out of a load.
pub fn digest(load: &Load, work: Work) -> (u64, Digest) {
    let mut digest = Digest::default();
    let windows = run(load, work, 0, &Stopwatch::default(), |features| digest.add(features));
    (windows, digest)
}

/// Looks at what is computed as little as the compiler lets it.
pub fn ignore(features: &Features) {
    black_box(&features.values);
}
