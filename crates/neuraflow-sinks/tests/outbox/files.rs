//! Files that are damaged, in use, or not as the checkpoint left them.

use std::fs;

use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::{Random, Scratch};
use neuraflow_sinks::layer::{Outbox, OutboxConfig};

use crate::table::Table;
use crate::{files, hurried, open, row, row_of};

#[test]
fn damage_takes_what_it_hits_and_nothing_else() {
    for seed in 0..100 {
        let (mut random, scratch, table) = (Random::new(seed), Scratch::new().unwrap(), Table::default());
        let dir = scratch.file("outbox");
        table.rows().down = true;
        let mut writer = open(&table, &dir, None);
        (0..60).for_each(|index| writer.write(&mut vec![row(index)]).unwrap());
        drop(writer);
        let files = files(&dir);
        assert!(files.len() > 2);
        let path = &files[random.below(files.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = 16 + random.below(bytes.len() - 16);
        bytes[at] ^= 1 << random.below(8);
        fs::write(path, bytes).unwrap();
        table.rows().down = false;
        let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
        let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
        writer.write(&mut vec![row(60)]).unwrap();
        writer.finish().unwrap();
        let (rows, stats) = (table.rows(), watch.stats());
        assert_eq!(rows.rows.len(), 60, "seed {seed}: one of 61 was hit, {stats:?}");
        assert!(rows.rows.contains_key(&60), "seed {seed}: what came after the damage");
        for (index, value) in &rows.rows {
            assert_eq!(*value, *index as f64 / 3.0, "seed {seed}");
        }
        // A torn end is cut off, as a process leaves it that is killed; damage before it is counted.
        let last_was_hit = !rows.rows.contains_key(&59);
        assert_eq!(stats.damaged_bytes == 0, last_was_hit, "seed {seed}: {stats:?}");
    }
}

#[test]
fn a_note_that_is_ahead_after_a_power_failure_passes_nothing_over() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let mut writer = open(&table, &dir, None);
    writer.write(&mut (0..5).map(row).collect()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    // The power failure took the file's end, which was never forced to the disk, but not the note.
    let path = files(&dir).pop().unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(100).unwrap();
    let mut writer = open(&table, &dir, None);
    writer.write(&mut (5..10).map(row).collect()).unwrap();
    writer.finish().unwrap();
    assert_eq!(table.rows().order, (0..10).collect::<Vec<_>>());
}

#[test]
fn folders_that_are_in_use_or_not_as_the_checkpoint_left_them_are_typed_errors() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let mut writer = outbox.open(&SinkContext::default()).unwrap();
    let error = outbox.open(&SinkContext::default()).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    writer.write(&mut vec![row(0)]).unwrap();
    let from = Some(writer.barrier(1).unwrap());
    drop(writer);
    fs::remove_dir_all(&dir).unwrap();
    let error = outbox.open(&SinkContext { from, ..SinkContext::default() }).unwrap_err();
    assert!(matches!(error, SinkError::Position { .. }), "{error}");
    let small = OutboxConfig { max_bytes: 4 << 10, segment_bytes: 4 << 10, ..hurried() };
    let error = Outbox::new(table, &dir, small).unwrap_err();
    assert!(matches!(error, SinkError::Layout { what: "max_bytes", .. }), "{error}");
}

#[test]
fn damage_before_a_checkpoint_is_counted_and_the_run_goes_on_from_it_again_and_again() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().down = true;
    let mut writer = open(&table, &dir, None);
    (0..3).for_each(|index| writer.write(&mut vec![row(index)]).unwrap());
    let from = Some(writer.barrier(1).unwrap());
    drop(writer);
    // The last byte that the checkpoint knows of has decayed.
    let path = files(&dir).pop().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
    drop(open(&table, &dir, from.clone()));
    table.rows().down = false;
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let watch = outbox.watch();
    let mut writer = outbox.open(&SinkContext { from, ..SinkContext::default() }).unwrap();
    writer.write(&mut vec![row(3)]).unwrap();
    writer.finish().unwrap();
    assert_eq!(table.rows().order, [0, 1, 3]);
    assert!(watch.stats().damaged_bytes > 0, "{:?}", watch.stats());
}

