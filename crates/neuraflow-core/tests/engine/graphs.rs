//! What a graph computes, and which graphs are refused.

use std::sync::{Arc, Mutex};

use neuraflow_core::dataflow::{BuildError, LateSamples, Pipeline, StreamMarker, Tumbling, Workers, raw};
use neuraflow_core::model::{Features, Marker, Packet, PacketBody, Span, Timestamp, Window, WindowStatus};
use neuraflow_core::window::EpochConfig;
use raw::timely::dataflow::operators::Inspect;

use super::parts::{Keep, Script, Sum, by_stream, header, packets};

#[test]
fn windows_are_exact_and_the_same_on_any_number_of_workers_and_for_any_packet() {
    let headers: Vec<_> = (0..7).map(|d| header(&format!("device {d}"), 250, 3)).collect();
    let run = |workers, size| {
        let (sink, kept) = Keep::new();
        let graph = Pipeline::from(Script::of(&headers, 1_000, size)).window(Tumbling::millis(50));
        let pipeline = graph.feature(Sum::default).sink(sink).build().unwrap();
        let report = pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
        assert!(report.balances());
        assert_eq!(report.accounting().windowed, 7_000);
        assert_eq!((report.windows().complete, report.windows().total()), (7 * 80, 7 * 80));
        assert_eq!(report.sinks[0].written, 7 * 80);
        assert_eq!(report.sinks[0].latency.count(), 7 * 80);
        by_stream(&kept)
    };
    let first = run(1, 13);
    assert_eq!(first.len(), 7 * 80);
    assert_eq!(first[0].2[0], (0..13).sum::<i32>() as f64);
    assert_eq!(first[1].2[0], (13..25).sum::<i32>() as f64);
    for (workers, size) in [(1, 1), (2, 13), (3, 7), (4, 64), (2, 1_000)] {
        assert_eq!(run(workers, size), first, "{workers} workers, packets of {size}");
    }
}

#[test]
fn thousands_of_streams_are_what_they_are_among_few() {
    let headers: Vec<_> = (0..2_500).map(|d| header(&format!("device {d}"), 250, 1 + d % 3)).collect();
    let run = |workers| {
        let (sink, kept) = Keep::new();
        let graph = Pipeline::from(Script::of(&headers, 50, 7)).window(Tumbling::millis(50));
        let report = graph.feature(Sum::default).sink(sink).build().unwrap();
        assert!(report.spawn(Workers::new(workers)).unwrap().join().unwrap().balances());
        by_stream(&kept)
    };
    // One worker asks for their memory ahead of their turns; each of two has too few for that.
    let (one, two) = (run(1), run(2));
    assert_eq!(one.len(), 2_500 * 4);
    assert_eq!(one, two);
}

#[test]
fn a_branch_sees_what_the_main_path_sees() {
    let ((main, main_kept), (side, side_kept)) = (Keep::new(), Keep::<Window>::new());
    let pipeline = Pipeline::from(Script::of(&[header("a", 100, 1)], 100, 10))
        .branch(|signal| signal.window(Tumbling::millis(100)).sink(side))
        .window(Tumbling::millis(50))
        .feature(Sum::default)
        .sink(main)
        .build()
        .unwrap();
    let report = pipeline.run().unwrap();
    assert_eq!((main_kept.lock().unwrap().len(), side_kept.lock().unwrap().len()), (20, 10));
    assert_eq!(report.windows().total(), 20, "the main path's windows are counted");
}

