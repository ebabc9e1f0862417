//! Gaps: what is put where samples are missing.

use serde::{Deserialize, Serialize};

use super::accounting::Accounting;
use super::coverage::CoverageKind;
use super::piece::{GapExtent, Piece};
use crate::model::{Chunk, SamplingRate, Span};

/// What is put where samples are missing. Whatever it is, it is marked and counted: nothing is made up silently.
///
/// A gap means the same wherever windows or packets cut it. Single values that are not finite are missing
/// too: within [`Hold`](Self::Hold) and [`Interpolate`](Self::Interpolate) a channel keeps its last finite value for at most `up_to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum GapPolicy {
    /// NaN; filters go on afterwards with whatever they do about NaN.
    Mask,
    /// NaN, and every operator starts afresh after the gap.
    Reset,
    /// The last received sample is repeated for at most `up_to`; what a longer gap has beyond that is treated as `beyond` says.
    Hold {
        /// The longest time for which a value is repeated.
        up_to: Span,
        /// What happens after it.
        beyond: Beyond,
    },
    /// A line from the last sample before the gap to the first after it, channel by channel, in gaps of at most `up_to`. Longer
    /// gaps, and those whose end is not known, are treated as `beyond` says from their first sample on.
    Interpolate {
        /// The longest gap that is interpolated.
        up_to: Span,
        /// What happens in longer ones.
        beyond: Beyond,
    },
}

impl GapPolicy {
    /// Whether operators start afresh after a gap that is too long to be made up.
    pub fn restarts(&self) -> bool {
        match self {
            Self::Mask => false,
            Self::Reset => true,
            Self::Hold { beyond, .. } | Self::Interpolate { beyond, .. } => *beyond == Beyond::Reset,
        }
    }
}

/// What is done about a gap that is too long to be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Beyond {
    /// As [`GapPolicy::Mask`].
    Mask,
    /// As [`GapPolicy::Reset`].
    Reset,
}

impl Default for GapPolicy {
    /// Gaps of up to 10 ms are interpolated; after longer ones operators start afresh.
    fn default() -> Self {
        Self::Interpolate { up_to: Span::millis(10), beyond: Beyond::Reset }
    }
}

/// What operators get to see of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filled<'a> {
    /// The next samples: no hole is left between chunks, but after a [`Restart`](Self::Restart) beyond a jump.
    Chunk {
        /// The samples; missing values are NaN, and no other value is infinite or NaN.
        chunk: &'a Chunk,
        /// What stands behind all of them.
        coverage: CoverageKind,
    },
    /// The state of every operator is to be reset: what comes next has nothing to do with what came before.
    Restart {
        /// The next sample.
        at: u64,
    },
}

/// Fills the gaps of one stream by its policy.
///
/// ```
/// use neuraflow_core::model::{Chunk, SamplingRate};
/// use neuraflow_core::window::{Filled, GapExtent, GapFiller, GapPolicy, Piece};
/// let mut filler = GapFiller::new(GapPolicy::default(), SamplingRate::hz(250)?, 1);
/// let (mut values, mut space) = (Vec::new(), Chunk::default());
/// let mut keep = |filled: Filled<'_>| {
///     if let Filled::Chunk { chunk, .. } = filled {
///         values.extend_from_slice(chunk.values());
///     }
/// };
/// filler.piece(&Piece::Samples { first: 0, values: &[1.0, 2.0] }, &mut space, &mut keep);
/// let gap = GapExtent { start: 2, end: Some(3) };
/// filler.piece(&Piece::Missing { first: 2, count: 1, gap, after: Some(&[4.0]) }, &mut space, &mut keep);
/// assert_eq!(values, [1.0, 2.0, 3.0]);
/// assert_eq!(filler.accounting().imputed, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GapFiller {
    policy: GapPolicy,
    channels: usize,
    /// The most samples that may be made up in a row.
    up_to: u64,
    /// Each channel's last finite value and where it was; NaN if there was none since the last restart.
    last: Vec<f32>,
    last_at: Vec<u64>,
    /// Where all channels had a finite value last; where a channel's own is later, that counts.
    all_at: u64,
    /// Whether anything was received since the last restart.
    heard: bool,
    /// The start of a gap that is not interpolated, though its end may have come to light since.
    masked: Option<u64>,
    restart: bool,
    accounting: Accounting,
}

