//! Random lives: failures, panics, lost writes and restarts.

use neuraflow_core::sink::SinkWriter;
use neuraflow_core::testing::{Random, Scratch};
use neuraflow_sinks::layer::Outbox;

use crate::table::{Mood, Table};
use crate::{open, quietly, row_of};

/// Enough for several lanes.
const STREAMS: i64 = 5;

/// A run of random writes, moods, barriers and ends of the process, without a power failure.
fn life(seed: u64) {
    let (mut random, scratch, table) = (Random::new(seed), Scratch::new().unwrap(), Table::default());
    let (dir, mut from, mut kept, mut next) = (scratch.file("outbox"), None, 0, 0);
    let mut writer = open(&table, &dir, None);
    for _ in 0..30 {
        let mood = match random.below(9) {
            8 => Mood::Loses,
            0 => Mood::Fails,
            1 => Mood::TakesSome(random.below(7)),
            2 => Mood::Forgets,
            3 => Mood::Panics,
            _ => Mood::Takes,
        };
        table.rows().mood.push(mood);
        match random.below(10) {
            0 | 1 => {
                from = Some(writer.barrier(1).unwrap());
                kept = next;
            }
            2 => {
                drop(writer); // killed
                if from.is_some() {
                    next = kept; // a checkpoint is restored
                }
                writer = open(&table, &dir, from.clone());
            }
            _ => {
                let count = random.below(20) as i64;
                writer
                    .write(&mut (next..next + count).map(|index| row_of(index, STREAMS)).collect())
                    .unwrap();
                next += count;
            }
        }
    }
    writer.finish().unwrap();
    drop(writer);
    let rows = table.rows();
    let refused: Vec<i64> =
        Outbox::<Table>::refused(&dir).unwrap().iter().map(|item| item.info.index).collect();
    for index in 0..next {
        // As the outbox says of itself: what brings the sink to panic three times, alone, is refused.
        if refused.contains(&index) && rows.panics.get(&index).is_some_and(|panics| *panics >= 3) {
            continue;
        }
        assert_eq!(rows.rows.get(&index), Some(&(index as f64 / 3.0)), "seed {seed}: row {index}");
    }
    // A restored checkpoint takes the sink back, but never makes it go on out of order.
    for stream in 0..STREAMS {
        let order = rows.order.iter().filter(|index| *index % STREAMS == stream);
        assert!(order.is_sorted(), "seed {seed}: {:?}", rows.order);
    }
}

#[test]
fn whatever_befalls_the_sink_and_the_process_everything_arrives_and_each_stream_in_order() {
    quietly(|| (0..40).for_each(life));
}

#[test]
#[ignore = "takes minutes, most of it waiting for the disk"]
fn a_thousand_lives() {
    quietly(|| (0..1_000).for_each(life));
}
