//! Several processes that run one pipeline together. Here they are threads of one; `tests/processes.rs` has real ones.

mod checkpoints;
mod heavy;
mod refused;

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use neuraflow_core::dataflow::{
    Cluster, ClusterError, Pipeline, PipelineError, Report, Running, Tumbling, Workers,
};
use neuraflow_core::ingest::Ingest;
use neuraflow_core::model::{Features, StreamHeader, Window};
use neuraflow_core::sink::{Overflow, Placement, Sink, SinkContext, SinkError, SinkWriter};
use neuraflow_core::source::{Polled, Source, SourceContext, SourceError, SourceReader};

use super::failures::Endless;
use super::parts::{Keep, Script, Sum, by_stream, header};

type Kept = Arc<Mutex<Vec<Features>>>;

fn addresses(count: usize) -> Vec<String> {
    let free: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    free.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect()
}

fn headers() -> Vec<StreamHeader> {
    (0..12).map(|n| header(&format!("device {n}"), 250, 3)).collect()
}

fn sums(sum: Sum) -> (Pipeline, Kept) {
    let (sink, kept) = Keep::new();
    let graph = Pipeline::from(Script::of(&headers(), 5_000, 7)).window(Tumbling::millis(50));
    (graph.feature(move || sum.clone()).sink(sink).build().unwrap(), kept)
}

fn endless(sum: Sum) -> Pipeline {
    let (sink, _) = Keep::<Features>::new();
    let graph = Pipeline::from(Endless).window(Tumbling::millis(50));
    graph.feature(move || sum.clone()).sink(sink).build().unwrap()
}

/// Starts a process of each pipeline, and says what became of each start.
fn start(pipelines: Vec<Pipeline>, workers: usize) -> Vec<Result<Running, PipelineError>> {
    let addresses = addresses(pipelines.len());
    let processes = pipelines.into_iter().enumerate().map(|(process, pipeline)| {
        let cluster = Cluster::new(process, addresses.clone()).workers(Workers::new(workers));
        thread::spawn(move || pipeline.spawn_cluster(&cluster.patience(Duration::from_secs(10))))
    });
    let processes: Vec<_> = processes.collect();
    processes.into_iter().map(|process| process.join().unwrap()).collect()
}

fn join(started: Vec<Result<Running, PipelineError>>) -> Vec<Result<Report, PipelineError>> {
    let ends = started.into_iter().map(|running| thread::spawn(move || running.and_then(Running::join)));
    let ends: Vec<_> = ends.collect();
    ends.into_iter().map(|end| end.join().unwrap()).collect()
}

