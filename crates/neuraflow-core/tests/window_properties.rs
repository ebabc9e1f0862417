//! What holds for every stream, whatever happens to it on the way.
#![allow(clippy::unwrap_used)]

mod window_support;

use std::ops::Range;

use neuraflow_core::checkpoint::{SnapshotReader, SnapshotWriter};
use neuraflow_core::model::{SequenceBits, Span};
use neuraflow_core::window::{Beyond, GapPolicy, SequencerConfig};
use proptest::prelude::*;
use window_support::naive::Model;
use window_support::{Event, Path, Run};

const RATES: [f64; 11] =
    [12.8, 100.0, 128.0, 160.0, 250.0, 256.0, 512.0, 1000.0, 2048.0, 19_531.25, 30_000.0];
/// Lines through whole numbers below 2²⁴ are exact in single precision, so that the naive model need not round.
const LINE: GapPolicy = GapPolicy::Interpolate { up_to: Span::millis(10), beyond: Beyond::Reset };

const POLICIES: [GapPolicy; 4] = [
    LINE,
    GapPolicy::Mask,
    GapPolicy::Reset,
    GapPolicy::Hold { up_to: Span::millis(20), beyond: Beyond::Mask },
];

/// A step of a stream that is in sequence but for what is repeated.
#[derive(Clone, Debug)]
enum Step {
    Send(u64),
    Lose(u64),
    Drop(u64),
    /// Once more: this many samples, from that far back.
    Repeat(u64, u64),
}

fn step(most: u64) -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..most).prop_map(Step::Send),
        1 => (1..6u64).prop_map(Step::Lose),
        1 => (1..most / 2).prop_map(Step::Lose),
        1 => (1..most / 2).prop_map(Step::Drop),
        2 => (1..most / 2, 1..most / 2).prop_map(|(n, back)| Step::Repeat(n, back)),
    ]
}

/// The steps as ranges of samples. What was dropped is not repeated; what was lost is only where it may come `after_all`.
fn ranges(steps: &[Step], after_all: bool) -> Vec<Event> {
    // An 8-bit counter cannot see a gap of more than 127 samples.
    let (mut next, mut floor, mut lost, mut events) = (0, 0, 0, Vec::new());
    for step in steps {
        match step {
            Step::Send(n) => {
                if !after_all && lost > 0 {
                    floor = next;
                }
                events.push(Event::Samples(next..next + n));
                next += n;
                lost = 0;
            }
            Step::Lose(n) => {
                let n = (*n).min(70 - lost);
                lost += n;
                next += n;
            }
            Step::Drop(n) => {
                events.push(Event::Dropped(next..next + n));
                next += n;
                (floor, lost) = (next, 0);
            }
            Step::Repeat(n, back) => {
                let from = next.saturating_sub(*back).max(floor);
                let end = if after_all { next } else { next - lost };
                events.push(Event::Samples(from..(from + n).min(end).max(from)));
            }
        }
    }
    events.retain(|event| !matches!(event, Event::Samples(range) if range.is_empty()));
    events
}

/// The same samples in packets of these sizes, over and over.
fn packed(events: &[Event], sizes: &[u64]) -> Vec<Event> {
    let mut sizes = sizes.iter().copied().cycle();
    let mut packets = Vec::new();
    for event in events {
        match event {
            Event::Samples(range) => {
                let mut from = range.start;
                while from < range.end {
                    let to = (from + sizes.next().unwrap()).min(range.end);
                    packets.push(Event::Samples(from..to));
                    from = to;
                }
            }
            other => packets.push(other.clone()),
        }
    }
    packets
}

fn play(path: &mut Path, events: &[Event]) {
    for event in events {
        path.take(event);
    }
}

fn at(hz: f64, bits: u8, t0: i64, policy: GapPolicy, config: SequencerConfig, events: &[Event]) -> Run {
    let mut path = Path::new(hz, bits, t0, policy, config);
    play(&mut path, events);
    path.run
}

fn check_order(run: &Run) -> Result<(), TestCaseError> {
    for pair in run.windows.windows(2) {
        if run.jumps.is_empty() {
            prop_assert_eq!(pair[1].index, pair[0].index + 1);
        }
        prop_assert!(pair[1].index > pair[0].index);
    }
    for window in &run.windows {
        prop_assert!(window.received + window.imputed <= window.values.len() as u32);
        prop_assert!(window.values.len() as u32 <= window.expected);
        prop_assert!(window.values.iter().all(|v| !v.is_infinite()));
    }
    Ok(())
}

fn same(a: &Run, b: &Run) -> Result<(), TestCaseError> {
    let bits = |run: &Run| run.windows.iter().map(|w| w.bits()).collect::<Vec<_>>();
    prop_assert_eq!(bits(a), bits(b));
    prop_assert_eq!(a.accounting, b.accounting);
    prop_assert_eq!(&a.late, &b.late);
    prop_assert_eq!(&a.restarts, &b.restarts);
    prop_assert_eq!(&a.jumps, &b.jumps);
    Ok(())
}

