//! Files and checkpoints: wherever a run is cut off, one that goes on from the last checkpoint leaves the same bytes as one
//! that was never interrupted.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside #[test]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use neuraflow_core::model::{Channel, Chunk, FeatureSpec, Features, Positions, Window, WindowInfo};
use neuraflow_core::sink::{Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::local::{Csv, Npy};
use proptest::prelude::*;

fn info(stream: usize, index: i64) -> WindowInfo {
    let channels = (0..=stream % 3).map(|c| Channel::new(format!("ch {c}, \"left\""))).collect();
    let info = support::info(support::header(&format!("device {stream}"), channels), index);
    WindowInfo { warm_up: index < 3, ..info }
}

fn features(stream: usize, index: i64) -> Features {
    let info = info(stream, index);
    let values = (0..2 * info.stream.channels.len()).map(|i| index as f64 / 7.0 + i as f64).collect();
    support::features(info, &["alpha", "beta"], values)
}

fn window(stream: usize, index: i64) -> Window {
    let info = info(stream, index);
    let channels = info.stream.channels.len();
    let mut samples = Chunk::new(12 * index as u64, channels);
    samples.extend(&vec![index as f32 / 3.0; 12 * channels]);
    Window { info, samples }
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&p).unwrap())).collect()
}

/// What happens after a batch was written.
#[derive(Clone, Debug)]
enum Then {
    Nothing,
    Barrier,
    /// A barrier that no checkpoint comes of.
    Abandoned,
    /// The process is killed: the files lose nothing, or get a torn tail of this many bytes.
    Killed(usize),
}

fn then() -> impl Strategy<Value = Then> {
    prop_oneof![
        4 => Just(Then::Nothing),
        3 => Just(Then::Barrier),
        1 => Just(Then::Abandoned),
        2 => (0..300_usize).prop_map(Then::Killed),
    ]
}

/// How much goes into a batch, and what happens after it.
fn batches() -> impl Strategy<Value = Vec<(usize, Then)>> {
    prop::collection::vec((0..9_usize, then()), 1..40)
}

/// Item number n of a run: streams appear one after another, and some fall silent again.
fn item<T>(n: usize, make: fn(usize, i64) -> T) -> T {
    let streams = (1 + n / 10).min(6);
    let (first, stream) = (if n > 60 { 2 } else { 0 }, n % streams);
    make(stream.max(first.min(streams - 1)), n as i64)
}

fn context(from: Option<Positions>) -> SinkContext {
    SinkContext { from, ..SinkContext::default() }
}

/// Runs the batches twice, with and without what happens in between.
fn check<S: Sink>(make: impl Fn(&Path) -> S, item: impl Fn(usize) -> S::Item, batches: &[(usize, Then)]) {
    let scratch = Scratch::new().unwrap();
    let (plain, cut) = (scratch.file("plain"), scratch.file("cut"));
    let total = batches.iter().map(|(items, _)| items).sum::<usize>();
    let mut writer = make(&plain).open(&context(None)).unwrap();
    writer.write(&mut (0..total).map(&item).collect()).unwrap();
    writer.finish().unwrap();

    let (mut kept, mut from) = (0, None);
    let mut next = 0;
    let mut writer = make(&cut).open(&context(None)).unwrap();
    for (number, (items, then)) in batches.iter().enumerate() {
        writer.write(&mut (next..next + items).map(&item).collect()).unwrap();
        next += items;
        match then {
            Then::Nothing => {}
            Then::Barrier => (kept, from) = (next, Some(writer.barrier(number as u64).unwrap())),
            Then::Abandoned => drop(writer.barrier(number as u64).unwrap()),
            Then::Killed(garbage) => {
                drop(writer);
                for name in contents(&cut).into_keys().step_by(2) {
                    let mut file = fs::OpenOptions::new().append(true).open(cut.join(name)).unwrap();
                    file.write_all(&vec![b'7'; *garbage]).unwrap();
                }
                writer = make(&cut).open(&context(from.clone())).unwrap();
                next = kept;
            }
        }
    }
    writer.write(&mut (next..total).map(&item).collect()).unwrap();
    writer.finish().unwrap();
    let (expected, found) = (contents(&plain), contents(&cut));
    assert!(expected.keys().eq(found.keys()), "{:?} {:?}", expected.keys(), found.keys());
    for (name, bytes) in &expected {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(found[name] == *bytes, "{name}: {} is not {}", text(&found[name]), text(bytes));
    }
}

proptest! {
    // Each makes files durable some ten times.
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn tables_of_features(batches in batches()) {
        check(|path| Csv::<Features>::create(path).unwrap(), |n| item(n, features), &batches);
    }

    #[test]
    fn tables_of_windows(batches in batches()) {
        check(|path| Csv::<Window>::create(path).unwrap(), |n| item(n, window), &batches);
    }

    #[test]
    fn matrices(batches in batches()) {
        check(|path| Npy::create(path).unwrap(), |n| item(n, features), &batches);
    }

    #[test]
    fn a_single_table_and_matrix(batches in batches()) {
        let inside = |path: &Path, name: &str| {
            fs::create_dir_all(path).unwrap();
            path.join(name)
        };
        let item = |n: usize| features(2, n as i64);
        check(|path| Csv::<Features>::create(inside(path, "run.csv")).unwrap(), item, &batches);
        check(|path| Npy::create(inside(path, "run.npy")).unwrap(), item, &batches);
    }
}

/// A writer's answer to a barrier after some items of two streams.
fn written<S: Sink>(sink: &S, make: fn(usize, i64) -> S::Item) -> Positions {
    let mut writer = sink.open(&context(None)).unwrap();
    writer.write(&mut (0..20).map(|n| make(n % 2, n as i64)).collect()).unwrap();
    writer.barrier(1).unwrap()
}

