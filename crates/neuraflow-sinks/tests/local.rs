//! Files: what is in them, what happens when they cannot be written, and that what was written stays readable.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use neuraflow_core::model::{
    Channel, Chunk, FeatureSpec, Features, Marker, SamplingRate, StreamHeader, StreamKey, Timestamp, Window,
    WindowInfo, WindowStatus,
};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::local::{Csv, Npy};

/// The names of the files in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn header(device: &str) -> Arc<StreamHeader> {
    let channels = vec![Channel::new("C3"), Channel::new("EEG 1, left \"x\"")];
    let rate = SamplingRate::hz(250).unwrap();
    Arc::new(StreamHeader::new(StreamKey::of_names("session", device), device, rate, channels))
}

fn info(device: &str, index: i64) -> WindowInfo {
    WindowInfo {
        stream: header(device),
        index,
        start: Timestamp::from_nanos(index * 50_000_000),
        end: Timestamp::from_nanos((index + 1) * 50_000_000),
        expected: 13,
        received: 12,
        imputed: 1,
        status: WindowStatus::Gap,
        warm_up: index == 0,
        arrival: 0,
        marker: None,
    }
}

fn spec() -> Arc<FeatureSpec> {
    let names = |names: [&str; 2]| names.map(String::from).into();
    Arc::new(FeatureSpec {
        rows: names(["C3", "EEG 1, left \"x\""]),
        columns: names(["alpha", "beta"]),
        unit: "µV²".into(),
    })
}

fn features(device: &str, index: i64) -> Features {
    let value = index as f64;
    Features { info: info(device, index), spec: spec(), values: vec![value, 0.1, f64::NAN, -1e-300] }
}

const CSV_HEADER: &str = "window_start_s,window_end_s,status,expected,received,imputed,warm_up,\
    C3_alpha,C3_beta,\"EEG 1, left \"\"x\"\"_alpha\",\"EEG 1, left \"\"x\"\"_beta\"\r\n";

#[test]
fn csv_has_a_file_for_each_stream_with_one_row_for_each_window() {
    let scratch = Scratch::new().unwrap();
    let sink = Csv::<Features>::create(scratch.file("new/results")).unwrap();
    assert!(matches!(sink.placement(), Placement::Thread { overflow: Overflow::Block, .. }));
    let mut writer = sink.open(&SinkContext::default()).unwrap();
    writer.write(&mut vec![features("a/b", -1), features("c", 7), features("a/b", 0)]).unwrap();
    let folder = scratch.file("new/results");
    let names = names(&folder);
    assert!(names[0].starts_with("a_b-") && names[1].starts_with("c-"), "{names:?}");
    assert!(names.iter().all(|name| name.ends_with(".features.csv")), "{names:?}");
    let text = fs::read_to_string(folder.join(&names[0])).unwrap();
    let expected = format!(
        "{CSV_HEADER}-0.050000000,0.000000000,gap,13,12,1,false,-1.0,0.1,NaN,-1e-300\r\n\
         0.000000000,0.050000000,gap,13,12,1,true,0.0,0.1,NaN,-1e-300\r\n"
    );
    assert_eq!(text, expected, "readable before the end");
    writer.finish().unwrap();
    let last = text.lines().last().unwrap();
    assert_eq!(last.rsplit(',').next().unwrap().parse(), Ok(-1e-300), "numbers read back exactly");
}

#[test]
fn csv_of_windows_has_a_row_for_each_sample() {
    let scratch = Scratch::new().unwrap();
    let mut samples = Chunk::new(25, 2);
    samples.extend(&[1.5, f32::NAN, 0.1, -2.0]);
    let marker = Some(Arc::new(Marker::new(Timestamp::EPOCH, "left, hand")));
    let window = Window { info: WindowInfo { marker, ..info("a", 2) }, samples };
    let path = scratch.file("one.csv");
    let mut writer = Csv::<Window>::create(&path).unwrap().open(&SinkContext::default()).unwrap();
    writer.write(&mut vec![window]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let rows: Vec<_> = text.split("\r\n").collect();
    assert!(rows[0].starts_with("time_s,window_start_s,") && rows[0].contains(",marker,C3,\"EEG 1"));
    assert_eq!(rows[1], "0.100000000,0.100000000,0.150000000,gap,13,12,1,false,\"left, hand\",1.5,NaN");
    assert_eq!(rows[2], "0.104000000,0.100000000,0.150000000,gap,13,12,1,false,\"left, hand\",0.1,-2.0");
    assert_eq!(rows[3..], [""]);
}

/// Shape and numbers of an `.npy` file, as NumPy reads it: the header's count decides, more bytes may follow.
fn read_npy(path: &Path) -> ((usize, usize), Vec<f64>) {
    let bytes = fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let length = usize::from(u16::from_le_bytes(bytes[8..10].try_into().unwrap()));
    assert_eq!((10 + length) % 64, 0, "aligned");
    let header = std::str::from_utf8(&bytes[10..10 + length]).unwrap();
    assert!(
        header.starts_with("{'descr': '<f8', 'fortran_order': False, 'shape': (") && header.ends_with('\n')
    );
    let shape = header.split(['(', ')']).nth(1).unwrap();
    let (rows, columns) = shape.split_once(", ").unwrap();
    let (rows, columns) = (rows.parse().unwrap(), columns.parse().unwrap());
    let numbers = bytes[10 + length..].chunks_exact(8).take(rows * columns);
    let numbers: Vec<_> = numbers.map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(numbers.len(), rows * columns, "the header counts whole rows only");
    ((rows, columns), numbers)
}

#[test]
fn npy_is_a_matrix_that_grows_with_its_names_beside_it() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("run.npy");
    let mut writer = Npy::create(&path).unwrap().open(&SinkContext::default()).unwrap();
    writer.write(&mut vec![features("a", 0)]).unwrap();
    assert_eq!(read_npy(&path).0, (1, 4));
    for index in 1..200 {
        writer.write(&mut vec![features("a", index)]).unwrap();
    }
    writer.finish().unwrap();
    let (shape, numbers) = read_npy(&path);
    assert_eq!(shape, (200, 4));
    assert_eq!(numbers[199 * 4..][..2], [199.0, 0.1]);
    assert!(numbers[2].is_nan());
    assert_eq!(names(scratch.path()), ["run.columns.csv", "run.npy", "run.windows.csv"]);
    let columns = fs::read_to_string(scratch.file("run.columns.csv")).unwrap();
    assert_eq!(columns.lines().nth(2), Some("1,C3,beta,µV²"));
    let windows = fs::read_to_string(scratch.file("run.windows.csv")).unwrap();
    assert_eq!(windows.lines().count(), 201);
    assert!(windows.lines().nth(2).unwrap().starts_with("0.050000000,0.100000000,gap,13,12,1,false"));
}

