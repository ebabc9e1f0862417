//! Each rule of windowing, one by one.
#![allow(clippy::unwrap_used, clippy::panic)]

mod window_support;

use neuraflow_core::model::{Span, WindowStatus};
use neuraflow_core::window::{GapPolicy, SequencerConfig};
use window_support::{Event, Run, run};

fn at_250(events: &[Event]) -> Run {
    run(250.0, 32, GapPolicy::default(), SequencerConfig::default(), events)
}

fn counts(run: &Run) -> Vec<usize> {
    run.windows.iter().map(|w| w.values.len()).collect()
}

fn statuses(run: &Run) -> Vec<WindowStatus> {
    run.windows.iter().map(|w| w.status).collect()
}

#[test]
fn windows_close_with_their_last_sample() {
    let run = at_250(&[Event::samples(0..13)]);
    assert_eq!(counts(&run), [13]);
    let run = at_250(&[Event::samples(0..50), Event::End(None)]);
    assert_eq!(counts(&run), [13, 12, 13, 12]);
    assert_eq!(statuses(&run), [WindowStatus::Complete; 4]);
}

#[test]
fn the_end_cuts_a_partial_window() {
    let run = at_250(&[Event::samples(0..20), Event::End(None)]);
    assert_eq!(counts(&run), [13, 7]);
    assert_eq!(statuses(&run), [WindowStatus::Complete, WindowStatus::Partial]);
    assert_eq!((run.windows[1].expected, run.windows[1].received), (12, 7));
    let run = at_250(&[Event::samples(0..20), Event::End(Some(23))]);
    assert_eq!(statuses(&run), [WindowStatus::Complete, WindowStatus::Gap]);
    assert_eq!(run.accounting.lost, 3);
}

#[test]
fn a_missing_sample_is_given_up_after_the_lateness() {
    // Sample 5 is missing; its window ends with sample 13; 10 ms later is sample 15.5.
    let run = at_250(&[Event::samples(0..5), Event::samples(6..15)]);
    assert_eq!(counts(&run), [0; 0]);
    assert_eq!(run.buffered, 9);
    let run = at_250(&[Event::samples(0..5), Event::samples(6..15), Event::samples(15..16)]);
    assert_eq!(counts(&run), [13]);
    assert_eq!(statuses(&run), [WindowStatus::Gap]);
    assert_eq!((run.windows[0].received, run.windows[0].imputed), (12, 1));
    assert_eq!(run.windows[0].values[5], 5.0); // on the line between 4 and 6
    assert_eq!(run.accounting.lost, 1);
    assert_eq!(run.buffered, 0);
}

#[test]
fn reordered_samples_are_put_in_order() {
    let run = at_250(&[Event::samples(6..13), Event::samples(0..3), Event::samples(3..6)]);
    assert_eq!(statuses(&run), [WindowStatus::Complete]);
    assert_eq!(run.windows[0].values, (0..13).map(|n| n as f32).collect::<Vec<_>>());
}

#[test]
fn a_copy_is_late_once_and_then_a_duplicate() {
    let events = [Event::samples(0..5), Event::samples(6..20), Event::samples(4..7), Event::samples(5..6)];
    let run = at_250(&events);
    assert_eq!(run.late, [5]);
    assert_eq!((run.accounting.late, run.accounting.duplicate, run.accounting.lost), (1, 3, 0));
    assert!(run.accounting.balances());
}

#[test]
fn long_gaps_are_masked_and_reset() {
    let run = at_250(&[Event::samples(0..10), Event::samples(40..60), Event::End(None)]);
    assert_eq!(run.restarts, [40]);
    assert!(run.windows[1].values.iter().all(|v| v.is_nan()));
    assert_eq!((run.windows[1].received, run.windows[1].imputed, run.windows[1].expected), (0, 0, 12));
    assert_eq!(run.accounting.lost, 30);
}

#[test]
fn a_gap_is_one_line_across_windows() {
    // 11 and 12 are in window 0, nothing of window 1 is missing but 13.
    let policy =
        GapPolicy::Interpolate { up_to: Span::millis(12), beyond: neuraflow_core::window::Beyond::Mask };
    let events = [Event::samples(0..11), Event::samples(14..40), Event::End(None)];
    let run = run(250.0, 32, policy, SequencerConfig::default(), &events);
    let values: Vec<f32> = run.windows.iter().flat_map(|w| w.values.clone()).collect();
    assert_eq!(values, (0..40).map(|n| n as f32).collect::<Vec<_>>());
    assert_eq!((run.windows[0].imputed, run.windows[1].imputed), (2, 1));
    assert!(run.restarts.is_empty());
}

