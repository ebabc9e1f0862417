//! What is put into gaps, and what is made of values that are not finite.
#![allow(clippy::unwrap_used)]

use neuraflow_core::model::{Chunk, SamplingRate, Span};
use neuraflow_core::window::CoverageKind::{self, Imputed, Missing, Received};
use neuraflow_core::window::{Beyond, Filled, GapExtent, GapFiller, GapPolicy, Piece};
use proptest::prelude::*;

const NAN: f32 = f32::NAN;

#[derive(Debug, Default, PartialEq)]
struct Out {
    bits: Vec<u32>,
    coverage: Vec<CoverageKind>,
    restarts: Vec<u64>,
    next: Option<u64>,
}

impl Out {
    fn take(&mut self, filled: Filled<'_>) {
        match filled {
            Filled::Chunk { chunk, coverage } => {
                assert!(self.next.is_none_or(|next| next == chunk.first()));
                self.next = Some(chunk.end());
                self.bits.extend(chunk.values().iter().map(|v| v.to_bits()));
                self.coverage.extend(vec![coverage; chunk.len()]);
            }
            Filled::Restart { at } => {
                self.restarts.push(at);
                self.next = Some(at);
            }
        }
    }

    fn values(&self) -> Vec<f32> {
        self.bits.iter().map(|bits| f32::from_bits(*bits)).collect()
    }
}

/// At 100 Hz, so that a sample is 10 ms.
fn filler(policy: GapPolicy, channels: usize) -> GapFiller {
    GapFiller::new(policy, SamplingRate::hz(100).unwrap(), channels)
}

fn gap(first: u64, end: u64, after: Option<&[f32]>) -> Piece<'_> {
    Piece::Missing {
        first,
        count: end - first,
        gap: GapExtent { start: first, end: after.map(|_| end) },
        after,
    }
}

fn same(found: &[f32], expected: &[f32]) {
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(found), bits(expected), "{found:?} {expected:?}");
}