/// Chunks have at most this many values (or one sample): a long gap must not take up memory.
const MAX_VALUES: usize = 1 << 16;

impl GapFiller {
    /// A filler for a stream of `channels` channels.
    pub fn new(policy: GapPolicy, rate: SamplingRate, channels: usize) -> Self {
        let up_to = match policy {
            GapPolicy::Hold { up_to, .. } | GapPolicy::Interpolate { up_to, .. } => {
                whole_samples(rate, up_to)
            }
            _ => 0,
        };
        Self {
            policy,
            channels,
            up_to,
            last: vec![f32::NAN; channels],
            last_at: vec![0; channels],
            all_at: 0,
            heard: false,
            masked: None,
            restart: false,
            accounting: Accounting::default(),
        }
    }

    /// Goes on from a state that was remembered over a restart, with this one's policy. Answers whether the state was one of
    /// a stream with as many channels; if not, nothing happens.
    pub fn restore(&mut self, state: Self) -> bool {
        let channels = self.channels;
        if [state.channels, state.last.len(), state.last_at.len()] != [channels; 3] {
            return false;
        }
        *self = Self { policy: self.policy, up_to: self.up_to, ..state };
        true
    }

    /// What was made up (`imputed`) and what was received but not finite (`values_missing`); the rest is zero.
    pub fn accounting(&self) -> &Accounting {
        &self.accounting
    }