fn cluster_error(result: Result<Running, PipelineError>) -> ClusterError {
    match result {
        Err(PipelineError::Cluster(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[test]
fn what_it_computes_does_not_depend_on_the_number_of_processes() {
    let (alone, expected) = sums(Sum::default());
    let whole = alone.run().unwrap();
    for (processes, workers) in [(2, 1), (2, 2), (3, 1)] {
        let (pipelines, kept): (Vec<_>, Vec<_>) = (0..processes).map(|_| sums(Sum::default())).unzip();
        let reports = join(start(pipelines, workers));
        let (mut found, mut samples, mut streams) = (Vec::new(), 0, 0);
        for (report, kept) in reports.into_iter().zip(kept) {
            let report = report.unwrap();
            assert!(report.balances());
            assert!(!report.streams.is_empty(), "12 streams leave no process without any");
            assert!(report.wait.max().is_none_or(|wait| wait < 10_000_000_000), "arrival by another clock");
            (samples, streams) = (samples + report.accounting().samples_in, streams + report.streams.len());
            found.extend(by_stream(&kept));
        }
        found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut expected = by_stream(&expected);
        expected.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        assert_eq!(found, expected, "{processes} processes of {workers}");
        assert_eq!((samples, streams), (whole.accounting().samples_in, 12));
    }
}

#[test]
fn processes_that_differ_are_told_so_on_both_sides() {
    let other = {
        let (sink, _) = Keep::<Features>::new();
        let graph = Pipeline::from(Script::of(&headers(), 5_000, 7)).window(Tumbling::millis(100));
        graph.feature(Sum::default).sink(sink).build().unwrap()
    };
    let errors: Vec<_> =
        start(vec![sums(Sum::default()).0, other], 1).into_iter().map(cluster_error).collect();
    let [
        ClusterError::Mismatch { process: 1, expected: here, found: there, .. },
        ClusterError::Mismatch { process: 0, expected, found, .. },
    ] = errors.as_slice()
    else {
        panic!("{errors:?}")
    };
    assert_eq!((here, there), (found, expected));
    assert!(here.contains("50000000 ns") && there.contains("100000000 ns"), "{here} {there}");
}

#[test]
fn all_are_told_when_two_of_three_differ() {
    [0, 300].into_iter().for_each(two_of_three_differ);
}

/// The one that does not differ comes so many milliseconds later.
fn two_of_three_differ(late: u64) {
    let other = {
        let (sink, _) = Keep::<Features>::new();
        let graph = Pipeline::from(Script::of(&headers(), 5_000, 7)).window(Tumbling::millis(100));
        graph.feature(Sum::default).sink(sink).build().unwrap()
    };
    let (begun, addresses) = (Instant::now(), addresses(3));
    let pipelines = [(sums(Sum::default()).0, 0), (sums(Sum::default()).0, late), (other, 0)];
    let processes = pipelines.into_iter().enumerate().map(|(process, (pipeline, late))| {
        let cluster = Cluster::new(process, addresses.clone()).patience(Duration::from_secs(10));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(late));
            cluster_error(pipeline.spawn_cluster(&cluster))
        })
    });
    let processes: Vec<_> = processes.collect();
    let errors: Vec<_> = processes.into_iter().map(|process| process.join().unwrap()).collect();
    assert!(errors.iter().any(|error| matches!(error, ClusterError::Mismatch { .. })), "{errors:?}");
    assert!(begun.elapsed() < Duration::from_secs(9), "somebody waited in vain: {errors:?}");
}

#[test]
fn another_number_of_workers_is_a_difference() {
    let addresses = addresses(2);
    let processes: Vec<_> = (0..2)
        .map(|process| {
            let cluster = Cluster::new(process, addresses.clone()).workers(Workers::new(process + 1));
            thread::spawn(move || cluster_error(sums(Sum::default()).0.spawn_cluster(&cluster)).to_string())
        })
        .collect();
    let said: Vec<_> = processes.into_iter().map(|process| process.join().unwrap()).collect();
    assert!(said[0].contains("workers in each process: 1, found 2"), "{said:?}");
    assert!(said[1].contains("workers in each process: 2, found 1"), "{said:?}");
}

#[test]
fn nobody_waits_for_ever() {
    for process in 0..2 {
        let cluster = Cluster::new(process, addresses(2)).patience(Duration::from_millis(200));
        let begun = Instant::now();
        let error = cluster_error(sums(Sum::default()).0.spawn_cluster(&cluster));
        assert!(
            matches!(error, ClusterError::Absent { process: absent, .. } if absent == 1 - process),
            "{error}"
        );
        assert!(begun.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn settings_that_make_no_cluster_are_refused() {
    for (cluster, what) in [
        (Cluster::new(0, ["a:1"]), "two processes or more, found 1"),
        (Cluster::new(2, ["a:1", "b:1"]), "found process 2 of 2"),
        (Cluster::new(0, ["a:1", "a:1"]), "found a:1 twice"),
        (Cluster::new(0, ["a:1", "b:1"]).patience(Duration::ZERO), "patience of more than no time"),
    ] {
        let error = cluster_error(sums(Sum::default()).0.spawn_cluster(&cluster)).to_string();
        assert!(error.contains(what), "{error}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let cluster = Cluster::new(0, [address, "127.0.0.1:9".to_owned()]);
    let error = cluster_error(sums(Sum::default()).0.spawn_cluster(&cluster));
    assert!(matches!(error, ClusterError::Listen { .. }), "{error}");
}

#[test]
fn strangers_do_not_hinder_a_start() {
    let addresses = addresses(2);
    let processes = [(0, 0), (1, 300)].map(|(process, late)| {
        let cluster = Cluster::new(process, addresses.clone()).patience(Duration::from_secs(10));
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(late)); // the stranger is to come first
            sums(Sum::default()).0.spawn_cluster(&cluster)
        })
    });
    let stranger = thread::spawn(move || {
        for _ in 0..100 {
            if let Ok(mut stream) = TcpStream::connect(&addresses[0]) {
                let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n");
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    });
    stranger.join().unwrap();
    let started = processes.map(|process| process.join().unwrap()).into_iter().collect();
    join(started).into_iter().for_each(|report| assert!(report.unwrap().balances()));
}

#[test]
fn one_that_stops_takes_the_others_along() {
    let started = start(vec![endless(Sum::default()), endless(Sum::default())], 2);
    let started: Vec<_> = started.into_iter().map(Result::unwrap).collect();
    while started.iter().any(|running| running.progress().windows < 10) {
        thread::sleep(Duration::from_millis(1));
    }
    started[1].stop();
    for report in join(started.into_iter().map(Ok).collect()) {
        assert!(report.unwrap().balances());
    }
}

#[test]
fn one_that_fails_takes_the_others_along() {
    for guilty in 0..2 {
        let sum = |process| Sum { panics_at: (process == guilty).then_some(7), ..Sum::default() };
        let begun = Instant::now();
        let mut ends = join(start(vec![endless(sum(0)), endless(sum(1))], 2));
        let error = ends.remove(guilty).unwrap_err();
        assert!(matches!(&error, PipelineError::Panicked { .. }), "{error}");
        let error = ends.remove(0).unwrap_err();
        let PipelineError::Cluster(ClusterError::Failed { process, reason }) = &error else {
            panic!("{error}")
        };
        assert!(*process == guilty && reason.contains("told to panic"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(9), "somebody waited in vain");
    }
}

/// Reads a script a little at a time.
struct Paced(Script);

struct PacedReader(Box<dyn SourceReader>);

impl Source for Paced {
    fn name(&self) -> String {
        "paced".into()
    }

    fn streams(&self) -> Vec<StreamHeader> {
        self.0.streams()
    }

    fn open(&self, context: SourceContext) -> Result<Option<Box<dyn SourceReader>>, SourceError> {
        Ok(self.0.open(context)?.map(|reader| Box::new(PacedReader(reader)) as _))
    }
}

impl SourceReader for PacedReader {
    fn poll(&mut self, out: &mut Ingest, budget: usize) -> Result<Polled, SourceError> {
        Ok(match self.0.poll(out, budget)? {
            Polled::Ready => Polled::After(Duration::from_millis(1)),
            other => other,
        })
    }
}

/// Takes its time.
struct Slow;

impl Sink for Slow {
    type Item = Window;
    type Writer = Self;

    fn name(&self) -> String {
        "slow".into()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 4, overflow: Overflow::Block }
    }

    fn open(&self, _: &SinkContext) -> Result<Self, SinkError> {
        Ok(Self)
    }
}

impl SinkWriter for Slow {
    type Item = Window;

    fn write(&mut self, items: &mut Vec<Window>) -> Result<(), SinkError> {
        items.drain(..).for_each(|_| thread::sleep(Duration::from_micros(200)));
        Ok(())
    }
}

#[test]
fn a_slow_sink_elsewhere_holds_the_source_up_and_lets_it_go_on() {
    let pipeline = |slow: bool| {
        let graph = Pipeline::from(Paced(Script::of(&headers(), 10_000, 50))).window(Tumbling::millis(50));
        let graph = if slow { graph.sink(Slow) } else { graph.sink(Keep::<Window>::new().0) };
        graph.build().unwrap()
    };
    let mut started = start(vec![pipeline(false), pipeline(true)], 1);
    let (far, near) = (started.pop().unwrap().unwrap(), started.pop().unwrap().unwrap());
    let mut most = 0;
    while !far.is_finished() {
        let ahead = far.progress().samples_in.saturating_sub(13 * far.watch().status().sinks[0].written);
        most = most.max(ahead);
        thread::sleep(Duration::from_millis(2));
    }
    assert!(most < 20_000, "{most} samples of the slow process were under way");
    let reports = join(vec![Ok(near), Ok(far)]);
    let samples: u64 = reports.into_iter().map(|report| report.unwrap().accounting().samples_in).sum();
    assert_eq!(samples, 120_000);
}

#[test]
fn what_another_process_has_worked_off_makes_room_for_more() {
    // More than may be under way at a time goes to the other process.
    let headers: Vec<_> = (0..12).map(|n| header(&format!("device {n}"), 250, 8)).collect();
    let pipeline = || {
        let graph = Pipeline::from(Script::of(&headers, 150_000, 500)).window(Tumbling::millis(50));
        graph.feature(Sum::default).sink(Keep::<Features>::new().0).build().unwrap()
    };
    let started: Vec<_> = start(vec![pipeline(), pipeline()], 1).into_iter().map(Result::unwrap).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    while started.iter().any(|running| !running.is_finished()) {
        if Instant::now() > deadline {
            started.iter().for_each(Running::stop);
            panic!("the source waits for room that there is");
        }
        thread::sleep(Duration::from_millis(5));
    }
    let reports: Vec<_> =
        join(started.into_iter().map(Ok).collect()).into_iter().map(Result::unwrap).collect();
    assert!(reports[1].accounting().samples_in * 8 > 4 << 20, "too little went there to tell");
}
