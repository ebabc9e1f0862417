//! The whole path from packets to windows, with everything that comes out kept.
#![allow(dead_code, unreachable_pub)] // each test file uses its part
#![allow(clippy::unwrap_used)]

pub mod naive;

use std::ops::Range;
use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, SamplingRate, SequenceBits, Span, StreamHeader, StreamKey, Timestamp, Window,
    WindowStatus,
};
use neuraflow_core::window::{
    Accounting, Coverage, Filled, GapFiller, GapPolicy, Piece, Sequencer, SequencerConfig, WindowAssembler,
    WindowGrid,
};

/// What happens to a stream; samples are named by their number, which is also their value.
#[derive(Clone, Debug)]
pub enum Event {
    Samples(Range<u64>),
    Raw(u64, Vec<f32>),
    Dropped(Range<u64>),
    Silent,
    End(Option<u64>),
}

impl Event {
    pub fn samples(range: Range<u64>) -> Self {
        Self::Samples(range)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    pub index: i64,
    pub first: u64,
    pub expected: u32,
    pub received: u32,
    pub imputed: u32,
    pub status: WindowStatus,
    pub values: Vec<f32>,
}

impl Closed {
    /// Everything, with the values by their bits.
    pub fn bits(&self) -> (i64, u64, [u32; 3], WindowStatus, Vec<u32>) {
        let values = self.values.iter().map(|v| v.to_bits()).collect();
        (self.index, self.first, [self.expected, self.received, self.imputed], self.status, values)
    }
}

impl From<&Window> for Closed {
    fn from(window: &Window) -> Self {
        let info = &window.info;
        Self {
            index: info.index,
            first: window.samples.first(),
            expected: info.expected,
            received: info.received,
            imputed: info.imputed,
            status: info.status,
            values: window.samples.values().to_vec(),
        }
    }
}

#[derive(Debug, Default)]
pub struct Run {
    pub windows: Vec<Closed>,
    pub late: Vec<u64>,
    pub jumps: Vec<(u64, u64)>,
    pub restarts: Vec<u64>,
    pub accounting: Accounting,
    pub buffered: u64,
}

pub struct Path {
    pub header: Arc<StreamHeader>,
    pub grid: WindowGrid,
    pub sequencer: Sequencer,
    pub filler: GapFiller,
    pub coverage: Coverage,
    pub space: Chunk,
    pub assembler: WindowAssembler,
    pub run: Run,
}

impl Path {
    pub fn new(hz: f64, bits: u8, t0: i64, policy: GapPolicy, config: SequencerConfig) -> Self {
        let rate = SamplingRate::from_hz(hz).unwrap();
        let key = StreamKey::of_names("session", "device");
        let mut header = StreamHeader::new(key, "device", rate, vec![Channel::new("Cz")]);
        header.sequence = SequenceBits::new(bits).unwrap();
        header.first_sequence = header.sequence.modulus() - 3; // wraps soon
        header.t0 = Timestamp::from_nanos(t0);
        let header = Arc::new(header);
        let grid = WindowGrid::of(&header, Span::millis(50)).unwrap();
        Self {
            grid,
            sequencer: Sequencer::new(&header, grid, config),
            filler: GapFiller::new(policy, rate, 1),
            coverage: Coverage::default(),
            space: Chunk::default(),
            assembler: WindowAssembler::new(header.clone(), grid, config.first),
            header,
            run: Run::default(),
        }
    }

    pub fn sequence(&self, n: u64) -> u64 {
        self.header.sequence.wrap(self.header.first_sequence.wrapping_add(n))
    }

    pub fn take(&mut self, event: &Event) {
        let wrap = |n: u64| self.header.sequence.wrap(self.header.first_sequence.wrapping_add(n));
        let Self { sequencer, filler, coverage, space, assembler, run, .. } = self;
        let (windows, late, jumps, restarts) =
            (&mut run.windows, &mut run.late, &mut run.jumps, &mut run.restarts);
        let mut keep = |window: &Window| windows.push(Closed::from(window));
        let mut position = sequencer.position();
        let mut piece = |piece: Piece<'_>| {
            // Pieces in order begin where the one before ended.
            match piece {
                Piece::Samples { first, values } => {
                    assert_eq!(first, position);
                    position += values.len() as u64;
                }
                Piece::Missing { first, count, gap, after } => {
                    assert_eq!(first, position);
                    assert!(gap.start <= first && gap.end.is_none_or(|end| first + count <= end));
                    assert_eq!(gap.end.is_some(), after.is_some());
                    position += count;
                }
                Piece::Jump { from, to } => {
                    assert_eq!(from, position);
                    assert!(to > from);
                    position = to;
                    jumps.push((from, to));
                }
                Piece::Late { first, values } => late.extend(first..first + values.len() as u64),
            }
            filler.piece(&piece, space, &mut |filled| match filled {
                Filled::Chunk { chunk, coverage: kind } => {
                    coverage.push(chunk.first(), chunk.len() as u64, kind);
                    assembler.push(chunk, 0, 0, &mut (&*coverage, &mut keep));
                    coverage.forget_before(assembler.needs_from());
                }
                Filled::Restart { at } => restarts.push(at),
            });
            if let Piece::Jump { to, .. } = piece {
                assembler.jump(to, 0, 0, &mut (&*coverage, &mut keep));
            }
        };
        match event {
            Event::Samples(range) => {
                let values: Vec<f32> = range.clone().map(|n| n as f32).collect();
                sequencer.samples(wrap(range.start), &values, &mut piece);
            }
            Event::Raw(sequence, values) => sequencer.samples(*sequence, values, &mut piece),
            Event::Dropped(range) => {
                sequencer.dropped(wrap(range.start), range.end - range.start, &mut piece)
            }
            Event::Silent => sequencer.silent(&mut piece),
            Event::End(next) => sequencer.end(next.map(wrap), &mut piece),
        }
        if matches!(event, Event::End(_)) {
            assembler.finish(0, 0, &mut (&*coverage, &mut keep));
        }
        run.accounting = *sequencer.accounting();
        run.accounting.add(filler.accounting());
        run.buffered = sequencer.buffered();
        assert_eq!(run.accounting.samples_in, run.accounting.settled() + run.buffered);
    }
}

pub fn run(hz: f64, bits: u8, policy: GapPolicy, config: SequencerConfig, events: &[Event]) -> Run {
    let mut path = Path::new(hz, bits, 0, policy, config);
    for event in events {
        path.take(event);
    }
    path.run
}
