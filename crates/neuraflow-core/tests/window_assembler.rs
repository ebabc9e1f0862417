//! What the assembler makes of chunks that have passed through filters.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, SamplingRate, Span, StreamHeader, StreamKey, Window, WindowStatus,
};
use neuraflow_core::window::{Coverage, CoverageKind, WindowAssembler, WindowGrid};

/// At 100 Hz, in windows of ten samples.
fn assembler() -> WindowAssembler {
    let key = StreamKey::of_names("session", "device");
    let header = StreamHeader::new(key, "device", SamplingRate::hz(100).unwrap(), vec![Channel::new("Cz")]);
    let grid = WindowGrid::of(&header, Span::millis(100)).unwrap();
    WindowAssembler::new(Arc::new(header), grid, 0)
}

fn chunk(first: u64, end: u64) -> Chunk {
    let mut chunk = Chunk::new(first, 1);
    chunk.extend(&(first..end).map(|n| n as f32).collect::<Vec<_>>());
    chunk
}

fn all(end: u64) -> Coverage {
    let mut coverage = Coverage::default();
    coverage.push(0, end, CoverageKind::Received);
    coverage
}

#[test]
fn warm_up_ends_with_the_first_window_that_ends_settled() {
    let mut windows = Vec::new();
    let keep = |w: &Window| windows.push((w.info.warm_up, w.info.arrival));
    assembler().push(&chunk(0, 40), 20, 7, &mut (&all(40), keep));
    // Window 1 ends with sample 19, and 20 is the first settled one.
    assert_eq!(windows, [(true, 7), (true, 7), (false, 7), (false, 7)]);
}

#[test]
fn what_filters_hold_back_or_leave_out_changes_no_window() {
    let mut assembler = assembler();
    let coverage = all(50); // the filters lag behind
    let mut windows: Vec<Window> = Vec::new();
    let mut keep = |w: &Window| windows.push(w.clone());
    assembler.push(&chunk(0, 15), 0, 0, &mut (&coverage, &mut keep));
    assembler.push(&chunk(10, 18), 0, 0, &mut (&coverage, &mut keep)); // 10..15 again
    assembler.push(&chunk(22, 30), 0, 0, &mut (&coverage, &mut keep)); // 18..22 left out
    assert_eq!(windows.iter().map(|w| w.info.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(windows[1].samples.values()[..8], (10..18).map(|n| n as f32).collect::<Vec<_>>());
    assert!(windows[1].samples.values()[8..].iter().all(|v| v.is_nan()));
    assert!(windows[2].samples.values()[..2].iter().all(|v| v.is_nan()));
    assert!(windows.iter().all(|w| w.samples.len() == 10 && w.info.status == WindowStatus::Complete));
    assert_eq!((assembler.position(), assembler.needs_from()), (30, 30));
}

#[test]
fn a_jump_inside_a_window_is_a_gap_in_it() {
    let mut assembler = assembler();
    let mut coverage = all(12);
    let mut windows: Vec<Window> = Vec::new();
    let mut keep = |w: &Window| windows.push(w.clone());
    assembler.push(&chunk(0, 12), 0, 0, &mut (&coverage, &mut keep));
    assembler.jump(17, 0, 0, &mut (&coverage, &mut keep));
    coverage.push(17, 13, CoverageKind::Received);
    assembler.push(&chunk(17, 30), 0, 0, &mut (&coverage, &mut keep));
    let found: Vec<_> = windows.iter().map(|w| (w.info.index, w.info.status, w.info.received)).collect();
    assert_eq!(
        found,
        [(0, WindowStatus::Complete, 10), (1, WindowStatus::Gap, 5), (2, WindowStatus::Complete, 10)]
    );
}

#[test]
fn both_sides_of_a_jump_are_partial() {
    let mut assembler = assembler();
    let mut coverage = all(12);
    let mut windows: Vec<Window> = Vec::new();
    let mut keep = |w: &Window| windows.push(w.clone());
    assembler.push(&chunk(0, 12), 0, 0, &mut (&coverage, &mut keep));
    assembler.jump(1_005, 0, 0, &mut (&coverage, &mut keep));
    coverage.push(1_005, 15, CoverageKind::Received);
    assembler.push(&chunk(1_005, 1_020), 0, 0, &mut (&coverage, &mut keep));
    assembler.finish(0, 0, &mut (&coverage, &mut keep));
    let found: Vec<_> = windows.iter().map(|w| (w.info.index, w.info.status, w.samples.first())).collect();
    assert_eq!(
        found,
        [
            (0, WindowStatus::Complete, 0),
            (1, WindowStatus::Partial, 10),
            (100, WindowStatus::Partial, 1_005),
            (101, WindowStatus::Complete, 1_010)
        ]
    );
    assert!(windows.iter().all(|w| w.info.expected == 10));
}

#[test]
fn fewer_channels_may_come_out_of_the_filters() {
    let mut assembler = assembler();
    let mut wide = Chunk::new(0, 3);
    wide.extend(&[1.0; 30]);
    let mut windows = Vec::new();
    let keep = |w: &Window| windows.push((w.samples.channels(), w.samples.len()));
    assembler.push(&wide, 0, 0, &mut (&all(10), keep));
    assert_eq!(windows, [(3, 10)]);
}
