//! Clusters that do not start because of their checkpoints, and say why in every process.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use neuraflow_core::checkpoint::{CheckpointError, CheckpointStore, StoreError};
use neuraflow_core::dataflow::{
    Checkpointing, Cluster, ClusterError, Pipeline, PipelineError, Running, Tumbling, Workers,
};
use neuraflow_core::model::Features;
use neuraflow_core::sink::{Overflow, Placement};

use super::super::parts::{Keep, Script, Sum, header};
use super::super::recovery::store::Memory;
use super::addresses;

fn graph(sinks: usize) -> Pipeline {
    let headers: Vec<_> = (0..6).map(|n| header(&format!("device {n}"), 250, 2)).collect();
    let keep = || Keep {
        placement: Placement::Thread { capacity: 8, overflow: Overflow::Block },
        ..Keep::<Features>::new().0
    };
    let mut graph = Pipeline::from(Script::of(&headers, 1_000, 10)).window(Tumbling::millis(50));
    for _ in 1..sinks {
        graph = graph.branch(|windows| windows.feature(Sum::default).sink(keep()));
    }
    graph.feature(Sum::default).sink(keep()).build().unwrap()
}

/// Starts the processes; those with a store keep checkpoints in it.
fn start(processes: Vec<(Pipeline, Option<Arc<Memory>>)>) -> Vec<Result<Running, PipelineError>> {
    let addresses = addresses(processes.len());
    let started = processes.into_iter().enumerate().map(|(process, (pipeline, store))| {
        let store = store.map(|store| Checkpointing::new(store as Arc<dyn CheckpointStore>));
        let cluster = Cluster::new(process, addresses.clone()).workers(Workers::new(1));
        thread::spawn(move || {
            let pipeline = match store {
                Some(store) => pipeline.checkpoints(store).unwrap(),
                None => pipeline,
            };
            pipeline.spawn_cluster(&cluster.patience(Duration::from_secs(10)))
        })
    });
    let started: Vec<_> = started.collect();
    started.into_iter().map(|process| process.join().unwrap()).collect()
}

/// All are refused, and at once.
fn refused(processes: Vec<(Pipeline, Option<Arc<Memory>>)>) -> Vec<PipelineError> {
    let begun = Instant::now();
    let started = start(processes).into_iter();
    let errors = started.map(|started| started.map(|_| "it started").unwrap_err()).collect();
    assert!(begun.elapsed() < Duration::from_secs(9), "somebody waited in vain: {errors:?}");
    errors
}

/// Who is to blame, in the words of the others.
fn blames(error: &PipelineError, culprit: usize, why: &str) {
    let PipelineError::Cluster(ClusterError::Refused { process, reason }) = error else { panic!("{error}") };
    assert!(*process == culprit && reason.contains(why), "{error}");
}

fn run(processes: usize, store: &Arc<Memory>) {
    let first = (graph(1), Some(Arc::clone(store)));
    let all = std::iter::once(first).chain((1..processes).map(|_| (graph(1), None)));
    let running: Vec<_> = start(all.collect()).into_iter().map(Result::unwrap).collect();
    running[0].checkpoint();
    running.into_iter().map(|running| thread::spawn(|| running.join())).for_each(|ended| {
        ended.join().unwrap().unwrap();
    });
}

#[test]
fn only_process_0_is_told_where_to_keep_them() {
    for others in [1, 2] {
        let mut processes: Vec<_> = (0..=others).map(|_| (graph(1), None)).collect();
        processes[1].1 = Some(Arc::default());
        let errors = refused(processes);
        let error = &errors[1];
        assert!(matches!(error, PipelineError::Cluster(ClusterError::Checkpoints { process: 1 })), "{error}");
        errors.iter().enumerate().filter(|(process, _)| *process != 1).for_each(|(_, error)| {
            blames(error, 1, "process 1 was given some: leave them out there");
        });
    }
}

#[test]
fn a_store_that_cannot_be_opened_is_all_processes_trouble() {
    let store = Arc::new(Memory::default());
    store.full.store(true, Ordering::SeqCst);
    let errors = refused(vec![(graph(1), Some(store)), (graph(1), None), (graph(1), None)]);
    assert!(
        matches!(
            &errors[0],
            PipelineError::Checkpoint(CheckpointError::Store(StoreError::Io { action: "write", .. }))
        ),
        "{}",
        errors[0]
    );
    errors[1..].iter().for_each(|error| blames(error, 0, "checkpoint store: cannot write"));
}

#[test]
fn two_sinks_of_one_name_are_refused_wherever_they_are() {
    // Alone the name of a sink is nobody's business: the pipelines are equal.
    let store = || Some(Arc::new(Memory::default()));
    let error = graph(2).checkpoints(Checkpointing::new(store().unwrap())).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("two named keep"), "{error}");
    let named = |second: &str| {
        let headers = [header("device", 250, 2)];
        let keep = |name: &str| Named(name.to_owned());
        let graph = Pipeline::from(Script::of(&headers, 1_000, 10)).window(Tumbling::millis(50));
        let graph = graph.branch(|windows| windows.feature(Sum::default).sink(keep("one")));
        graph.feature(Sum::default).sink(keep(second)).build().unwrap()
    };
    let errors = refused(vec![(named("other"), store()), (named("one"), None)]);
    assert!(errors[0].to_string().contains("found two named one in process 1"), "{}", errors[0]);
    blames(&errors[1], 0, "found two named one in process 1");
    // Without checkpoints nobody minds.
    start(vec![(named("other"), None), (named("one"), None)]).into_iter().for_each(|running| {
        drop(running.unwrap());
    });
}

#[test]
fn another_number_of_processes_is_another_pipeline() {
    let store = Arc::new(Memory::default());
    let mut tries = 0;
    while store.list("manifest-").unwrap().is_empty() {
        run(2, &store); // short as it is, the checkpoint may come too late
        tries += 1;
        assert!(tries < 50, "no checkpoint was made");
    }
    let errors = refused(vec![(graph(1), Some(Arc::clone(&store))), (graph(1), None), (graph(1), None)]);
    let told = errors[0].to_string();
    assert!(told.contains("expected cluster: 3 processes, found cluster: 2 processes"), "{told}");
    errors[1..].iter().for_each(|error| blames(error, 0, "found cluster: 2 processes"));
    run(2, &store);
}

/// A sink of any name that swallows all.
struct Named(String);

impl neuraflow_core::sink::Sink for Named {
    type Item = Features;
    type Writer = Self;

    fn name(&self) -> String {
        self.0.clone()
    }

    fn placement(&self) -> Placement {
        Placement::Thread { capacity: 8, overflow: Overflow::Block }
    }

    fn open(&self, _: &neuraflow_core::sink::SinkContext) -> Result<Self, neuraflow_core::sink::SinkError> {
        Ok(Self(self.0.clone()))
    }
}

impl neuraflow_core::sink::SinkWriter for Named {
    type Item = Features;

    fn write(&mut self, items: &mut Vec<Features>) -> Result<(), neuraflow_core::sink::SinkError> {
        items.clear();
        Ok(())
    }
}