#[test]
fn what_does_not_fit_is_refused_and_the_rest_is_written() {
    let scratch = Scratch::new().unwrap();
    let mut other = features("a", 1);
    other.spec =
        Arc::new(FeatureSpec { unit: "z".into(), columns: ["gamma".into()].into(), ..(*spec()).clone() });
    let items = vec![features("a", 0), other, features("b", 1), features("a", 2)];
    let csv = scratch.file("one.csv");
    let error = Csv::create(&csv)
        .unwrap()
        .open(&SinkContext::default())
        .unwrap()
        .write(&mut items.clone())
        .unwrap_err();
    assert!(error.to_string().contains("columns: expected window_start_s"), "{error}");
    assert_eq!(fs::read_to_string(&csv).unwrap().lines().count(), 3);
    let npy = scratch.file("one.npy");
    let error = Npy::create(&npy)
        .unwrap()
        .open(&SinkContext::default())
        .unwrap()
        .write(&mut items.clone())
        .unwrap_err();
    assert!(matches!(error, SinkError::Layout { what: "features", .. }), "{error}");
    assert_eq!(read_npy(&npy).0, (2, 4));
    let error = Npy::create(&npy)
        .unwrap()
        .open(&SinkContext::default())
        .unwrap()
        .write(&mut vec![features("a", 0), features("b", 0)]);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("name a directory"), "{error}");
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let scratch = Scratch::new().unwrap();
    fs::write(scratch.file("file"), "").unwrap();
    let error = Csv::<Features>::create(scratch.file("file/below")).unwrap_err().to_string();
    assert!(error.contains("cannot create directory") && error.contains("file/below"), "{error}");
    let path = scratch.file("missing/run.npy");
    let error = Npy::create(&path)
        .unwrap()
        .open(&SinkContext::default())
        .unwrap()
        .write(&mut vec![features("a", 0)])
        .unwrap_err();
    assert!(matches!(&error, SinkError::Io { action: "create", target, .. } if target.contains("missing")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_an_io_error() {
    let scratch = Scratch::new().unwrap();
    let path = scratch.file("full.csv");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let error = Csv::create(&path)
        .unwrap()
        .open(&SinkContext::default())
        .unwrap()
        .write(&mut vec![features("a", 0)])
        .unwrap_err();
    assert!(matches!(&error, SinkError::Io { action: "write", target, .. } if target.ends_with("full.csv")));
}

/// Writes until the disk is full. The disk is a limit on the size of files, set for a process of its own.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_whole_rows() {
    const CHILD: &str = "NEURAFLOW_TEST_FULL_DISK";
    if let Some(dir) = std::env::var_os(CHILD) {
        let mut csv =
            Csv::create(Path::new(&dir).join("run.csv")).unwrap().open(&SinkContext::default()).unwrap();
        let mut npy =
            Npy::create(Path::new(&dir).join("run.npy")).unwrap().open(&SinkContext::default()).unwrap();
        let until_full = |writer: &mut dyn SinkWriter<Item = Features>| {
            (0..1_000_000)
                .find_map(|n| writer.write(&mut vec![features("a", 2 * n), features("a", 2 * n + 1)]).err())
        };
        let errors = [until_full(&mut csv).unwrap(), until_full(&mut npy).unwrap()];
        for error in errors {
            assert!(matches!(error, SinkError::Io { action: "write", .. }), "{error}");
        }
        return;
    }
    let scratch = Scratch::new().unwrap();
    let run = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 40 && exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_full_disk_leaves_whole_rows", "--nocapture"])
        .env(CHILD, scratch.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let text = fs::read_to_string(scratch.file("run.csv")).unwrap();
    assert!(text.ends_with("\r\n") && text.lines().count() > 10);
    assert!(text.lines().skip(1).all(|line| line.split(',').count() == 11));
    let ((rows, _), numbers) = read_npy(&scratch.file("run.npy"));
    assert!(rows > 100);
    assert!((0..rows).all(|row| numbers[row * 4] == row as f64));
    let windows = fs::read_to_string(scratch.file("run.windows.csv")).unwrap();
    assert!(windows.ends_with("\r\n") && windows.lines().count() > rows, "every counted row is dated");
}