#[test]
fn sources_merge_where_their_keys_are_disjoint() {
    let (sink, kept) = Keep::new();
    let (a, b) = (Script::of(&[header("a", 100, 1)], 50, 5), Script::of(&[header("b", 200, 2)], 100, 7));
    let graph = Pipeline::from(a).merge(b).window(Tumbling::millis(50)).feature(Sum::default);
    let report = graph.sink(sink).build().unwrap().spawn(Workers::new(2)).unwrap().join().unwrap();
    assert_eq!(report.streams.len(), 2);
    assert_eq!(kept.lock().unwrap().len(), 20);

    let (sink, _) = Keep::<Features>::new();
    let (a, b) = (Script::of(&[header("a", 100, 1)], 50, 5), Script::of(&[header("a", 200, 2)], 100, 7));
    let graph = Pipeline::from(a).merge(b).window(Tumbling::millis(50)).feature(Sum::default);
    let refused = graph.sink(sink).build().err().unwrap();
    assert!(matches!(refused, BuildError::DuplicateStream { .. }), "{refused}");
}

#[test]
fn a_stream_that_a_second_source_brings_unannounced_is_refused_and_counted() {
    let (sink, _) = Keep::<Features>::new();
    let mut unannounced = Script::of(&[header("a", 100, 1)], 30, 10);
    unannounced.streams.clear();
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 50, 5)).merge(unannounced);
    let pipeline = graph.window(Tumbling::millis(50)).feature(Sum::default).sink(sink).build().unwrap();
    let report = pipeline.run().unwrap();
    assert!(report.balances());
    assert_eq!(report.accounting().samples_in, 80);
    let refused: Vec<_> = report.streams.iter().filter(|s| s.refused.is_some()).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].accounting.rejected + report.accounting().windowed, 80);
}

#[test]
fn a_refusal_names_the_stage_what_it_expected_and_what_it_found() {
    let (sink, _) = Keep::<Features>::new();
    let wide = Script::of(&[header("wide cap", 250, 9)], 10, 10);
    let graph = Pipeline::from(wide).window(Tumbling::millis(50)).feature(Sum::default).sink(sink);
    let message = graph.build().err().unwrap().to_string();
    assert_eq!(message, "stage 1 (Sum), stream wide cap: channels: expected at most 8, found 9");
}

#[test]
fn settings_belong_to_the_source() {
    let (sink, _) = Keep::<Window>::new();
    let graph = Pipeline::from(Script::of(&[header("a", 250, 1)], 10, 10));
    let late = graph.branch(|s| s.lateness(Span::millis(5)).window(Tumbling::millis(50)).sink(sink));
    let (sink, _) = Keep::<Window>::new();
    let message = late.window(Tumbling::millis(50)).sink(sink).build().err().unwrap().to_string();
    assert!(message.starts_with("lateness: expected it directly after Pipeline::from"), "{message}");
    for hop in [0, -50] {
        let (sink, _) = Keep::<Window>::new();
        let graph = Pipeline::from(Script::of(&[header("a", 250, 1)], 10, 10))
            .window(Tumbling::millis(hop))
            .sink(sink);
        assert!(matches!(graph.build().err().unwrap(), BuildError::Window { .. }), "a hop of {hop} ms");
    }
}

#[test]
fn markers_and_late_samples_come_out_aside() {
    let header = header("a", 100, 1);
    let mut script = Script::of(std::slice::from_ref(&header), 100, 10);
    let marker = PacketBody::Marker(Marker::new(Timestamp::from_nanos(300_000_000), "cue"));
    script.packets.insert(4, Packet { stream: header.key, body: marker });
    // The packet of samples 20 to 29 comes after that of samples 70 to 79.
    let straggler = script.packets.remove(3);
    script.packets.insert(9, straggler);
    let ((late, late_kept), (markers, markers_kept)) =
        (Keep::<LateSamples>::new(), Keep::<StreamMarker>::new());
    let (sink, windows) = Keep::<Window>::new();
    let graph = Pipeline::from(script).late(late).markers(markers).window(Tumbling::millis(50)).sink(sink);
    let report = graph.build().unwrap().run().unwrap();
    let late: usize = late_kept.lock().unwrap().iter().map(|late| late.chunk.len()).sum();
    assert_eq!((late, report.accounting().late, report.accounting().windowed), (10, 10, 90));
    assert_eq!(report.accounting().lost, 0, "late is not lost");
    assert!(report.balances());
    assert_eq!(markers_kept.lock().unwrap()[0].marker.label, "cue");
    let gaps: Vec<_> = windows
        .lock()
        .unwrap()
        .iter()
        .filter(|w| w.info.status == WindowStatus::Gap)
        .map(|w| w.info.index)
        .collect();
    assert_eq!(gaps, [4, 5]);
}