#[test]
fn files_that_are_not_as_the_checkpoint_left_them_are_a_typed_error() {
    let scratch = Scratch::new().unwrap();
    let (csv, npy) = (scratch.file("csv"), scratch.file("npy"));
    let (tables, matrices) = (Csv::<Features>::create(&csv).unwrap(), Npy::create(&npy).unwrap());
    let (table_positions, matrix_positions) = (written(&tables, features), written(&matrices, features));
    let refused = |opened: Result<(), SinkError>| -> String {
        let error = opened.unwrap_err();
        assert!(matches!(error, SinkError::Position { .. }), "{error}");
        error.to_string()
    };
    let (name, length) = table_positions.iter().next().unwrap();
    let path = csv.join(name);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let text = refused(tables.open(&context(Some(table_positions.clone()))).map(drop));
    let (at_least, found) = (format!("at least {length} bytes"), format!("found {}", length - 1));
    assert!(text.contains(&at_least) && text.contains(&found) && text.contains(name), "{text}");
    fs::remove_file(&path).unwrap();
    assert!(
        refused(tables.open(&context(Some(table_positions.clone()))).map(drop)).contains("found no file")
    );
    // Other columns than before: the graph was changed.
    fs::write(&path, &whole).unwrap();
    let mut writer = tables.open(&context(Some(table_positions.clone()))).unwrap();
    let mut other = features(0, 20);
    other.spec = Arc::new(FeatureSpec { columns: ["mu".to_owned()].into(), ..(*other.spec).clone() });
    assert!(refused(writer.write(&mut vec![other])).contains("_mu\", found window_start_s"));
    // Names that are not the sink's are never touched.
    let bystander = scratch.file("diary.csv");
    fs::write(&bystander, "dear diary").unwrap();
    fs::write(csv.join("notes.txt"), "dear notes").unwrap();
    for name in ["../diary.csv", "notes.txt", "/etc/passwd"] {
        let mut from = Positions::default();
        from.set(name, 3);
        assert!(refused(tables.open(&context(Some(from))).map(drop)).contains("found another name"));
    }
    assert_eq!(fs::read_to_string(&bystander).unwrap(), "dear diary");
    assert_eq!(fs::read_to_string(csv.join("notes.txt")).unwrap(), "dear notes");
    // A header that does not belong to the rows.
    let (name, _) = matrix_positions.iter().find(|(name, _)| name.ends_with(".npy")).unwrap();
    let mut damaged = fs::read(npy.join(name)).unwrap();
    damaged[20] ^= 1;
    fs::write(npy.join(name), damaged).unwrap();
    assert!(
        refused(matrices.open(&context(Some(matrix_positions))).map(drop)).contains("a matrix of its own")
    );
}

#[test]
fn what_the_checkpoint_does_not_know_is_left_alone_until_its_stream_comes() {
    let scratch = Scratch::new().unwrap();
    let sink = Csv::<Features>::create(scratch.path()).unwrap();
    let positions = written(&sink, features);
    let yesterday = scratch.file("device_9-12345678.features.csv");
    fs::write(&yesterday, "of another run").unwrap();
    let mut writer = sink.open(&context(Some(positions.clone()))).unwrap();
    assert_eq!(writer.barrier(2).unwrap(), positions, "files of streams that did not come again are kept");
    writer.write(&mut vec![features(2, 0)]).unwrap();
    assert_eq!(writer.barrier(3).unwrap().iter().count(), 3);
    assert_eq!(fs::read_to_string(&yesterday).unwrap(), "of another run");
}

#[test]
fn one_named_file_stays_its_streams_whichever_comes_first_after_a_restart() {
    fn stays<S: Sink>(sink: &S, item: fn(usize, i64) -> S::Item) {
        let mut writer = sink.open(&context(None)).unwrap();
        writer.write(&mut vec![item(0, 0)]).unwrap();
        let from = writer.barrier(1).unwrap();
        drop(writer);
        let mut writer = sink.open(&context(Some(from))).unwrap();
        // As many columns, so that only its key tells them apart.
        let error = writer.write(&mut vec![item(3, 1)]).unwrap_err();
        assert!(matches!(&error, SinkError::Layout { what: "streams", .. }), "{error}");
        writer.write(&mut vec![item(0, 1)]).unwrap();
        writer.finish().unwrap();
    }
    let scratch = Scratch::new().unwrap();
    stays(&Csv::<Features>::create(scratch.file("one.csv")).unwrap(), features);
    stays(&Npy::create(scratch.file("one.npy")).unwrap(), features);
    assert_eq!(fs::read_to_string(scratch.file("one.csv")).unwrap().lines().count(), 3);
}

#[test]
fn more_files_than_may_be_open_are_durable_too() {
    let scratch = Scratch::new().unwrap();
    let sink = Csv::<Features>::create(scratch.path()).unwrap();
    let mut writer = sink.open(&context(None)).unwrap();
    let all = |writer: &mut dyn SinkWriter<Item = Features>, index| {
        writer.write(&mut (0..280).map(|stream| features(stream, index)).collect()).unwrap();
    };
    all(&mut writer, 0);
    let positions = writer.barrier(1).unwrap();
    all(&mut writer, 1);
    drop(writer);
    let mut writer = sink.open(&context(Some(positions))).unwrap();
    all(&mut writer, 1);
    let told = writer.barrier(2).unwrap();
    for (name, length) in told.iter() {
        let text = fs::read_to_string(scratch.path().join(name)).unwrap();
        assert_eq!((text.len() as u64, text.lines().count()), (length, 3), "{name}");
    }
    assert_eq!(told.iter().count(), 280);
}
