//! Streams that are refused keep their books over a restart, and a stream stays with the source that brought it first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{Checkpointing, Pipeline, Report, Tumbling, Workers};
use neuraflow_core::model::StreamHeader;
use neuraflow_core::source::{Source, SourceContext, SourceError, SourceReader};

use super::super::hostile::in_time;
use super::super::parts::{Keep, Sum, by_stream, header, packets};
use super::store::Memory;
use super::tape::{Fuse, Tape};

/// Does not say beforehand what it brings.
struct Unannounced(Tape);

impl Source for Unannounced {
    fn name(&self) -> String {
        self.0.name()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        Vec::new()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        self.0.open(context)
    }
}

fn tape(name: &str, devices: &[(&str, usize)]) -> Tape {
    let streams = devices.iter().map(|(device, channels)| {
        let header = header(device, 250, *channels);
        let all = packets(&header, 4_000, 10);
        (header, all)
    });
    let streams = Arc::new(streams.collect());
    Tape { name: name.into(), streams, fuse: Fuse::never(), pace: (4, Duration::from_micros(300)) }
}

/// What happened to each stream: those that are processed and those that are refused, by name.
fn books(report: &Report) -> BTreeMap<String, Vec<String>> {
    let mut books = BTreeMap::<String, Vec<String>>::new();
    for stream in &report.streams {
        let line = format!("{:?} {:?} {:?}", stream.refused, stream.accounting, stream.windows);
        books.entry(stream.header.name.clone()).or_default().push(line);
    }
    books.values_mut().for_each(|lines| lines.sort());
    books
}

#[test]
fn what_is_refused_stays_refused_and_is_counted_on() {
    in_time("refused", || {
        let graph = |kept: &Arc<_>| {
            // Nine channels are too many for the feature; `a` comes from a second source as well.
            let (first, second) =
                (tape("first", &[("a", 2), ("b", 1)]), tape("second", &[("a", 2), ("wide", 9)]));
            let sink = Keep { kept: Arc::clone(kept), ..Keep::new().0 };
            let graph = Pipeline::from(first).merge(Unannounced(second)).window(Tumbling::millis(50));
            graph.feature(Sum::default).sink(sink).build().unwrap()
        };
        let (expected, found) = (Arc::default(), Arc::default());
        let report = graph(&expected).run().unwrap();
        assert_eq!(report.streams.iter().filter(|stream| stream.refused.is_some()).count(), 2);
        let store = Arc::new(Memory::default());
        let begin = |workers| {
            let never = Config::hurried(Duration::from_secs(3_600));
            let store = Checkpointing::new(Arc::clone(&store) as _).with_config(never);
            graph(&found).checkpoints(store).unwrap().spawn(Workers::new(workers)).unwrap()
        };
        for workers in [1, 3, 2] {
            let running = begin(workers);
            let windows = running.progress().windows;
            while running.progress().windows < windows + 60 && !running.is_finished() {
                std::thread::yield_now();
            }
            let left = running.suspend().unwrap();
            assert!(left.checkpoints.suspended && left.balances());
        }
        let last = begin(2).join().unwrap();
        assert_eq!(books(&last), books(&report));
        assert_eq!(by_stream(&found), by_stream(&expected));
    });
}
