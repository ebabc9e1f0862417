//! Many items: one that is missing among a hundred thousand is found.

use std::sync::Arc;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{Checkpointing, Pipeline, Planted, Tumbling, Workers};
use neuraflow_core::model::{Packet, PacketBody, Window};

use super::super::hostile::in_time;
use super::super::parts::{header, packets};
use super::sink::{Append, File};
use super::store::Memory;
use super::tape::{Fuse, Tape};

fn run(tape: &Tape, file: &File, bug: Option<Planted>) {
    let row = |window: &Window| (window.info.stream.name.clone(), window.info.index.to_string());
    let sink =
        Append { name: "windows".into(), file: Arc::clone(file), row, fuse: Fuse::never(), capacity: 4_096 };
    let pipeline = Pipeline::from(tape.clone()).window(Tumbling::millis(1)).sink(sink).build().unwrap();
    let store = Checkpointing::new(Arc::new(Memory::default()) as _);
    let store = store.with_config(Config::hurried(Duration::from_millis(5)));
    let mut pipeline = pipeline.checkpoints(store).unwrap();
    if let Some(bug) = bug {
        pipeline = pipeline.plant(bug);
    }
    pipeline.spawn(Workers::new(2)).unwrap().join().unwrap();
}

#[test]
fn one_item_in_a_hundred_thousand_that_is_dropped_is_missed() {
    in_time("long", || {
        let headers: Vec<_> = (0..4).map(|n| header(&format!("long/{n}"), 1_000, 1)).collect();
        let streams = headers.into_iter().map(|header| {
            let all: Vec<Packet> = packets(&header, 30_000, 50);
            assert!(matches!(all[0].body, PacketBody::Open(_)));
            (header, all)
        });
        let streams = Arc::new(streams.collect());
        let tape = Tape { name: "long".into(), streams, fuse: Fuse::never(), pace: (16, Duration::ZERO) };
        let (whole, holed) = (File::default(), File::default());
        run(&tape, &whole, None);
        run(&tape, &holed, Some(Planted::DropOneIn(100_000)));
        assert_eq!((whole.lock().unwrap().len(), holed.lock().unwrap().len()), (120_000, 119_999));
    });
}