fn agrees(run: &Run, model: &Model, events: &[Event]) -> Result<(), TestCaseError> {
    let (windows, books) = model.run(events);
    prop_assert_eq!(run.windows.len(), windows.len());
    for (ours, theirs) in run.windows.iter().zip(&windows) {
        let (mut ours, mut theirs) = (ours.bits(), theirs.bits());
        if theirs.4.is_empty() {
            (ours.1, theirs.1) = (0, 0); // a window without samples begins nowhere
        }
        prop_assert_eq!(ours, theirs);
    }
    prop_assert_eq!(run.accounting, books);
    prop_assert!(run.accounting.balances());
    Ok(())
}

fn model(hz: f64, t0: i64, lateness: i64, up_to: i64) -> Model {
    let rate = neuraflow_core::model::SamplingRate::from_hz(hz).unwrap();
    Model { rate, t0, hop: 50_000_000, lateness, up_to }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn in_sequence_packets_may_have_any_size(
        hz in prop::sample::select(&RATES[..]), bits in prop::sample::select(&[8u8, 16, 32][..]), t0 in 0i64..10_000_000_000,
        steps in prop::collection::vec(step(100), 1..60),
        sizes in prop::collection::vec(1..70u64, 1..8), others in prop::collection::vec(1..70u64, 1..8),
        policy in prop::sample::select(&POLICIES[..]),
        reorder in prop::sample::select(&[1usize, 3, 50, 1 << 16][..]),
        end in any::<bool>(),
    ) {
        let config = SequencerConfig { reorder_samples: reorder, ..SequencerConfig::default() };
        let events = ranges(&steps, true);
        let end = end.then_some(Event::End(None));
        let with = |sizes: &[u64]| {
            let mut packets = packed(&events, sizes);
            packets.extend(end.clone());
            at(hz, bits, t0, policy, config, &packets)
        };
        let (a, b) = (with(&sizes), with(&others));
        check_order(&a)?;
        same(&a, &b)?;
        same(&a, &with(&[1]))?;
        same(&a, &with(&[10_000]))?;
    }

    #[test]
    fn jumps_are_followed_whatever_the_packet_size(
        steps in prop::collection::vec((130..400u64, 101..100_000u64), 1..6),
        sizes in prop::collection::vec(1..64u64, 1..8), others in prop::collection::vec(1..64u64, 1..8),
    ) {
        let config = SequencerConfig { max_jump: Span::millis(400), ..SequencerConfig::default() };
        let (mut next, mut events) = (0, Vec::new());
        for (send, lose) in &steps {
            events.push(Event::Samples(next..next + send));
            next += send + lose;
            events.push(Event::Samples(next..next + 130));
            // Some of what came before the jump once more, and some of what came after it.
            events.push(Event::Samples(next - lose - 20..next - lose - 10));
            events.push(Event::Samples(next + 60..next + 130));
            next += 130;
        }
        let with = |sizes: &[u64]| {
            let mut packets = packed(&events, sizes);
            packets.push(Event::End(None));
            at(250.0, 32, 0, LINE, config, &packets)
        };
        let (a, b) = (with(&sizes), with(&others));
        same(&a, &b)?;
        check_order(&a)?;
        prop_assert_eq!(a.accounting.jumps as usize, steps.len());
        prop_assert_eq!(a.accounting.rejected, 0);
        prop_assert!(a.accounting.balances());
    }

    #[test]
    fn the_naive_model_agrees_in_sequence(
        hz in prop::sample::select(&RATES[..]), bits in prop::sample::select(&[8u8, 16, 32][..]),
        t0 in -10_000_000_000i64..10_000_000_000, lateness in prop::sample::select(&[0i64, 10, 60][..]),
        steps in prop::collection::vec(step(100), 1..40), sizes in prop::collection::vec(1..70u64, 1..8),
    ) {
        let config = SequencerConfig { lateness: Span::millis(lateness), ..SequencerConfig::default() };
        let events = packed(&ranges(&steps, false), &sizes);
        let mut packets = events.clone();
        packets.push(Event::End(None));
        // With no lateness a gap may be given up before its end is known.
        let (policy, up_to) = if lateness >= 10 { (LINE, 10_000_000) } else { (GapPolicy::Mask, 0) };
        let run = at(hz, bits, t0, policy, config, &packets);
        agrees(&run, &model(hz, t0, lateness * 1_000_000, up_to), &events)?;
    }

    #[test]
    fn the_naive_model_agrees_out_of_sequence(
        hz in prop::sample::select(&RATES[..]), bits in prop::sample::select(&[10u8, 16, 32][..]),
        t0 in -10_000_000_000i64..10_000_000_000,
        steps in prop::collection::vec(step(40), 1..40), sizes in prop::collection::vec(1..20u64, 1..8),
        swaps in prop::collection::vec((any::<prop::sample::Index>(), 1..4usize), 0..30),
    ) {
        let mut events = packed(&ranges(&steps, true), &sizes);
        prop_assume!(!events.is_empty());
        for (from, by) in swaps {
            let i = from.index(events.len());
            let j = (i + by).min(events.len() - 1);
            let event = events.remove(i);
            events.insert(j, event);
        }
        let mut packets = events.clone();
        packets.push(Event::End(None));
        let run = at(hz, bits, t0, GapPolicy::Mask, SequencerConfig::default(), &packets);
        check_order(&run)?;
        agrees(&run, &model(hz, t0, 10_000_000, 0), &events)?;
    }

    #[test]
    fn a_restored_stream_goes_on_with_the_same_bits(
        hz in prop::sample::select(&RATES[..]), steps in prop::collection::vec(step(100), 2..40),
        sizes in prop::collection::vec(1..70u64, 1..8), cut in any::<prop::sample::Index>(),
    ) {
        let mut packets = packed(&ranges(&steps, true), &sizes);
        packets.push(Event::End(None));
        let whole = at(hz, 16, 7, LINE, SequencerConfig::default(), &packets);
        let cut = cut.index(packets.len());
        let mut before = Path::new(hz, 16, 7, LINE, SequencerConfig::default());
        play(&mut before, &packets[..cut]);
        let mut writer = SnapshotWriter::default();
        writer.put(&before.sequencer);
        writer.put(&before.filler);
        writer.put(&before.coverage);
        writer.put(&before.assembler.state());
        let bytes = writer.into_bytes().unwrap();
        let mut reader = SnapshotReader::new(&bytes);
        let mut after = Path::new(hz, 16, 7, LINE, SequencerConfig::default());
        after.sequencer = reader.take().unwrap();
        after.filler = reader.take().unwrap();
        after.coverage = reader.take().unwrap();
        after.assembler.restore(&reader.take().unwrap());
        reader.finish().unwrap();
        after.run = before.run;
        play(&mut after, &packets[cut..]);
        same(&whole, &after.run)?;
    }
}

