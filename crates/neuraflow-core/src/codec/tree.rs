//! Which channel each channel is predicted from.
//!
//! Neighbouring electrodes see much the same. From one sample to the next a channel is expected to change as its
//! *parent* changed. The parents form a forest: the one of least cost (Prim 1957), where an edge costs the sum of the
//! residuals that it leaves.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::bytes::{BitReader, BitWriter};
use super::error::CodecError;

/// Parents of all channels; a channel that is its own parent is predicted from its own past alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tree {
    parents: Vec<u32>,
    /// Channels with their parents, parents before children. Who has none is given one beyond the last channel, where
    /// differences are always zero.
    links: Vec<(u32, u32)>,
}

impl Tree {
    /// Every channel by itself.
    pub(super) fn flat(channels: usize) -> Self {
        let alone = channels as u32;
        Self { links: (0..alone).map(|channel| (channel, alone)).collect(), parents: (0..alone).collect() }
    }

    /// A forest, unless the parents go round in circles.
    fn of(parents: Vec<u32>) -> Option<Self> {
        let channels = parents.len();
        // Children in one vector, grouped by parent, each group in the channels' order.
        let mut start = vec![0u32; channels + 1];
        for (child, parent) in parents.iter().enumerate() {
            if *parent as usize != child {
                *start.get_mut(*parent as usize + 1)? += 1;
            }
        }
        for n in 0..channels {
            start[n + 1] += start[n];
        }
        let mut next = start.clone();
        let mut children = vec![0u32; channels];
        let mut order = Vec::with_capacity(channels);
        for (child, parent) in parents.iter().enumerate() {
            if *parent as usize == child {
                order.push(child as u32);
            } else {
                let place = &mut next[*parent as usize];
                children[*place as usize] = child as u32;
                *place += 1;
            }
        }
        let mut done = 0;
        while done < order.len() {
            let parent = order[done] as usize;
            order.extend_from_slice(&children[start[parent] as usize..start[parent + 1] as usize]);
            done += 1;
        }
        let parent = |child: u32| match parents[child as usize] {
            parent if parent == child => channels as u32,
            parent => parent,
        };
        let links = order.into_iter().map(|child| (child, parent(child))).collect();
        (done == channels).then_some(Self { parents, links })
    }

    pub(super) fn links(&self) -> &[(u32, u32)] {
        &self.links
    }

    pub(super) fn is_flat(&self) -> bool {
        self.parents.iter().enumerate().all(|(child, parent)| child == *parent as usize)
    }

    /// The bits of each parent, in the channels' order.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let bits = width(self.parents.len());
        let mut writer = BitWriter::new(out);
        for parent in &self.parents {
            writer.put(*parent, bits);
        }
        writer.finish();
    }

    /// How many bytes a tree takes.
    pub(super) fn size(channels: usize) -> usize {
        (channels * width(channels) as usize).div_ceil(8)
    }

    /// Reads [`size`](Self::size) bytes.
    pub(super) fn read(bytes: &[u8], channels: usize) -> Result<Self, CodecError> {
        let bits = width(channels);
        let mut reader = BitReader::new(bytes);
        let parents: Vec<u32> = (0..channels).map_while(|_| reader.take(bits)).collect();
        let invalid =
            CodecError::Invalid { what: "tree of channels", expected: "no circle", found: channels as u64 };
        if parents.len() < channels {
            return Err(invalid);
        }
        Self::of(parents).ok_or(invalid)
    }
}

/// Bits that hold any of `channels` numbers.
fn width(channels: usize) -> u32 {
    usize::BITS - channels.saturating_sub(1).leading_zeros()
}

/// Most rows of a frame that are looked at.
const ROWS: usize = 8;

/// Most pairs of channels that are compared; where there are many channels, each looks at its nearest only.
const PAIRS: usize = 8_192;

/// What each pair of neighbouring channels would cost, learned while encoding.
#[derive(Clone, Debug)]
pub(super) struct Costs {
    channels: usize,
    /// How many channels beyond each are compared with it.
    reach: usize,
    alone: Vec<u64>,
    /// `[channel][distance - 1]`, for the pair of `channel` and `channel + distance`.
    pairs: Vec<u64>,
}

impl Costs {
    pub(super) fn new(channels: usize) -> Self {
        let reach = (PAIRS / channels.max(1)).clamp(4, 128).min(channels.saturating_sub(1));
        Self { channels, reach, alone: vec![0; channels], pairs: vec![0; channels * reach] }
    }

    /// Looks at a frame's rows; what was seen before counts for less and less.
    pub(super) fn learn<T: Copy + Into<i32>>(&mut self, rows: &[T]) {
        let channels = self.channels;
        let count = rows.len() / channels;
        if count < 2 || self.reach == 0 {
            return;
        }
        for cost in self.alone.iter_mut().chain(&mut self.pairs) {
            *cost -= *cost >> 4;
        }
        let stride = ((count - 1) / ROWS).max(1);
        let mut change = vec![0i32; channels];
        for row in (1..count).step_by(stride).take(ROWS) {
            let (before, now) = rows[(row - 1) * channels..(row + 1) * channels].split_at(channels);
            for (change, (now, before)) in change.iter_mut().zip(now.iter().zip(before)) {
                // Bounded, so that the difference of two is in range.
                *change = (*now).into().saturating_sub((*before).into()).clamp(-(1 << 30), 1 << 30);
            }
            for (channel, own) in change.iter().enumerate() {
                self.alone[channel] += u64::from(own.unsigned_abs());
                let others = &change[channel + 1..channels.min(channel + 1 + self.reach)];
                for (cost, other) in self.pairs[channel * self.reach..].iter_mut().zip(others) {
                    *cost += u64::from(own.abs_diff(*other));
                }
            }
        }
    }

    /// The cheapest forest.
    pub(super) fn tree(&self) -> Tree {
        let channels = self.channels;
        let mut parents: Vec<u32> = (0..channels as u32).collect();
        let mut best = self.alone.clone();
        let mut done = vec![false; channels];
        let mut heap: BinaryHeap<_> =
            best.iter().enumerate().map(|(channel, cost)| Reverse((*cost, channel))).collect();
        while let Some(Reverse((cost, channel))) = heap.pop() {
            if done[channel] || cost > best[channel] {
                continue;
            }
            done[channel] = true;
            let below = channel.saturating_sub(self.reach)..channel;
            let above = channel + 1..channels.min(channel + 1 + self.reach);
            for other in below.chain(above) {
                let (low, high) = (channel.min(other), channel.max(other));
                let cost = self.pairs[low * self.reach + high - low - 1];
                if !done[other] && cost < best[other] {
                    best[other] = cost;
                    parents[other] = channel as u32;
                    heap.push(Reverse((cost, other)));
                }
            }
        }
        // Prim's parents go round in no circle.
        Tree::of(parents).unwrap_or_else(|| Tree::flat(channels))
    }
}