fn fill(policy: GapPolicy, channels: usize, pieces: &[Piece<'_>]) -> (Out, GapFiller) {
    let (mut filler, mut out) = (filler(policy, channels), Out::default());
    for piece in pieces {
        filler.piece(piece, &mut Chunk::default(), &mut |filled| out.take(filled));
    }
    (out, filler)
}

const fn interpolate(millis: i64, beyond: Beyond) -> GapPolicy {
    GapPolicy::Interpolate { up_to: Span::millis(millis), beyond }
}

#[test]
fn every_policy_on_one_gap() {
    let after: &[f32] = &[5.0];
    let pieces = [
        Piece::Samples { first: 0, values: &[1.0] },
        gap(1, 4, Some(after)),
        Piece::Samples { first: 4, values: &[5.0] },
    ];
    let hold = |millis, beyond| GapPolicy::Hold { up_to: Span::millis(millis), beyond };
    for (policy, values, coverage, restarts) in [
        (GapPolicy::Mask, [NAN; 3], [Missing; 3], 0),
        (GapPolicy::Reset, [NAN; 3], [Missing; 3], 1),
        (interpolate(30, Beyond::Reset), [2.0, 3.0, 4.0], [Imputed; 3], 0),
        (interpolate(29, Beyond::Mask), [NAN; 3], [Missing; 3], 0),
        (interpolate(29, Beyond::Reset), [NAN; 3], [Missing; 3], 1),
        (hold(30, Beyond::Reset), [1.0; 3], [Imputed; 3], 0),
        (hold(10, Beyond::Mask), [1.0, NAN, NAN], [Imputed, Missing, Missing], 0),
        (hold(10, Beyond::Reset), [1.0, NAN, NAN], [Imputed, Missing, Missing], 1),
    ] {
        let (out, filler) = fill(policy, 1, &pieces);
        same(&out.values()[1..4], &values);
        assert_eq!(out.coverage[1..4], coverage, "{policy:?}");
        assert_eq!(out.restarts, vec![4; restarts], "{policy:?}");
        let imputed = coverage.iter().filter(|kind| **kind == Imputed).count() as u64;
        assert_eq!(filler.accounting().imputed, imputed);
    }
}

#[test]
fn a_gap_without_an_end_is_masked_for_good() {
    let policy = interpolate(100, Beyond::Mask);
    let extent = |end| GapExtent { start: 1, end };
    let after: &[f32] = &[4.0];
    let (out, _) = fill(
        policy,
        1,
        &[
            Piece::Samples { first: 0, values: &[1.0] },
            Piece::Missing { first: 1, count: 1, gap: extent(None), after: None },
            Piece::Missing { first: 2, count: 1, gap: extent(Some(3)), after: Some(after) },
        ],
    );
    same(&out.values(), &[1.0, NAN, NAN]);
}

#[test]
fn nothing_is_made_up_before_the_first_sample_or_over_a_jump() {
    let after: &[f32] = &[4.0];
    let (out, _) = fill(
        interpolate(100, Beyond::Mask),
        1,
        &[
            gap(0, 2, Some(after)),
            Piece::Samples { first: 2, values: &[4.0] },
            Piece::Jump { from: 3, to: 900 },
            gap(900, 901, Some(after)),
            Piece::Samples { first: 901, values: &[NAN, 7.0] },
        ],
    );
    same(&out.values(), &[NAN, NAN, 4.0, NAN, NAN, 7.0]);
    assert_eq!(out.restarts, [900]);
}

#[test]
fn single_values_are_held_for_a_while() {
    let values = [1.0, 10.0, NAN, 20.0, f32::INFINITY, 30.0, NAN, 40.0, 5.0, f32::NEG_INFINITY];
    let piece = [Piece::Samples { first: 0, values: &values }];
    let (out, filler) = fill(interpolate(20, Beyond::Reset), 2, &piece);
    same(&out.values(), &[1.0, 10.0, 1.0, 20.0, 1.0, 30.0, NAN, 40.0, 5.0, 40.0]);
    assert_eq!(out.coverage, [Received; 5]);
    assert_eq!((filler.accounting().values_missing, filler.accounting().imputed), (4, 0));
    for policy in [GapPolicy::Mask, GapPolicy::Reset] {
        let (out, _) = fill(policy, 2, &piece);
        same(&out.values(), &[1.0, 10.0, NAN, 20.0, NAN, 30.0, NAN, 40.0, 5.0, NAN]);
    }
}

#[test]
fn a_line_begins_at_the_held_value_and_ends_at_what_is_finite() {
    let after: &[f32] = &[NAN, 8.0];
    let pieces = [Piece::Samples { first: 0, values: &[1.0, 2.0, NAN, 6.0] }, gap(2, 3, Some(after))];
    let (out, _) = fill(interpolate(10, Beyond::Mask), 2, &pieces);
    same(&out.values()[4..], &[1.0, 7.0]);
    // The left channel has been missing for too long.
    let pieces =
        [Piece::Samples { first: 0, values: &[1.0, 2.0, NAN, 6.0, NAN, 6.0] }, gap(3, 4, Some(after))];
    let (out, _) = fill(interpolate(10, Beyond::Mask), 2, &pieces);
    same(&out.values()[6..], &[NAN, 7.0]);
}

#[test]
fn a_long_gap_takes_up_no_memory() {
    let mut most = 0;
    let mut filler = filler(GapPolicy::Mask, 1_000);
    filler.piece(&gap(0, 3_000, None), &mut Chunk::default(), &mut |filled| {
        if let Filled::Chunk { chunk, .. } = filled {
            most = most.max(chunk.values().len());
        }
    });
    assert!(most <= 1 << 16, "{most}");
}

proptest! {
    /// Cutting pieces anywhere changes no bit.
    #[test]
    fn cuts_mean_nothing(
        steps in prop::collection::vec((1..8u64, 0..6u64), 1..12), cuts in prop::collection::vec(1..5u64, 1..8),
        broken in prop::collection::vec(0..200usize, 0..60), millis in 0i64..60,
        hold in any::<bool>(), mask in any::<bool>(),
    ) {
        let beyond = if mask { Beyond::Mask } else { Beyond::Reset };
        let up_to = Span::millis(millis);
        let policy = if hold { GapPolicy::Hold { up_to, beyond } } else { GapPolicy::Interpolate { up_to, beyond } };
        let total: u64 = steps.iter().map(|(send, lose)| send + lose).sum();
        let mut values: Vec<f32> = (0..2 * total + 2).map(|i| (i * i % 17) as f32).collect();
        for i in broken {
            if let Some(value) = values.get_mut(i) {
                *value = NAN;
            }
        }
        let of = |first: u64, end: u64| &values[2 * first as usize..2 * end as usize];
        let play = |cuts: &[u64]| {
            let (mut filler, mut out, mut next) = (filler(policy, 2), Out::default(), 0);
            let mut cuts = cuts.iter().copied().cycle();
            for (send, lose) in &steps {
                let (gone, end) = (next + send, next + send + lose);
                while next < gone {
                    let to = (next + cuts.next().unwrap()).min(gone);
                    let piece = Piece::Samples { first: next, values: of(next, to) };
                    filler.piece(&piece, &mut Chunk::default(), &mut |filled| out.take(filled));
                    next = to;
                }
                let extent = GapExtent { start: gone, end: Some(end) };
                while next < end {
                    let to = (next + cuts.next().unwrap()).min(end);
                    let piece = Piece::Missing { first: next, count: to - next, gap: extent, after: Some(of(end, end + 1)) };
                    filler.piece(&piece, &mut Chunk::default(), &mut |filled| out.take(filled));
                    next = to;
                }
            }
            (out, *filler.accounting())
        };
        prop_assert_eq!(play(&cuts), play(&[1_000]));
    }
}
