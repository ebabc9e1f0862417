//! Epochs: segments of a fixed number of samples around markers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::error::WindowError;
use super::grid::{EDGE, first_at, time_at};
use crate::model::{Chunk, Marker, Span, StreamHeader, Timestamp, Window, WindowInfo, WindowStatus};

/// Which segments are cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochConfig {
    /// How far before the marker an epoch begins; negative if it begins after it.
    pub before: Span,
    /// How far after the marker it ends.
    pub after: Span,
    /// The labels of the markers that are cut at; empty for all.
    pub labels: Vec<String>,
    /// How much later than its epoch's end a marker may arrive (10 s by default).
    pub history: Span,
}

impl EpochConfig {
    /// Epochs from `before` ahead of every marker to `after` behind it.
    pub fn new(before: Span, after: Span) -> Self {
        Self { before, after, labels: Vec::new(), history: Span::secs(10) }
    }

    /// Only at markers with one of these labels.
    #[must_use]
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.labels = labels.into_iter().map(Into::into).collect();
        self
    }
}

/// What became of the markers of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochCounts {
    /// Markers that came in.
    pub markers: u64,
    /// Markers whose label was not asked for.
    pub ignored: u64,
    /// Epochs that were put out, complete or not.
    pub emitted: u64,
    /// Epochs of which no sample was there: before the stream's start, after its end, inside
    /// a jump, or longer ago than the history.
    pub missed: u64,
    /// Markers that could not be kept, since 4,096 epochs were waiting for their samples.
    pub refused: u64,
}

/// Cuts epochs from one stream's chunks.
///
/// An epoch's first sample is the one nearest to `marker.time − before`, and it always has
/// `rate.samples_in(before + after)` samples. It is put out with its last sample, or at once if that is there
/// already; epochs may overlap. Its `index` is the marker's number among all markers of the stream, from 0.
///
/// Nothing is left out silently. Samples that the epoch wants and that are not there, since the stream starts, ends or jumps within it
/// or its beginning is longer ago than the history, are NaN, and its status is [`Partial`](WindowStatus::Partial), or
/// [`Gap`](WindowStatus::Gap) if samples are missing or made up besides. Where `samples` would begin before sample 0, `samples.first()`
/// is 0; `info.start` is right. Epochs without a single sample are only [counted](EpochCounts).
#[derive(Clone, Debug)]
pub struct EpochCutter {
    config: EpochConfig,
    length: u64,
    /// How many samples are remembered.
    capacity: u64,
    window: Window,
    state: EpochState,
}

/// What an epoch cutter has to remember over a restart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochState {
    /// The first sample of `values`.
    start: u64,
    channels: usize,
    values: Vec<f32>,
    coverage: Coverage,
    /// By first sample, then by number.
    pending: Vec<Pending>,
    counts: EpochCounts,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    first: i64,
    ordinal: u64,
    marker: Arc<Marker>,
}

const MAX_PENDING: usize = 4_096;

impl EpochCutter {
    /// A cutter for a stream whose first sample is `first`: 0, or the first that the sequencer accepts.
    ///
    /// # Errors
    /// An epoch that holds no sample, or more than `u32::MAX` together with the history.
    pub fn new(header: Arc<StreamHeader>, config: EpochConfig, first: u64) -> Result<Self, WindowError> {
        let span = config.before + config.after;
        let length = header.rate.samples_in(span);
        let within = |span: Span| (-EDGE..=EDGE).contains(&span.as_nanos());
        if length == 0 || !within(span) || !within(config.before) || !within(config.after) {
            return Err(WindowError::Length { what: "an epoch", found: span });
        }
        let capacity = length.saturating_add(header.rate.samples_in(config.history));
        if capacity > u64::from(u32::MAX) {
            return Err(WindowError::Samples { found: capacity });
        }
        let channels = header.channels.len();
        let info = WindowInfo {
            stream: header,
            index: 0,
            start: Timestamp::EPOCH,
            end: Timestamp::EPOCH,
            expected: length as u32,
            received: 0,
            imputed: 0,
            status: WindowStatus::Complete,
            warm_up: false,
            arrival: 0,
            marker: None,
        };
        let state = EpochState {
            start: first,
            channels,
            values: Vec::new(),
            coverage: Coverage::default(),
            pending: Vec::new(),
            counts: EpochCounts::default(),
        };
        Ok(Self {
            config,
            length,
            capacity,
            window: Window { info, samples: Chunk::new(0, channels) },
            state,
        })
    }

    /// Samples in every epoch.
    pub fn samples(&self) -> u64 {
        self.length
    }

    /// What became of the markers so far. Those that are in none of the other counts wait for their samples.
    pub fn counts(&self) -> &EpochCounts {
        &self.state.counts
    }

    /// Takes a marker. If the samples of its epoch are there already, the epoch is put out at once.
    pub fn marker(
        &mut self,
        marker: Arc<Marker>,
        settled_from: u64,
        arrival: u64,
        out: &mut impl FnMut(&Window),
    ) {
        let ordinal = self.state.counts.markers;
        self.state.counts.markers += 1;
        if !self.config.labels.is_empty() && !self.config.labels.contains(&marker.label) {
            self.state.counts.ignored += 1;
            return;
        }
        let first = self.nearest(marker.time - self.config.before);
        let epoch = Pending { first, ordinal, marker };
        if self.end_of(&epoch) <= i128::from(self.position()) {
            self.emit(&epoch, settled_from, arrival, out);
        } else if self.state.pending.len() >= MAX_PENDING {
            self.state.counts.refused += 1;
        } else {
            let at = self.state.pending.partition_point(|p| (p.first, p.ordinal) < (first, ordinal));
            self.state.pending.insert(at, epoch);
        }
    }

