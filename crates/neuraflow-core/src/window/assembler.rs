//! The assembler: filtered chunks in, windows out.

use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::coverage::{Counts, Coverage};
use super::grid::WindowGrid;
use super::walk::Walk;
use crate::model::{Chunk, StreamHeader, Window, WindowInfo, WindowStatus};

/// Cuts one stream's chunks into windows on a grid.
///
/// A window closes the moment its last sample is in. One that expects no sample closes when the next sample
/// after it comes. Windows come in the order of their index, each once, and none is left out but over a jump.
///
/// `status` is [`Gap`](WindowStatus::Gap) if anything inside the stream's own span was made up or missing, otherwise
/// [`Partial`](WindowStatus::Partial) if the window reaches beyond the stream's start, end or a jump, otherwise complete.
#[derive(Clone, Debug)]
pub struct WindowAssembler {
    /// The next sample.
    next: u64,
    /// Where the stream, or what follows its last jump, begins.
    span_start: u64,
    /// The open window on the grid.
    walk: Walk,
    /// The first sample after the open window.
    end: u64,
    /// The open window's first sample that can be there.
    begin: u64,
    window: Window,
}

/// What an assembler asks for while it cuts windows, and where it puts them: a [`Coverage`] and a function.
pub trait Cut {
    /// What stands behind a range of samples.
    fn counts(&self, samples: Range<u64>) -> Counts;

    /// Takes a window that has closed.
    fn window(&mut self, window: &Window);
}

impl<F: FnMut(&Window)> Cut for (&Coverage, F) {
    fn counts(&self, samples: Range<u64>) -> Counts {
        self.0.count(samples)
    }

    fn window(&mut self, window: &Window) {
        (self.1)(window);
    }
}

/// What an assembler has to remember over a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssemblerState {
    next: u64,
    span_start: u64,
    index: i64,
    channels: usize,
    values: Vec<f32>,
}

impl WindowAssembler {
    /// An assembler for a stream whose first sample is `first`: 0, or the first that the sequencer accepts.
    pub fn new(header: Arc<StreamHeader>, grid: WindowGrid, first: u64) -> Self {
        let channels = header.channels.len();
        let info = WindowInfo {
            stream: header,
            index: 0,
            start: grid.origin(),
            end: grid.origin(),
            expected: 0,
            received: 0,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        let window = Window { info, samples: Chunk::new(first, channels) };
        let walk = Walk::at(grid, grid.index_of(first));
        let mut assembler = Self { next: first, span_start: first, walk, end: 0, begin: 0, window };
        assembler.open(channels);
        assembler
    }

    /// Swaps the memory that it gathers windows in with another chunk's, which is empty then, unless it holds samples of the open window. Who has many
    /// streams lends all of them the same while they push: one whose packets end with their windows then keeps nothing in
    /// between. Nothing is copied.
    pub fn swap_space(&mut self, chunk: &mut Chunk) {
        if self.window.samples.is_empty() {
            self.window.samples.swap_memory(chunk);
        }
    }

    /// The first sample whose coverage is still needed.
    pub fn needs_from(&self) -> u64 {
        self.begin
    }

    /// The next sample that is expected.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Takes the next samples and puts out the windows that they close.
    ///
    /// `settled_from` is the first sample at which all filters ahead have settled. `arrival` is when the packet that brought this
    /// about arrived. `cut` says what stands behind the samples, at least from [`needs_from`](Self::needs_from) on.
    /// Samples that were there before are left out; where samples were left out, NaN is put.
    pub fn push(&mut self, chunk: &Chunk, settled_from: u64, arrival: u64, cut: &mut impl Cut) {
        let channels = chunk.channels();
        if channels == 0 {
            return;
        }
        if self.window.samples.is_empty() {
            self.window.samples.restart(self.begin, channels);
        }
        while self.next < chunk.end() {
            if self.next >= self.end {
                self.close(settled_from, arrival, channels, cut);
                continue;
            }
            let to = self.end.min(chunk.end());
            if self.next < chunk.first() || channels != self.window.samples.channels() {
                let to = if self.next < chunk.first() { to.min(chunk.first()) } else { to };
                self.window.samples.extend_missing((to - self.next) as usize);
                self.next = to;
            } else {
                let (from, samples) = ((self.next - chunk.first()) as usize, (to - self.next) as usize);
                let values = &chunk.values()[from * channels..(from + samples) * channels];
                self.window.samples.append(samples, values);
                self.next = to;
            }
            // A window closes with its last sample, not with the next window's first.
            if self.next == self.end {
                self.close(settled_from, arrival, channels, cut);
            }
        }
    }

    /// The stream goes on at sample `to`: what is in the open window is put out, and the windows in between never are.
    pub fn jump(&mut self, to: u64, settled_from: u64, arrival: u64, cut: &mut impl Cut) {
        if to <= self.next {
            return;
        }
        let index = self.walk.grid().index_of(to);
        if index == self.window.info.index {
            // Still the same window: to its readers this is a gap.
            self.window.samples.extend_missing((to - self.next) as usize);
            self.next = to;
            return;
        }
        self.finish(settled_from, arrival, cut);
        self.next = to;
        self.span_start = to;
        self.walk.go_to(index);
        self.open(self.window.samples.channels());
    }

    /// The stream has ended: what is in the open window is put out.
    pub fn finish(&mut self, settled_from: u64, arrival: u64, cut: &mut impl Cut) {
        let channels = self.window.samples.channels();
        if self.next > self.begin {
            self.close(settled_from, arrival, channels, cut);
        }
        // The stream lasts until its next sample would have come: windows before that which expect none are complete.
        let over = self.window.info.stream.time_of(self.next);
        while self.next > self.span_start && self.next >= self.end && self.window.info.end <= over {
            self.close(settled_from, arrival, channels, cut);
        }
    }

    /// What has to be remembered over a restart.
    pub fn state(&self) -> AssemblerState {
        AssemblerState {
            next: self.next,
            span_start: self.span_start,
            index: self.window.info.index,
            channels: self.window.samples.channels(),
            values: self.window.samples.values().to_vec(),
        }
    }

    /// Goes on from a remembered state of an assembler with the same header and grid.
    pub fn restore(&mut self, state: &AssemblerState) {
        self.next = state.next;
        self.span_start = state.span_start;
        self.walk.go_to(state.index);
        self.open(state.channels);
        self.window.samples.extend(&state.values);
    }

    /// Opens the window that the walk is at.
    fn open(&mut self, channels: usize) {
        let range = self.walk.samples();
        self.begin = range.start.max(self.span_start);
        self.end = range.end;
        let info = &mut self.window.info;
        info.index = self.walk.index();
        (info.start, info.end) = self.walk.interval();
        self.window.samples.restart(self.begin, channels);
    }

    fn close(&mut self, settled_from: u64, arrival: u64, channels: usize, cut: &mut impl Cut) {
        let own = self.begin..self.next.min(self.end).max(self.begin);
        let counts = cut.counts(own.clone());
        let length = own.end - own.start;
        let info = &mut self.window.info;
        info.expected = self.walk.expected();
        info.received = u32::try_from(counts.received).unwrap_or(u32::MAX);
        info.imputed = u32::try_from(counts.imputed).unwrap_or(u32::MAX);
        info.status = if counts.received < length {
            WindowStatus::Gap
        } else if length < u64::from(info.expected) {
            WindowStatus::Partial
        } else {
            WindowStatus::Complete
        };
        info.warm_up = own.end <= settled_from;
        info.arrival = arrival;
        cut.window(&self.window);
        self.walk.go_on();
        self.open(channels);
    }
}
