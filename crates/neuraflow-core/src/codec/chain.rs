//! What one frame hands on to the next, and the part of a frame that depends on it: the samples.

use super::bytes::{BitReader, BitWriter, Cursor, unzigzag, zigzag};
use super::error::CodecError;
use super::golomb::Means;
use super::grid::Grid;
use super::header::Coding;
use super::layout::{Layout, Profile};
use super::pack16::Tiles;
use super::tree::Tree;
use super::values::ValueType;
use super::{pack, plain, residual};

/// What one frame hands on to the next: encoder and decoder have the same.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) layout: Layout,
    pub(super) grid: Grid,
    pub(super) tree: Tree,
    /// The last sample, on the grid.
    last: Vec<i32>,
    means: Means,
}

/// Samples on the grid, `[sample][channel]`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rows<'a> {
    /// Of 16 bits, to be bit-packed at once.
    Narrow(&'a [i16]),
    Whole(&'a [i32]),
}

/// Where samples are read to: those of 16 bits that are bit-packed to `narrow`, all others to `wide`; the other one is empty.
#[derive(Debug)]
pub(super) struct Read<'a> {
    pub(super) narrow: &'a mut Vec<i16>,
    pub(super) wide: &'a mut Vec<i32>,
}

/// Working memory, kept so that most frames need no allocation.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    residuals: Vec<u32>,
    tiles: Tiles,
    /// The samples of a frame as they are written.
    pub(super) body: Vec<u8>,
    other: Vec<u8>,
    shuffled: Vec<u8>,
}

impl Chain {
    pub(super) fn new(layout: Layout, grid: Grid, tree: Tree) -> Self {
        let mut means = Means::default();
        means.restart(layout.channels);
        Self { last: vec![0; layout.channels], layout, grid, tree, means }
    }

    /// Forgets what came before, as at a key frame.
    pub(super) fn restart(&mut self, tree: Tree) {
        self.tree = tree;
        self.last.fill(0);
        self.means.restart(self.layout.channels);
    }

    /// Writes samples to `scratch.body`. A key frame has its first sample as it is; the others follow from it.
    pub(super) fn encode(
        &mut self,
        rows: Rows<'_>,
        is_key: bool,
        profile: Profile,
        scratch: &mut Scratch,
    ) -> Coding {
        scratch.body.clear();
        let raw = if is_key { self.layout.channels } else { 0 };
        match rows {
            Rows::Narrow(rows) => {
                let (first, rows) = rows.split_at(raw.min(rows.len()));
                for (last, value) in self.last.iter_mut().zip(first) {
                    *last = i32::from(*value);
                }
                self.write_raw(first.is_empty(), &mut scratch.body);
                scratch.tiles.encode(rows, &mut self.last, &self.tree, &mut scratch.body);
                Coding::Packed
            }
            Rows::Whole(rows) => {
                let (first, rows) = rows.split_at(raw.min(rows.len()));
                for (last, value) in self.last.iter_mut().zip(first) {
                    *last = *value;
                }
                self.write_raw(first.is_empty(), &mut scratch.body);
                let whole = self.grid.whole();
                residual::predict(rows, &mut self.last, &self.tree, whole, &mut scratch.residuals);
                if profile == Profile::Fast {
                    pack::encode(&scratch.residuals, self.layout.channels, whole, &mut scratch.body);
                    return Coding::Packed;
                }
                self.smallest(scratch)
            }
        }
    }

    /// The raw sample of a key frame that has any: all channels in as many bits as the largest needs.
    fn write_raw(&self, is_absent: bool, out: &mut Vec<u8>) {
        if is_absent {
            return;
        }
        let all = self.last.iter().fold(1, |all, value| all | zigzag(*value));
        let width = u32::BITS - all.leading_zeros();
        out.push(width as u8);
        let mut writer = BitWriter::new(out);
        self.last.iter().for_each(|value| writer.put(zigzag(*value), width));
        writer.finish();
    }

    fn read_raw(&mut self, bytes: &mut Cursor<'_>) -> Result<(), CodecError> {
        let width = u32::from(bytes.u8("raw sample")?);
        if !(1..=32).contains(&width) {
            let found = u64::from(width);
            return Err(CodecError::Invalid { what: "width of the raw sample", expected: "1 to 32", found });
        }
        let packed = bytes.take("raw sample", (self.last.len() * width as usize).div_ceil(8))?;
        let mut reader = BitReader::new(packed);
        let whole = self.grid.whole();
        for last in &mut self.last {
            *last = whole.wrap(unzigzag(reader.take(width).unwrap_or_default()));
        }
        Ok(())
    }

    /// Appends the residuals in the coding that takes the fewest bytes.
    fn smallest(&mut self, scratch: &mut Scratch) -> Coding {
        let (channels, whole) = (self.layout.channels, self.grid.whole());
        let Scratch { residuals, body, other, shuffled, .. } = scratch;
        let start = body.len();
        let mut means = self.means.clone();
        means.encode(residuals, body);
        let mut best = Coding::Golomb;
        let mut try_other = |coding, other: &[u8]| {
            if other.len() < body.len() - start {
                body.truncate(start);
                body.extend_from_slice(other);
                best = coding;
            }
        };
        other.clear();
        pack::encode(residuals, channels, whole, other);
        try_other(Coding::Packed, other);
        shuffled.clear();
        plain::shuffle(residuals, channels, whole, shuffled);
        try_other(Coding::Plain, shuffled);
        other.clear();
        plain::compress(shuffled, other);
        try_other(Coding::Lz4, other);
        // Means follow the frames that are coded with them, since only there the decoder sees what they follow.
        if best == Coding::Golomb {
            self.means = means;
        }
        best
    }

    /// Reads `samples` samples.
    pub(super) fn decode(
        &mut self,
        mut bytes: Cursor<'_>,
        samples: usize,
        is_key: bool,
        coding: Coding,
        scratch: &mut Scratch,
        Read { narrow, wide }: Read<'_>,
    ) -> Result<(), CodecError> {
        let (channels, whole) = (self.layout.channels, self.grid.whole());
        let is_narrow = whole == ValueType::I16 && coding == Coding::Packed;
        narrow.clear();
        wide.clear();
        let mut count = samples * channels;
        if is_key && samples > 0 {
            self.read_raw(&mut bytes)?;
            if is_narrow {
                narrow.extend(self.last.iter().map(|value| *value as i16));
            } else {
                wide.extend_from_slice(&self.last);
            }
            count -= channels;
        }
        let (bytes, residuals) = (bytes.rest(), &mut scratch.residuals);
        match coding {
            Coding::Packed if is_narrow => {
                return scratch.tiles.decode(bytes, count, &mut self.last, &self.tree, narrow);
            }
            Coding::Packed => pack::decode(bytes, count, channels, whole, residuals)?,
            Coding::Golomb => self.means.decode(bytes, count, residuals)?,
            Coding::Plain => plain::unshuffle(bytes, count, channels, whole, residuals)?,
            Coding::Lz4 => {
                let shuffled = plain::decompress(bytes, count * whole.bytes())?;
                plain::unshuffle(&shuffled, count, channels, whole, residuals)?;
            }
        }
        residual::undo(residuals, &mut self.last, &self.tree, whole, wide);
        Ok(())
    }
}