#[test]
fn dropped_samples_are_missing_but_not_lost() {
    let events = [Event::samples(0..5), Event::Dropped(5..7), Event::samples(7..13)];
    let run = at_250(&events); // nothing to wait for
    assert_eq!(statuses(&run), [WindowStatus::Gap]);
    assert_eq!(run.windows[0].imputed, 2);
    assert_eq!((run.accounting.lost, run.accounting.dropped, run.accounting.samples_in), (0, 2, 13));
    assert!(run.accounting.balances());
}

#[test]
fn silence_closes_the_open_window_once() {
    let run = at_250(&[Event::samples(0..15), Event::Silent, Event::Silent, Event::Silent]);
    assert_eq!(statuses(&run), [WindowStatus::Complete, WindowStatus::Gap]);
    assert_eq!(run.windows[1].received, 2);
    let run = at_250(&[Event::samples(0..13), Event::Silent]);
    assert_eq!(counts(&run), [13]);
    let run = at_250(&[Event::Silent, Event::End(None)]);
    assert_eq!(counts(&run), [0; 0]);
    // What comes after all is late, and the stream goes on.
    let run = at_250(&[Event::samples(0..15), Event::Silent, Event::samples(15..40)]);
    assert_eq!(counts(&run), [13, 12, 13]);
    assert_eq!((run.accounting.late, run.accounting.lost), (10, 0));
}

#[test]
fn a_jump_is_followed_once_confirmed() {
    let far = 1_000_000;
    let run = at_250(&[Event::samples(0..20), Event::samples(far..far + 5)]);
    assert_eq!((counts(&run), run.buffered), (vec![13], 5));
    let events = [Event::samples(0..20), Event::samples(far..far + 5), Event::samples(far + 5..far + 30)];
    let run = at_250(&events);
    assert_eq!(statuses(&run)[..2], [WindowStatus::Complete, WindowStatus::Partial]);
    assert_eq!((run.accounting.jumps, run.accounting.lost), (1, far - 20));
    assert_eq!(run.windows[2].index, 80_000);
    // The old stream goes on: the packet was corrupt.
    let run = at_250(&[Event::samples(0..20), Event::samples(far..far + 5), Event::samples(20..25)]);
    assert_eq!((counts(&run), run.accounting.rejected), (vec![13, 12], 5));
    // Nothing contradicted it.
    let run = at_250(&[Event::samples(0..20), Event::samples(far..far + 5), Event::End(None)]);
    assert_eq!((run.accounting.windowed, run.accounting.jumps), (25, 1));
    assert_eq!(statuses(&run)[1..], [WindowStatus::Partial; 2]);
}

#[test]
fn counters_wrap() {
    for bits in [8, 16, 32] {
        let config = SequencerConfig { max_jump: Span::millis(400), ..SequencerConfig::default() };
        let events: Vec<_> = (0..140_000 / 7).map(|p| Event::samples(7 * p..7 * p + 7)).collect();
        let run = run(250.0, bits, GapPolicy::default(), config, &events);
        assert_eq!((run.accounting.windowed, run.accounting.lost), (140_000, 0));
    }
}

#[test]
fn samples_before_the_first_accepted_are_late() {
    let config = SequencerConfig { first: 20, ..SequencerConfig::default() };
    let events = [Event::samples(0..50), Event::samples(0..30)];
    let run = run(250.0, 8, GapPolicy::default(), config, &events);
    assert_eq!((run.accounting.late, run.accounting.duplicate, run.accounting.lost), (20, 30, 0));
    assert_eq!(statuses(&run)[0], WindowStatus::Partial);
    assert_eq!((run.windows[0].index, run.windows[0].expected, run.windows[0].received), (1, 12, 5));
}

#[test]
fn windows_without_samples_are_complete() {
    let run = run(
        12.8,
        32,
        GapPolicy::default(),
        SequencerConfig::default(),
        &[Event::samples(0..64), Event::End(None)],
    );
    assert_eq!(statuses(&run), vec![WindowStatus::Complete; run.windows.len()]);
    assert_eq!(run.windows.len(), 100); // 64 samples last 5 s: window 99 is over, and expects none
    assert_eq!(counts(&run)[..4], [1, 1, 0, 1]);
    assert!(run.windows.iter().enumerate().all(|(i, w)| w.index == i as i64));
}