#[test]
fn a_stream_goes_on_after_a_reconnect() {
    let first = header("a", 100, 1);
    let mut again = first.clone();
    again.t0 = Timestamp::from_nanos(2_000_000_000);
    let mut script = Script::of(std::slice::from_ref(&first), 102, 10);
    script.packets.extend(packets(&again, 98, 10));
    let (sink, windows) = Keep::<Window>::new();
    let graph = Pipeline::from(script).window(Tumbling::millis(50)).sink(sink);
    let report = graph.build().unwrap().run().unwrap();
    assert!(report.balances());
    assert_eq!(report.accounting().windowed, 200);
    let statuses: Vec<_> = windows.lock().unwrap().iter().map(|w| (w.info.index, w.info.status)).collect();
    assert_eq!(statuses[20], (20, WindowStatus::Partial));
    assert_eq!(statuses[21], (40, WindowStatus::Complete));
    assert_eq!(statuses.last(), Some(&(59, WindowStatus::Partial)));
    assert_eq!(report.streams.len(), 1, "one stream, however often it was opened");
}

#[test]
fn integrators_get_the_timely_stream() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1), header("b", 100, 1)], 100, 10));
    let pipeline = graph.window(Tumbling::millis(50)).feature(Sum::default).raw("inspect", move |stream| {
        let keep = Arc::clone(&keep);
        stream.inspect(move |features: &Features| keep.lock().unwrap().push(features.info.index));
    });
    pipeline.build().unwrap().spawn(Workers::new(2)).unwrap().join().unwrap();
    assert_eq!(seen.lock().unwrap().len(), 40);
}

#[test]
fn epochs_are_cut_around_markers_and_features_are_computed_from_them() {
    let header = header("a", 100, 1);
    let mut script = Script::of(std::slice::from_ref(&header), 100, 10);
    for (place, (millis, label)) in
        [(300, "go"), (400, "rest"), (700, "go"), (980, "go")].into_iter().enumerate()
    {
        let marker = Marker::new(Timestamp::from_nanos(millis * 1_000_000), label);
        script.packets.insert(4 + place, Packet { stream: header.key, body: PacketBody::Marker(marker) });
    }
    let (sink, kept) = Keep::new();
    let epochs = EpochConfig::new(Span::millis(100), Span::millis(100)).with_labels(["go"]);
    let graph = Pipeline::from(script).epochs(epochs).feature(Sum::default).sink(sink);
    graph.build().unwrap().run().unwrap();
    let sums: Vec<_> = kept.lock().unwrap().iter().map(|f: &Features| (f.info.status, f.values[0])).collect();
    let sum = |from: i32, to: i32| f64::from((from..to).sum::<i32>());
    assert_eq!(sums[..2], [(WindowStatus::Complete, sum(20, 40)), (WindowStatus::Complete, sum(60, 80))]);
    assert_eq!(sums[2].0, WindowStatus::Partial, "the stream ends within it");
    assert_eq!(kept.lock().unwrap()[0].info.marker.as_ref().unwrap().label, "go");
}

#[test]
fn late_samples_have_one_sink() {
    let ((one, _), (two, _), (sink, _)) = (Keep::new(), Keep::new(), Keep::<Window>::new());
    let graph = Pipeline::from(Script::of(&[header("a", 100, 1)], 10, 10)).late(one).late(two);
    let message = graph.window(Tumbling::millis(50)).sink(sink).build().err().unwrap().to_string();
    assert_eq!(message, "late: expected one sink for late samples, found two");
}