    /// Takes the next samples, and puts out the epochs that they complete. Arguments as for
    /// [`WindowAssembler::push`](super::WindowAssembler::push).
    pub fn push(
        &mut self,
        chunk: &Chunk,
        coverage: &Coverage,
        settled_from: u64,
        arrival: u64,
        out: &mut impl FnMut(&Window),
    ) {
        let channels = chunk.channels();
        if channels == 0 || chunk.end() <= self.position() {
            return;
        }
        if chunk.first() > self.position() {
            self.jump(chunk.first(), settled_from, arrival, out);
        }
        if channels != self.state.channels {
            (self.state.start, self.state.channels) = (self.position(), channels);
            self.state.values.clear();
        }
        while self.position() < chunk.end() {
            let n = self.position();
            let due = self.state.pending.first().map_or(i128::MAX, |p| self.end_of(p));
            let to = i128::from(chunk.end().min(n + self.capacity)).min(due).max(i128::from(n) + 1) as u64;
            let part = (n - chunk.first()) as usize * channels..(to - chunk.first()) as usize * channels;
            self.state.values.extend_from_slice(&chunk.values()[part]);
            for (run, kind) in coverage.runs(n..to) {
                self.state.coverage.push(run.start, run.end - run.start, kind);
            }
            while self.state.pending.first().is_some_and(|p| self.end_of(p) <= i128::from(to)) {
                let epoch = self.state.pending.remove(0);
                self.emit(&epoch, settled_from, arrival, out);
            }
            // Twice as much is kept at most, so that moving it costs little; what is used never depends on it.
            if to - self.state.start >= 2 * self.capacity {
                let forgotten = to - self.capacity - self.state.start;
                self.state.values.drain(..forgotten as usize * channels);
                self.state.start += forgotten;
                self.state.coverage.forget_before(self.state.start);
            }
        }
    }

    /// The stream goes on at sample `to`: epochs that have begun are put out as far as they are there.
    pub fn jump(&mut self, to: u64, settled_from: u64, arrival: u64, out: &mut impl FnMut(&Window)) {
        let position = self.position();
        if to <= position {
            return;
        }
        let pending = std::mem::take(&mut self.state.pending);
        for epoch in pending {
            if epoch.first < saturate(position) || self.end_of(&epoch) <= i128::from(to) {
                self.emit(&epoch, settled_from, arrival, out);
            } else {
                self.state.pending.push(epoch);
            }
        }
        self.state.start = to;
        self.state.values.clear();
    }

    /// The stream has ended: epochs that have begun are put out as far as they are there.
    pub fn finish(&mut self, settled_from: u64, arrival: u64, out: &mut impl FnMut(&Window)) {
        for epoch in std::mem::take(&mut self.state.pending) {
            self.emit(&epoch, settled_from, arrival, out);
        }
    }

    /// What has to be remembered over a restart.
    pub fn state(&self) -> &EpochState {
        &self.state
    }

    /// Goes on from a remembered state of a cutter with the same header and configuration.
    pub fn restore(&mut self, state: EpochState) {
        self.state = state;
    }

    /// The next sample that is expected: coverage is still needed from here on.
    pub fn needs_from(&self) -> u64 {
        self.position()
    }

    fn position(&self) -> u64 {
        self.state.start + (self.state.values.len() / self.state.channels.max(1)) as u64
    }

    fn end_of(&self, epoch: &Pending) -> i128 {
        i128::from(epoch.first) + i128::from(self.length)
    }

    /// The sample nearest to an instant, the earlier one on a tie; before sample 0 it is negative.
    fn nearest(&self, time: Timestamp) -> i64 {
        let header = &self.window.info.stream;
        let after = first_at(header.t0, header.rate, time);
        let at = |n| time_at(header.t0, header.rate, n);
        let time = i128::from(time.as_nanos());
        let n = if time - at(after - 1) <= at(after) - time { after - 1 } else { after };
        n.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }

    fn emit(&mut self, epoch: &Pending, settled_from: u64, arrival: u64, out: &mut impl FnMut(&Window)) {
        let (position, first, end) = (self.position(), i128::from(epoch.first), self.end_of(epoch));
        let known = self.state.start.max(position.saturating_sub(self.capacity));
        let from = first.max(i128::from(known));
        let to = end.min(i128::from(position));
        if from >= to {
            self.state.counts.missed += 1;
            return;
        }
        let channels = self.state.channels;
        let samples = &mut self.window.samples;
        samples.restart(u64::try_from(first).unwrap_or(0), channels);
        samples.extend_missing((from - first) as usize);
        let (from, to) = (from as u64, to as u64);
        let held = (from - self.state.start) as usize * channels..(to - self.state.start) as usize * channels;
        samples.extend(&self.state.values[held]);
        samples.extend_missing((end - i128::from(to)) as usize);
        let counts = self.state.coverage.count(from..to);
        let info = &mut self.window.info;
        let instant = |n| {
            let nanos = time_at(info.stream.t0, info.stream.rate, n);
            Timestamp::from_nanos(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
        };
        (info.start, info.end) = (instant(first), instant(end));
        info.index = saturate(epoch.ordinal);
        info.received = counts.received as u32;
        info.imputed = counts.imputed as u32;
        info.status = if counts.received < to - from {
            WindowStatus::Gap
        } else if counts.received < self.length {
            WindowStatus::Partial
        } else {
            WindowStatus::Complete
        };
        info.warm_up = end <= i128::from(settled_from);
        info.arrival = arrival;
        info.marker = Some(epoch.marker.clone());
        self.state.counts.emitted += 1;
        out(&self.window);
    }
}

fn saturate(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