fn hostile() -> impl Strategy<Value = Event> {
    let value = prop_oneof![
        4 => -1e3f32..1e3,
        1 => prop::sample::select(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0][..]),
    ];
    let near = (0u64..3_000, prop::collection::vec(value.clone(), 0..60));
    let far = (any::<u64>(), prop::collection::vec(value, 0..10));
    prop_oneof![
        8 => near.prop_map(|(sequence, values)| Event::Raw(sequence, values)),
        2 => far.prop_map(|(sequence, values)| Event::Raw(sequence, values)),
        1 => (0u64..5_000, 0u64..500).prop_map(|(n, count)| Event::Dropped(n..n + count)),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(a, b)| Event::Dropped(a.min(b)..a.max(b))),
        1 => Just(Event::Silent),
        1 => prop::option::of(any::<u64>()).prop_map(Event::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn hostile_input_is_counted_and_costs_little(
        hz in prop::sample::select(&RATES[..]), bits in 4u8..=62, t0 in any::<i64>(),
        events in prop::collection::vec(hostile(), 1..60), reorder in 0usize..200, first in 0u64..500,
        lateness in -10i64..100, policy in prop::sample::select(&POLICIES[..]),
    ) {
        prop_assume!(SequenceBits::new(bits).is_some());
        let config = SequencerConfig {
            lateness: Span::millis(lateness), reorder_samples: reorder, max_jump: Span::secs(1), first,
        };
        let mut path = Path::new(hz, bits, t0 / 3, policy, config);
        let one_packet = (60.0 / hz * 20.0) as usize;
        let first_windows = (first as f64 / hz * 20.0) as usize;
        for event in &events {
            let before = path.run.windows.len();
            path.take(event);
            let windows = path.run.windows.len() - before;
            // A second's gap, the packet, the suspect, and what waited: a window and the lateness.
            prop_assert!(windows <= 2 * 20 + 2 * one_packet + first_windows + 8, "{} windows from {:?}", windows, event);
            prop_assert!(path.run.buffered <= reorder.max(1) as u64 + 60);
        }
        path.take(&Event::End(None));
        check_order(&path.run)?;
        prop_assert!(path.run.accounting.balances());
        prop_assert_eq!(path.run.buffered, 0);
    }
}

#[test]
fn ranges_cover_what_is_sent() {
    let events =
        ranges(&[Step::Send(10), Step::Lose(5), Step::Repeat(3, 4), Step::Drop(2), Step::Repeat(9, 9)], true);
    let found: Vec<Range<u64>> = events
        .iter()
        .map(|event| match event {
            Event::Samples(range) | Event::Dropped(range) => range.clone(),
            other => unreachable!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [0..10, 11..14, 15..17]);
}