#[test]
fn a_segment_that_is_gone_is_counted() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().down = true;
    let mut writer = open(&table, &dir, None);
    (0..60).for_each(|index| writer.write(&mut vec![row(index)]).unwrap());
    drop(writer);
    let files = files(&dir);
    assert!(files.len() > 2);
    let lost = fs::metadata(&files[1]).unwrap().len() - 16;
    fs::remove_file(&files[1]).unwrap();
    table.rows().down = false;
    let outbox = Outbox::new(table.clone(), &dir, hurried()).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    writer.finish().unwrap();
    assert_eq!(watch.stats().damaged_bytes, lost);
    assert!(table.rows().rows.len() < 60 && table.rows().rows.contains_key(&59));
}

#[test]
fn the_largest_settings_are_settings() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let config = OutboxConfig {
        max_bytes: u64::MAX,
        batch: usize::MAX,
        concurrency: 64,
        max_refused_bytes: u64::MAX,
        linger: std::time::Duration::from_secs(10),
        ..hurried()
    };
    let outbox = Outbox::new(table.clone(), scratch.file("outbox"), config).unwrap();
    let (watch, mut writer) = (outbox.watch(), outbox.open(&SinkContext::default()).unwrap());
    // Each of these goes well, so that more and more at a time are allowed.
    for index in 0..200 {
        writer.write(&mut vec![row_of(index, 200)]).unwrap();
        let begun = std::time::Instant::now();
        while watch.stats().handed_on <= index as u64 {
            assert!(begun.elapsed().as_secs() < 10, "{index}: {:?}", watch.stats());
            std::thread::yield_now();
        }
    }
    writer.finish().unwrap();
    assert_eq!((watch.stats().handed_on, table.rows().rows.len()), (200, 200));
}

#[test]
fn a_segment_that_could_not_be_begun_is_begun_again() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    table.rows().down = true;
    let mut writer = open(&table, &dir, None);
    let mut index = 0;
    let size = |path: &std::path::Path| fs::metadata(path).unwrap().len();
    while size(files(&dir).last().unwrap()) < 4 << 10 {
        writer.write(&mut vec![row(index)]).unwrap();
        index += 1;
    }
    // As a full disk leaves it: a file, and no room for a byte.
    let next: u64 = files(&dir).iter().map(|path| size(path) - 16).sum();
    fs::write(dir.join(format!("{next:020}.outbox")), []).unwrap();
    writer.write(&mut vec![row(index)]).unwrap();
    table.rows().down = false;
    writer.finish().unwrap();
    assert_eq!(table.rows().order, (0..=index).collect::<Vec<_>>());
}

#[test]
fn an_item_larger_than_a_segment_and_than_what_is_read_at_once_passes_and_one_beyond_the_limit_is_left() {
    let (scratch, table) = (Scratch::new().unwrap(), Table::default());
    let dir = scratch.file("outbox");
    let large = |index: i64, values: usize| {
        let mut item = row(index);
        item.values.resize(values, 0.25);
        item
    };
    table.rows().down = true;
    let config = OutboxConfig { max_bytes: 1 << 30, ..hurried() };
    let open = || Outbox::new(table.clone(), &dir, config).unwrap().open(&SinkContext::default()).unwrap();
    let mut writer = open();
    // 40 kB, 3.2 MB, and above 64 MiB.
    let mut items = vec![row(0), large(1, 5_000), large(2, 400_000), large(3, 9_000_000), row(4)];
    let error = writer.write(&mut items).unwrap_err();
    assert!(matches!(error, SinkError::Layout { what: "item", .. }), "{error}");
    assert_eq!(items.iter().map(|item| item.info.index).collect::<Vec<_>>(), [3]);
    drop(writer);
    table.rows().down = false;
    let mut writer = open();
    writer.write(&mut vec![row(5)]).unwrap();
    writer.finish().unwrap();
    assert_eq!(table.rows().order, [0, 1, 2, 4, 5]);
}