    /// Takes the next piece. Late samples are no part of the order, and are left out.
    ///
    /// `space` is the chunk that it works in: of no use between two pieces, so that who has many streams has one for all, and as
    /// long as the longest gap that was ever filled, up to 65,536 values.
    pub fn piece(&mut self, piece: &Piece<'_>, space: &mut Chunk, out: &mut impl FnMut(Filled<'_>)) {
        match *piece {
            Piece::Samples { first, values } => self.received(first, values, space, out),
            Piece::Missing { first, count, gap, after } => self.missing(first, count, gap, after, space, out),
            Piece::Jump { to, .. } => {
                self.forget();
                out(Filled::Restart { at: to });
            }
            Piece::Late { .. } => {}
        }
    }

    fn per_chunk(&self) -> u64 {
        (MAX_VALUES / self.channels.max(1)).max(1) as u64
    }

    fn forget(&mut self) {
        self.last.fill(f32::NAN);
        self.heard = false;
        self.masked = None;
        self.restart = false;
    }

    fn received(&mut self, first: u64, values: &[f32], chunk: &mut Chunk, out: &mut impl FnMut(Filled<'_>)) {
        if self.restart {
            self.forget();
            out(Filled::Restart { at: first });
        }
        self.heard = true;
        let most = match values.len() {
            all if all <= MAX_VALUES => all.max(1),
            _ => self.per_chunk() as usize * self.channels.max(1),
        };
        let mut n = first;
        for part in values.chunks(most) {
            let count = part.len().checked_div(self.channels).unwrap_or(0);
            let whole = &part[..count * self.channels];
            chunk.restart(n, self.channels);
            if copy_finite(whole, chunk.extend_to_fill(count)) {
                if let Some(before) = count.checked_sub(1) {
                    self.last.copy_from_slice(&whole[before * self.channels..]);
                    self.all_at = n + before as u64;
                }
            } else {
                self.clean(n, chunk);
            }
            out(Filled::Chunk { chunk, coverage: CoverageKind::Received });
            n += count as u64;
        }
    }

    /// Replaces what is not finite in the chunk, which starts at sample `first`.
    fn clean(&mut self, first: u64, chunk: &mut Chunk) {
        for (n, sample) in (first..).zip(chunk.values_mut().chunks_exact_mut(self.channels.max(1))) {
            for ((value, last), at) in sample.iter_mut().zip(&mut self.last).zip(&mut self.last_at) {
                if value.is_finite() {
                    (*last, *at) = (*value, n);
                } else {
                    self.accounting.values_missing += 1;
                    *value =
                        if n.saturating_sub(self.all_at.max(*at)) <= self.up_to { *last } else { f32::NAN };
                }
            }
        }
    }

    fn missing(
        &mut self,
        first: u64,
        count: u64,
        gap: GapExtent,
        after: Option<&[f32]>,
        space: &mut Chunk,
        out: &mut impl FnMut(Filled<'_>),
    ) {
        let end = first.saturating_add(count);
        // Up to here samples are made up.
        let imputed_end = match self.policy {
            _ if !self.heard || self.masked == Some(gap.start) => first,
            GapPolicy::Mask | GapPolicy::Reset => first,
            GapPolicy::Hold { .. } => gap.start.saturating_add(self.up_to).clamp(first, end),
            GapPolicy::Interpolate { .. } => match (gap.end, after) {
                (Some(gap_end), Some(_)) if gap_end.saturating_sub(gap.start) <= self.up_to => end,
                _ => first,
            },
        };
        self.accounting.imputed += imputed_end - first;
        self.emit(first, imputed_end, CoverageKind::Imputed, Some((gap, after)), space, out);
        if imputed_end < end {
            self.masked = Some(gap.start);
            self.restart |= self.policy.restarts();
            self.emit(imputed_end, end, CoverageKind::Missing, None, space, out);
        }
    }

    /// Puts out samples that were not received: made up from the gap around them, or else NaN.
    fn emit(
        &mut self,
        mut first: u64,
        end: u64,
        coverage: CoverageKind,
        made_up: Option<(GapExtent, Option<&[f32]>)>,
        chunk: &mut Chunk,
        out: &mut impl FnMut(Filled<'_>),
    ) {
        while first < end {
            let count = (end - first).min(self.per_chunk());
            chunk.restart(first, self.channels);
            chunk.extend_missing(count as usize);
            if let Some((gap, after)) = made_up {
                self.make_up(first, gap, after, chunk);
            }
            out(Filled::Chunk { chunk, coverage });
            first += count;
        }
    }

    fn make_up(&self, first: u64, gap: GapExtent, after: Option<&[f32]>, chunk: &mut Chunk) {
        let lines = matches!(self.policy, GapPolicy::Interpolate { .. });
        let length = gap.end.unwrap_or(gap.start).saturating_sub(gap.start) as f64 + 1.0;
        for (n, sample) in (first..).zip(chunk.values_mut().chunks_exact_mut(self.channels.max(1))) {
            let along = (n.saturating_sub(gap.start) as f64 + 1.0) / length;
            for (c, value) in sample.iter_mut().enumerate() {
                // The channel at the last sample before the gap, as it was passed on.
                let last_at = self.all_at.max(self.last_at[c]);
                let held = gap.start.saturating_sub(last_at.saturating_add(1)) <= self.up_to;
                let left = if held { self.last[c] } else { f32::NAN };
                let right = after.and_then(|after| after.get(c)).copied().filter(|v| v.is_finite() && lines);
                *value = match right {
                    Some(right) => (f64::from(left) + (f64::from(right) - f64::from(left)) * along) as f32,
                    None => left,
                };
            }
        }
    }
}

/// Copies values, and answers whether none is NaN or infinite.
fn copy_finite(from: &[f32], to: &mut [f32]) -> bool {
    // A finite number times zero is zero, and no other is. Eight sums side by side, as the compiler vectorises no test.
    let (from, rest) = from.as_chunks::<8>();
    let (to, rest_of_to) = to.as_chunks_mut::<8>();
    let mut sums = [0.0; 8];
    for (from, to) in from.iter().zip(to) {
        *to = *from;
        for (sum, value) in sums.iter_mut().zip(from) {
            *sum += value * 0.0;
        }
    }
    rest_of_to.copy_from_slice(rest);
    let sum: f32 = sums.into_iter().chain(rest.iter().map(|value| value * 0.0)).sum();
    sum == 0.0
}

/// How many samples at most lie within `span`, so that a gap of so many is no longer than it.
fn whole_samples(rate: SamplingRate, span: Span) -> u64 {
    let nanos = i128::from(span.as_nanos().max(0)) * i128::from(rate.num());
    u64::try_from(nanos / (i128::from(rate.den()) * 1_000_000_000)).unwrap_or(u64::MAX)
}
