//! Files of more streams than a process may have files open. Alone in its process, whose open files it counts.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers outside #[test]

mod support;

use std::fs;

use neuraflow_core::model::{Channel, Features};
use neuraflow_core::sink::{Sink, SinkContext, SinkWriter};
use neuraflow_core::testing::Scratch;
use neuraflow_sinks::local::{Csv, Npy};

const STREAMS: usize = 280;

fn features(stream: usize, index: i64) -> Features {
    let header = support::header(&format!("device {stream}"), vec![Channel::new("C3")]);
    support::features(support::info(header, index), &["rms"], vec![stream as f64 + index as f64 / 10.0])
}

/// Writes three windows of every stream, some streams in a batch, and finishes. The most files that were open meanwhile.
fn write(mut writer: impl SinkWriter<Item = Features>) -> usize {
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let (before, mut most) = (open(), 0);
    for index in 0..3 {
        for first in (0..STREAMS).step_by(70) {
            let mut items: Vec<_> = (first..first + 70).map(|stream| features(stream, index)).collect();
            writer.write(&mut items).unwrap();
            assert!(items.is_empty());
            most = most.max(open() - before);
        }
    }
    writer.finish().unwrap();
    assert_eq!(open(), before, "all are closed at the end");
    most
}

#[test]
fn few_files_are_open_however_many_streams_there_are() {
    let scratch = Scratch::new().unwrap();
    let (csv, npy) = (scratch.file("csv"), scratch.file("npy"));
    let context = SinkContext::default();
    let csv_open = write(Csv::<Features>::create(&csv).unwrap().open(&context).unwrap());
    let npy_open = write(Npy::create(&npy).unwrap().open(&context).unwrap());
    assert!(csv_open <= 256 && npy_open <= 256, "{csv_open} and {npy_open}");

    let contents = |folder, ending: &str| {
        let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
        paths.sort();
        assert_eq!(paths.len(), STREAMS);
        let of =
            |stream: usize| paths.iter().find(|p| p.to_str().unwrap().contains(&format!("device_{stream}-")));
        (0..STREAMS).map(|stream| fs::read(of(stream).unwrap()).unwrap()).collect::<Vec<_>>()
    };
    for (stream, bytes) in contents(&csv, ".csv").into_iter().enumerate() {
        let text = String::from_utf8(bytes).unwrap();
        let last: Vec<_> = text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
        assert_eq!(last, [0, 1, 2].map(|i| format!("{:?}", stream as f64 + f64::from(i) / 10.0)));
    }
    for (stream, bytes) in contents(&npy, ".npy").into_iter().enumerate() {
        let (header, values) = bytes.split_at(128);
        assert!(String::from_utf8_lossy(header).contains("(3, 1)"), "{stream}");
        let expected = [0, 1, 2].map(|i| (stream as f64 + f64::from(i) / 10.0).to_le_bytes()).concat();
        assert_eq!(values, expected);
    }
}
