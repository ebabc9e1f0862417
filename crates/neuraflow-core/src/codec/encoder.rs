//! From samples to frames.

use super::bytes::{BitWriter, put_varint};
use super::chain::{Chain, Rows, Scratch};
use super::error::CodecError;
use super::grid::{Exception, Grid};
use super::header::{Coding, Head, Key, seal};
use super::layout::{Config, Layout, MAX_VALUES, Profile};
use super::tree::{Costs, Tree};
use super::values::Values;

/// Samples to encode as one frame.
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a> {
    /// The device's counter at the first sample.
    pub sequence: u64,
    /// Index of the first sample in the stream.
    pub first: u64,
    /// `[sample][channel]`, of the samples that are not missing.
    pub values: Values<'a>,
    /// For every sample of the frame whether it is missing; empty where none is.
    pub missing: &'a [bool],
}

/// Encodes the samples of one stream, frame by frame.
///
/// A frame continues the one before unless it is a key frame, so frames must be decoded in the order in which they were encoded.
#[derive(Clone, Debug)]
pub struct Encoder {
    config: Config,
    costs: Costs,
    chain: Chain,
    before: Option<Before>,
    whole: Vec<i32>,
    exceptions: Vec<Exception>,
    scratch: Scratch,
}

/// The frame before.
#[derive(Clone, Copy, Debug)]
struct Before {
    checksum: u32,
    /// Frames since the last key frame, that one included.
    frames: u32,
}

impl Encoder {
    /// For a stream of `layout`.
    pub fn new(layout: Layout, config: Config) -> Result<Self, CodecError> {
        layout.check()?;
        config.check()?;
        let channels = layout.channels;
        let grid = Grid::of(&layout, &config);
        Ok(Self {
            config,
            costs: Costs::new(channels),
            chain: Chain::new(layout, grid, Tree::flat(channels)),
            before: None,
            whole: Vec::new(),
            exceptions: Vec::new(),
            scratch: Scratch::default(),
        })
    }

    /// The stream's layout.
    pub fn layout(&self) -> &Layout {
        &self.chain.layout
    }

    /// By how much a decoded value may be off at most, in the layout's unit: 0 where the codec is lossless.
    pub fn max_error(&self) -> f64 {
        self.chain.grid.max_error(&self.chain.layout)
    }

    /// Makes the next frame a key frame, for example where a new file or partition begins.
    pub fn restart(&mut self) {
        self.before = None;
    }

    /// Appends one frame to `out`. After an error `out` is as it was, and the next frame continues the last one that was encoded.
    pub fn encode(&mut self, samples: Samples<'_>, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let count = self.count(&samples)?;
        self.exceptions.clear();
        let rows = match (self.config.profile, self.chain.grid, samples.values) {
            (Profile::Fast, Grid::Exact(_), Values::I16(values)) => {
                self.costs.learn(values);
                Rows::Narrow(values)
            }
            (_, grid, values) => {
                grid.to_whole(values, &mut self.whole, &mut self.exceptions)?;
                self.costs.learn(&self.whole);
                Rows::Whole(&self.whole)
            }
        };
        let continued = self.before.filter(|before| before.frames < self.config.key_interval);
        if continued.is_none() {
            self.chain.restart(self.costs.tree());
        }
        let coding = self.chain.encode(rows, continued.is_none(), self.config.profile, &mut self.scratch);
        let start = out.len();
        self.write_head(&samples, count as u64, coding, continued, out);
        if !self.exceptions.is_empty() {
            write_exceptions(&self.exceptions, out);
        }
        out.extend_from_slice(&self.scratch.body);
        let frames = continued.map_or(1, |before| before.frames + 1);
        self.before = Some(Before { checksum: seal(out, start), frames });
        Ok(())
    }

    /// How many samples these are, if they are what the layout says.
    fn count(&self, samples: &Samples<'_>) -> Result<usize, CodecError> {
        let Layout { channels, values, .. } = self.chain.layout;
        samples.values.check(values)?;
        let found = samples.values.len();
        let present = match samples.missing {
            [] => found / channels,
            missing => missing.iter().filter(|missing| !**missing).count(),
        };
        let expected = present.saturating_mul(channels);
        if found != expected || samples.missing.is_empty() && found == 0 {
            let expected = expected.max(channels) as u64;
            return Err(CodecError::Shape { expected, channels, found: found as u64 });
        }
        let count = present.max(samples.missing.len());
        let found = count.saturating_mul(channels);
        if found > MAX_VALUES {
            let (expected, found) = (MAX_VALUES as u64, found as u64);
            return Err(CodecError::TooLarge { what: "values of a frame", expected, found });
        }
        Ok(count)
    }

    fn write_head(
        &self,
        samples: &Samples<'_>,
        count: u64,
        coding: Coding,
        continued: Option<Before>,
        out: &mut Vec<u8>,
    ) {
        let Chain { layout, grid, tree, .. } = &self.chain;
        let has_gaps = samples.missing.contains(&true);
        let head = Head {
            sequence: samples.sequence,
            first: samples.first,
            samples: count,
            coding,
            key: continued.map_or(Ok(Key { layout, grid: *grid, tree }), |before| Err(before.checksum)),
            has_gaps,
            has_exceptions: !self.exceptions.is_empty(),
        };
        head.write(out);
        if has_gaps {
            let mut bits = BitWriter::new(out);
            samples.missing.iter().for_each(|missing| bits.put(u32::from(*missing), 1));
            bits.finish();
        }
    }
}

/// Their number, then for each how many values lie between it and the one before, and its bits.
fn write_exceptions(exceptions: &[Exception], out: &mut Vec<u8>) {
    put_varint(out, exceptions.len() as u64);
    let mut next = 0;
    for exception in exceptions {
        put_varint(out, (exception.at - next) as u64);
        out.extend_from_slice(&exception.bits.to_le_bytes());
        next = exception.at + 1;
    }
}
