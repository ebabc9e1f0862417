//! The sequencer: packets in, an ordered stream of pieces out.

use serde::{Deserialize, Serialize};

use super::accounting::Accounting;
use super::given_up::{Dropped, GivenUp, Why};
use super::grid::WindowGrid;
use super::piece::Piece;
use super::release::Deadline;
use super::reorder::Reorder;
use super::suspect::Suspect;
use crate::model::{Sequence, SequenceBits, Span, StreamHeader};

/// How long the sequencer waits for what is missing, and what it believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequencerConfig {
    /// How far beyond the end of a missing sample's window the stream must have come before the sample is given up.
    /// Event time of the stream itself; 10 ms by default.
    pub lateness: Span,
    /// How many samples may wait for earlier ones (65,536 by default, at least 1). Beyond that the oldest gap is given up.
    pub reorder_samples: usize,
    /// The longest gap (10 s by default). A packet further ahead than this is believed once another confirms it,
    /// and what lies in between is skipped.
    pub max_jump: Span,
    /// The first sample that is still accepted: any before it is late. Zero by default.
    pub first: u64,
}

impl Default for SequencerConfig {
    fn default() -> Self {
        Self { lateness: Span::millis(10), reorder_samples: 1 << 16, max_jump: Span::secs(10), first: 0 }
    }
}

/// Puts the packets of one stream in order.
///
/// A packet is placed by the device's counter, which counts samples: its first sample is as far from the
/// highest seen so far as the signed modular difference of their counters says. From there on every sample is judged on
/// its own, so it does not matter how samples were packed: one that is next is passed on at once, one beyond
/// a gap waits, one that was there before is a duplicate, one whose place was given up is late.
///
/// A missing sample is given up once the stream has come `lateness` beyond the end of that sample's window, once
/// too many samples wait for it, or once the stream ends. A gap of half the counter's range or more cannot be seen: with an
/// 8-bit counter at 250 Hz that is half a second.
///
/// ```
/// use neuraflow_core::model::{Channel, SamplingRate, Span, StreamHeader, StreamKey};
/// use neuraflow_core::window::{Piece, Sequencer, SequencerConfig, WindowGrid};
/// let key = StreamKey::of_names("session", "device");
/// let header = StreamHeader::new(key, "device", SamplingRate::hz(250)?, vec![Channel::new("Cz")]);
/// let grid = WindowGrid::of(&header, Span::millis(50))?;
/// let mut sequencer = Sequencer::new(&header, grid, SequencerConfig::default());
/// let mut order = Vec::new();
/// for (sequence, value) in [(0, 0.0), (2, 2.0), (1, 1.0), (1, 1.0)] {
///     sequencer.samples(sequence, &[value], &mut |piece| match piece {
///         Piece::Samples { values, .. } => order.extend_from_slice(values),
///         other => unreachable!("{other:?}"),
///     });
/// }
/// assert_eq!(order, [0.0, 1.0, 2.0]);
/// assert_eq!(sequencer.accounting().duplicate, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sequencer {
    pub(super) grid: WindowGrid,
    pub(super) config: SequencerConfig,
    pub(super) bits: SequenceBits,
    pub(super) first_sequence: Sequence,
    pub(super) channels: usize,
    /// The longest gap, in samples.
    pub(super) max_jump: u64,
    /// The first sample beyond the calendar.
    pub(super) limit: u64,
    /// Everything before this has been passed on.
    pub(super) next: u64,
    /// The highest sample that was seen or reported as dropped.
    pub(super) highest: Option<u64>,
    /// Where the gap began that `next` is in, if part of it was given up.
    pub(super) gap_start: Option<u64>,
    pub(super) ended: bool,
    pub(super) waiting: Reorder,
    pub(super) dropped: Dropped,
    pub(super) given_up: GivenUp,
    pub(super) suspect: Option<Suspect>,
    pub(super) deadline: Option<Deadline>,
    pub(super) accounting: Accounting,
}

impl Sequencer {
    /// A sequencer for one stream, with the grid that its windows will be cut on.
    pub fn new(header: &StreamHeader, grid: WindowGrid, config: SequencerConfig) -> Self {
        let mut given_up = GivenUp::default();
        given_up.push(0..config.first, Why::Before);
        Self {
            grid,
            config,
            bits: header.sequence,
            first_sequence: header.first_sequence,
            channels: header.channels.len(),
            max_jump: header.rate.samples_in(config.max_jump),
            limit: grid.end_of_time(),
            next: config.first,
            highest: None,
            gap_start: None,
            ended: false,
            waiting: Reorder::new(header.channels.len()),
            dropped: Dropped::default(),
            given_up,
            suspect: None,
            deadline: None,
            accounting: Accounting::default(),
        }
    }

    /// Where the samples ended up so far. What is made up or not finite is counted by the [`GapFiller`](super::GapFiller).
    pub fn accounting(&self) -> &Accounting {
        &self.accounting
    }

    /// Goes on from a state that was remembered over a restart, with this one's lateness. Answers whether the state was one
    /// of a stream with the same grid, channels and counter; if not, nothing happens.
    pub fn restore(&mut self, state: Self) -> bool {
        let own = |s: &Self| (s.grid, s.bits, s.first_sequence, s.channels);
        if own(self) != own(&state) {
            return false;
        }
        let lateness = self.config.lateness;
        // A deadline is computed again when it is asked for.
        *self = Self { deadline: None, ..state };
        self.config.lateness = lateness;
        true
    }