#[test]
fn a_full_buffer_gives_up_the_oldest_gap_only() {
    let config = SequencerConfig { reorder_samples: 4, ..SequencerConfig::default() };
    let events = [Event::samples(0..2), Event::samples(3..6), Event::samples(7..8), Event::samples(8..9)];
    let run = run(250.0, 32, GapPolicy::default(), config, &events);
    assert_eq!(run.accounting.lost, 1); // sample 2; sample 6 may still come
    assert_eq!((run.accounting.windowed, run.buffered), (5, 2));
}

#[test]
fn a_repeated_suspect_confirms_nothing_and_a_gap_after_it_does_not_matter() {
    let far = 1_000_000;
    let suspect = || Event::samples(far..far + 5);
    let run = at_250(&[Event::samples(0..20), suspect(), suspect(), Event::samples(20..25)]);
    assert_eq!((run.accounting.duplicate, run.accounting.rejected, run.accounting.jumps), (5, 5, 0));
    // An old packet that comes again says nothing.
    let run = at_250(&[
        Event::samples(0..20),
        suspect(),
        Event::samples(10..20),
        Event::samples(far + 9..far + 20),
        Event::End(None),
    ]);
    assert_eq!((run.accounting.duplicate, run.accounting.rejected, run.accounting.jumps), (10, 0, 1));
    assert_eq!(run.accounting.lost, far - 20 + 4);
    // Two packets that lie far ahead, each somewhere else.
    let run = at_250(&[
        Event::samples(0..20),
        suspect(),
        Event::samples(2 * far..2 * far + 3),
        Event::End(Some(20)),
    ]);
    assert_eq!((run.accounting.rejected, run.accounting.jumps, run.accounting.windowed), (8, 0, 20));
}

#[test]
fn late_samples_keep_the_counter_in_sight() {
    let config = SequencerConfig { first: 300, ..SequencerConfig::default() };
    let events: Vec<_> = (0..50).map(|p| Event::samples(10 * p..10 * p + 10)).collect();
    let run = run(250.0, 8, GapPolicy::default(), config, &events);
    assert_eq!((run.accounting.late, run.accounting.windowed, run.accounting.lost), (300, 200, 0));
}

#[test]
fn more_dropped_samples_than_a_gap_may_be_long_are_skipped() {
    let run = at_250(&[Event::samples(0..20), Event::Dropped(22..10_000), Event::samples(10_000..10_050)]);
    assert_eq!(run.jumps, [(20, 10_000)]);
    assert_eq!((run.accounting.dropped, run.accounting.lost, run.accounting.windowed), (9_978, 2, 70));
    assert_eq!(run.accounting.rejected, 0);
}

#[test]
fn the_end_may_be_far_away() {
    let run = at_250(&[Event::samples(0..20), Event::End(Some(1_000_000))]);
    assert_eq!(run.jumps, [(20, 1_000_000)]);
    assert_eq!((run.windows.len(), run.accounting.lost), (2, 999_980));
    // After the end nothing is taken, but what is known is told apart.
    let run = at_250(&[
        Event::samples(0..20),
        Event::End(Some(22)),
        Event::samples(18..25),
        Event::Silent,
        Event::End(None),
    ]);
    let books = run.accounting;
    assert_eq!((books.duplicate, books.late, books.rejected, books.lost), (2, 2, 3, 0));
}

#[test]
fn ragged_packets_are_rejected_whole() {
    let mut path = window_support::Path::new(250.0, 32, 0, GapPolicy::default(), SequencerConfig::default());
    path.take(&Event::Raw(path.sequence(0), Vec::new()));
    assert_eq!(path.run.accounting.samples_in, 0);
    let key = neuraflow_core::model::StreamKey::of_names("s", "d");
    let rate = neuraflow_core::model::SamplingRate::hz(250).unwrap();
    for (channels, values, count) in [(2, 5, 3), (3, 2, 1), (0, 4, 4)] {
        let channels = vec![neuraflow_core::model::Channel::new("Cz"); channels];
        let header = neuraflow_core::model::StreamHeader::new(key, "d", rate, channels);
        let grid = neuraflow_core::window::WindowGrid::of(&header, Span::millis(50)).unwrap();
        let mut sequencer = neuraflow_core::window::Sequencer::new(&header, grid, SequencerConfig::default());
        sequencer.samples(0, &vec![1.0; values], &mut |piece| panic!("{piece:?}"));
        sequencer.end(None, &mut |piece| panic!("{piece:?}"));
        let books = *sequencer.accounting();
        assert_eq!((books.samples_in, books.rejected, books.balances()), (count, count, true));
    }
}