    /// The grid that its windows are cut on.
    pub fn grid(&self) -> &WindowGrid {
        &self.grid
    }

    /// Samples that wait for earlier ones, or for a packet that confirms them.
    pub fn buffered(&self) -> u64 {
        self.waiting.len() as u64 + self.suspect.as_ref().map_or(0, |s| s.len(self.channels))
    }

    /// The next sample in order: everything before it has been passed on.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Takes samples, `[sample][channel]`; `sequence` is the device's counter at the first of them.
    ///
    /// Nothing is too strange to be taken: values that are no whole number of samples are counted as rejected
    /// (the last, incomplete one as a whole), and so is what lies before sample 0 or beyond the calendar.
    pub fn samples(&mut self, sequence: Sequence, values: &[f32], out: &mut impl FnMut(Piece<'_>)) {
        if let Some(count) = self.goes_on(sequence, values) {
            self.accounting.samples_in += count;
            self.received(count, values, out);
            self.highest = self.next.checked_sub(1);
            return;
        }
        self.judge(sequence, values, out);
    }

    /// Takes a packet of whatever kind.
    pub(super) fn judge(&mut self, sequence: Sequence, values: &[f32], out: &mut impl FnMut(Piece<'_>)) {
        let count = values.len().div_ceil(self.channels.max(1)) as u64;
        self.accounting.samples_in += count;
        if self.channels == 0 || !values.len().is_multiple_of(self.channels) {
            self.accounting.rejected += count;
            return;
        }
        if count == 0 {
            return;
        }
        if let Some(ahead) = self.beside_suspect(sequence) {
            return self.samples_at_suspect(ahead, values, out);
        }
        let n = self.place(sequence);
        // What lies before sample 0 or beyond the calendar is no part of the stream.
        let begin = n.clamp(0, i128::from(self.limit));
        let end = (n + i128::from(count)).clamp(begin, i128::from(self.limit));
        self.accounting.rejected += count - (end - begin) as u64;
        if begin == end {
            return;
        }
        let values = &values[(begin - n) as usize * self.channels..(end - n) as usize * self.channels];
        let (begin, end) = (begin as u64, end as u64);
        if begin > self.base().saturating_add(self.max_jump) && !self.ended {
            self.suspect(begin, values);
            return;
        }
        if end > self.base() {
            self.reject_suspect();
        }
        self.accept(begin, values, out);
    }

    /// Takes note that `samples` samples arrived and were given up by the source, the first with the counter `sequence`.
    ///
    /// They count as dropped, whether or not they can be placed. Where the stream reaches them they are missing, not lost.
    /// More of them than a gap may be long are skipped by a jump.
    pub fn dropped(&mut self, sequence: Sequence, samples: u64, out: &mut impl FnMut(Piece<'_>)) {
        // A claim that no device can have earned must not spoil the books.
        let samples = samples.min(self.limit).min((1 << 62) - self.accounting.samples_in.min(1 << 62));
        self.accounting.samples_in += samples;
        self.accounting.dropped += samples;
        if samples == 0 || self.ended {
            return;
        }
        if let Some(ahead) = self.beside_suspect(sequence)
            && ahead >= self.suspect.as_ref().map_or(0, |s| s.len(self.channels))
        {
            self.confirm_suspect(out);
        }
        let n = self.place(sequence);
        let end = n + i128::from(samples);
        let base = self.base();
        if end <= 0 || end > i128::from(self.limit) || n > i128::from(base.saturating_add(self.max_jump)) {
            return;
        }
        let (begin, end) = (n.max(0) as u64, end as u64);
        self.lost_were_dropped(begin, end.min(self.next));
        if end > base {
            self.reject_suspect();
        }
        self.dropped.add(begin.max(self.next)..end.max(self.next));
        if end > base.saturating_add(self.max_jump) {
            self.jump(end, out);
        }
        self.highest = self.highest.max(Some(end - 1));
        self.settle(out);
    }

    /// The stream has been silent for longer than its timeout: whatever waits is passed on, and the window of
    /// the highest sample seen is filled up with missing samples, so that it closes. Again and again, it does nothing more.
    pub fn silent(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        let Some(highest) = self.highest.filter(|h| !self.ended && *h >= self.config.first) else { return };
        self.flush(out);
        let end = self.grid.samples(self.grid.index_of(highest)).end;
        self.missing(end, None, out);
        self.settle(out);
    }

    /// The stream has ended: everything that waits is passed on. `next` is the counter that the next sample
    /// would have had, where the device says it: what is missing before it is lost. Samples that still follow are
    /// late, duplicate or rejected.
    pub fn end(&mut self, next: Option<Sequence>, out: &mut impl FnMut(Piece<'_>)) {
        if self.ended {
            return;
        }
        match (next, &self.suspect) {
            (Some(sequence), Some(suspect)) => {
                let own = suspect.len(self.channels);
                if self.beside_suspect(sequence).is_some_and(|ahead| ahead >= own) {
                    self.confirm_suspect(out);
                } else {
                    self.reject_suspect();
                }
            }
            // Nothing contradicted it.
            (None, Some(_)) => self.confirm_suspect(out),
            (_, None) => {}
        }
        self.flush(out);
        if let Some(sequence) = next {
            let end = self.place(sequence).clamp(0, i128::from(self.limit)) as u64;
            if end > self.base().saturating_add(self.max_jump) {
                self.jump(end, out);
            } else {
                self.missing(end, None, out);
            }
        }
        self.ended = true;
    }
}
