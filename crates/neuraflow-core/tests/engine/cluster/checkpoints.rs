//! A cluster that is killed anywhere, again and again, and goes on from the checkpoints that its process 0 keeps: what all its
//! processes have written together is what one process writes that nobody kills.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{
    Checkpointing, Cluster, ClusterError, PipelineError, Planted, Report, Running, Workers,
};
use neuraflow_core::resilience::{Clock, SystemClock};

use super::super::hostile::in_time;
use super::super::recovery::graph::{All, Files, Fuses, books, first_difference, pipeline};
use super::super::recovery::store::Memory;
use super::super::recovery::tape::{Death, Fuse, Random, Tape};
use super::addresses;

/// A clock that began at another time than the others', and may go faster.
#[derive(Clone, Copy, Debug)]
struct Elsewhere {
    machine: SystemClock,
    ahead: u64,
    speed: u64,
}

impl Clock for Elsewhere {
    fn now(&self) -> u64 {
        self.machine.now() * self.speed + self.ahead
    }
}

/// The processes of a cluster, over all its lives.
struct Land {
    tapes: Vec<Tape>,
    /// For each process, what it writes, and its clock.
    places: Vec<(Files, Elsewhere)>,
    store: Arc<Memory>,
    every: Duration,
}

impl Land {
    fn new(random: &mut Random, processes: usize) -> Self {
        let tapes = (0..1 + random.below(2)).map(|n| {
            let tape = Tape::eventful(
                &format!("tape {n}"),
                3 + random.below(4),
                4_000 + random.below(6_000),
                random.next(),
            );
            Tape { pace: (3, Duration::from_micros(300)), ..tape }
        });
        let tapes = tapes.collect();
        let mut clock = || {
            let (machine, ahead) = (SystemClock::new(), random.below(100_000_000_000_000));
            Elsewhere { machine, ahead, speed: 1 }
        };
        let places = (0..processes).map(|_| (Files::default(), clock())).collect();
        Self { tapes, places, store: Arc::default(), every: Duration::ZERO }
    }

    /// What one process writes and counts that nobody kills.
    fn oracle(&self) -> (All, Vec<String>) {
        let (files, fast) = (Files::default(), (1_000, Duration::ZERO));
        let tapes: Vec<_> = self.tapes.iter().map(|tape| Tape { pace: fast, ..tape.clone() }).collect();
        let report = pipeline(&tapes, &files, &Fuses::none()).run().unwrap();
        (together(&[files.all()]), books(&report))
    }

    /// Starts all processes.
    fn start(
        &self,
        workers: usize,
        fuses: &[Fuses],
        bug: Option<Planted>,
    ) -> Vec<Result<Running, PipelineError>> {
        let addresses = addresses(self.places.len());
        let started = self.places.iter().zip(fuses).enumerate().map(|(process, ((files, clock), fuses))| {
            let mut pipeline = pipeline(&self.tapes, files, fuses);
            if process == 0 {
                let store = Checkpointing::new(Arc::clone(&self.store) as _);
                pipeline = pipeline.checkpoints(store.with_config(Config::hurried(self.every))).unwrap();
            }
            if let Some(bug) = bug {
                pipeline = pipeline.plant(bug);
            }
            let pipeline = pipeline.with_clock(Arc::new(*clock));
            let cluster = Cluster::new(process, addresses.clone()).workers(Workers::new(workers));
            let cluster = cluster.patience(Duration::from_secs(20));
            thread::spawn(move || pipeline.spawn_cluster(&cluster))
        });
        let started: Vec<_> = started.collect();
        started.into_iter().map(|process| process.join().unwrap()).collect()
    }

    fn live(&self, workers: usize, fuses: &[Fuses], bug: Option<Planted>) -> Vec<End> {
        let ends = self.start(workers, fuses, bug).into_iter().map(|started| {
            thread::spawn(move || match started {
                Ok(running) => running.outcome(),
                Err(error) => (Report::default(), Err(error)),
            })
        });
        let ends: Vec<_> = ends.collect();
        ends.into_iter().map(|end| end.join().unwrap()).collect()
    }

    fn found(&self) -> All {
        together(&self.places.iter().map(|(files, _)| files.all()).collect::<Vec<_>>())
    }
}

type End = (Report, Result<(), PipelineError>);

/// The rows of all processes. A stream may have gone from one to another: its rows are sorted, not strung together.
fn together(places: &[All]) -> All {
    let mut all = All::new();
    for (name, streams) in places.iter().flatten() {
        let place = all.iter().position(|(known, _)| known == name).unwrap_or(all.len());
        if place == all.len() {
            all.push((name, Default::default()));
        }
        for (stream, rows) in streams {
            all[place].1.entry(stream.clone()).or_default().extend(rows.iter().cloned());
        }
    }
    all.iter_mut().flat_map(|(_, streams)| streams.values_mut()).for_each(|rows| rows.sort());
    all
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort();
    rows
}

/// What came of running a cluster again and again until it came through.
#[derive(Default)]
struct Outcome {
    runs: u64,
    restored: u64,
    committed: u64,
    abandoned: u64,
}

/// Where one of the processes dies.
fn fuses(random: &mut Random, processes: usize) -> Vec<Fuses> {
    let mut fuses: Vec<_> = (0..processes).map(|_| Fuses::none()).collect();
    let victim = &mut fuses[random.below(processes as u64) as usize];
    let death = [Death::Fails, Death::Panics][random.below(2) as usize];
    match random.below(3) {
        0 => victim.source = Fuse::of(random.below(60) as i64, death),
        1 => victim.operator = Fuse::of(random.below(90) as i64, death),
        _ => victim.sink = Fuse::of(random.below(60) as i64, death),
    }
    fuses
}

/// One scenario: `Err` says how the output differs from that of a run that nobody killed.
fn scenario(seed: u64, kills: u64, bug: Option<Planted>) -> Result<Outcome, String> {
    let mut random = Random::new(seed);
    let processes = 2 + random.below(2) as usize;
    let land = Land::new(&mut random, processes);
    let (expected, expected_books) = land.oracle();
    let mut outcome = Outcome::default();
    loop {
        outcome.runs += 1;
        let kill = outcome.runs <= kills;
        let fuses = match kill {
            true => fuses(&mut random, processes),
            false => (0..processes).map(|_| Fuses::none()).collect(),
        };
        let fails = if random.chance(4) { 2 + random.below(8) } else { 0 };
        land.store.fails_at.store(fails, Ordering::SeqCst);
        let ends = land.live(1 + random.below(2) as usize, &fuses, bug);
        let first = &ends[0].0.checkpoints;
        outcome.restored += u64::from(first.restored.is_some());
        outcome.committed += first.committed;
        outcome.abandoned += first.abandoned;
        let errors: Vec<_> = ends.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
        if errors.is_empty() {
            let found_books = ends.iter().flat_map(|(report, _)| books(report)).collect();
            if let Some(difference) = first_difference(expected, land.found()) {
                return Err(difference);
            }
            let (expected, found) = (sorted(expected_books), sorted(found_books));
            let different = expected.iter().zip(&found).find(|(expected, found)| expected != found);
            return match different {
                Some(different) => Err(format!("{different:?}")),
                None if expected.len() != found.len() => Err(format!("{} streams", found.len())),
                None => Ok(outcome),
            };
        }
        if !errors.iter().any(|error| is_expected(error)) {
            return Err(format!("{errors:?}"));
        }
    }
}

fn is_expected(error: &PipelineError) -> bool {
    let told = error.to_string();
    ["fuse", "told to panic", "gone", "told to fail"].iter().any(|expected| told.contains(expected))
}

/// A number from the environment, for longer runs by hand.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn a_cluster_killed_anywhere_misses_nothing_and_writes_nothing_twice() {
    let (mut all, first, scenarios) = (Outcome::default(), number("SEED", 1), number("SCENARIOS", 8));
    for seed in first..first + scenarios {
        let outcome = in_time(&format!("seed {seed}"), move || scenario(seed, 8, None));
        let outcome = outcome.unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        all.runs += outcome.runs;
        all.restored += outcome.restored;
        all.committed += outcome.committed;
        all.abandoned += outcome.abandoned;
    }
    let Outcome { runs, restored, committed, abandoned } = all;
    println!(
        "{scenarios} clusters from seed {first}: {runs} runs, {restored} went on from a checkpoint, {committed} made, {abandoned} given up"
    );
    assert!(
        restored > 1 && committed > scenarios,
        "{restored} of {runs} runs, {committed} checkpoints test nothing"
    );
}

#[test]
fn that_a_process_crosses_before_the_others_know_is_caught() {
    let caught = (1..=100).find_map(|seed| {
        let told = format!("seed {seed}");
        let outcome = in_time(&told, move || scenario(seed, 6, Some(Planted::CrossesUnnoticed)));
        outcome.err().map(|difference| (seed, difference))
    });
    let (seed, difference) = caught.unwrap();
    println!("caught with seed {seed}: {}", difference.chars().take(120).collect::<String>());
}

#[test]
fn workers_that_have_gone_beyond_a_cut_make_no_checkpoint_of_it() {
    let mut abandoned = 0;
    for seed in 1..=4 {
        let told = format!("seed {seed}");
        let outcome = in_time(&told, move || scenario(seed, 3, Some(Planted::CrossesEarly)));
        abandoned += outcome.unwrap_or_else(|difference| panic!("seed {seed}: {difference}")).abandoned;
    }
    assert!(abandoned > 0, "no worker ever came too late");
}

#[test]
fn whichever_process_suspends_all_are_left_and_go_on_on_other_workers() {
    for processes in [2, 3] {
        in_time(&format!("{processes} processes"), move || {
            let mut land = Land::new(&mut Random::new(processes as u64), processes);
            land.every = Duration::from_secs(3_600); // only checkpoints that are asked for
            land.tapes.iter_mut().for_each(|tape| tape.pace = (2, Duration::from_millis(2)));
            let (expected, expected_books) = land.oracle();
            let none: Vec<_> = (0..processes).map(|_| Fuses::none()).collect();
            for (life, workers) in [1, 2, 1, 3].into_iter().enumerate() {
                let mut running: Vec<_> =
                    land.start(workers, &none, None).into_iter().map(Result::unwrap).collect();
                while running.iter().map(|running| running.progress().windows).sum::<u64>() < 20 {
                    thread::yield_now();
                }
                let first = running.remove((life + 1) % processes);
                let others: Vec<_> =
                    running.into_iter().map(|running| thread::spawn(|| running.join())).collect();
                let left = first.suspend().unwrap().checkpoints;
                assert!(left.suspended && left.last == Some(life as u64 + 1), "{left:?}");
                for other in others {
                    let left = other.join().unwrap().unwrap().checkpoints;
                    assert!(left.suspended && left.restored == (life as u64).checked_sub(1).map(|n| n + 1));
                }
            }
            land.tapes.iter_mut().for_each(|tape| tape.pace = (100, Duration::ZERO));
            let ends = land.live(2, &none, None);
            ends.iter().for_each(|(report, result)| {
                assert!(result.is_ok() && report.checkpoints.restored == Some(4), "{result:?}");
            });
            if let Some(difference) = first_difference(expected, land.found()) {
                panic!("{processes} processes: {difference}");
            }
            let found = ends.iter().flat_map(|(report, _)| books(report)).collect();
            assert_eq!(sorted(expected_books), sorted(found));
        });
    }
}

#[test]
fn a_checkpoint_asked_for_in_any_process_is_made() {
    in_time("asked for", || {
        let mut land = Land::new(&mut Random::new(7), 2);
        land.every = Duration::from_secs(3_600);
        land.tapes.iter_mut().for_each(|tape| tape.pace = (2, Duration::from_millis(2)));
        let none = [Fuses::none(), Fuses::none()];
        let running: Vec<_> = land.start(1, &none, None).into_iter().map(Result::unwrap).collect();
        running[1].checkpoint();
        let last = |process: usize| running[process].watch().status().checkpoints.last;
        while last(0).is_none() || last(1).is_none() {
            thread::yield_now();
        }
        assert_eq!((last(0), last(1)), (Some(1), Some(1)));
        running.iter().for_each(Running::stop);
        running.into_iter().map(|running| thread::spawn(|| running.join())).for_each(|ended| {
            assert!(ended.join().unwrap().unwrap().balances());
        });
    });
}

#[test]
fn a_clock_that_goes_much_faster_hinders_no_checkpoint() {
    in_time("fast clock", || {
        let mut land = Land::new(&mut Random::new(9), 2);
        land.every = Duration::from_secs(3_600);
        land.tapes.iter_mut().for_each(|tape| tape.pace = (1, Duration::from_millis(2)));
        land.places[1].1.speed = 20; // further ahead within 20 ms than a cut is made
        let none = [Fuses::none(), Fuses::none()];
        let running: Vec<_> = land.start(1, &none, None).into_iter().map(Result::unwrap).collect();
        while running.iter().any(|running| running.progress().windows < 20) {
            thread::yield_now();
        }
        running[0].checkpoint();
        let checkpoints = || running[0].watch().status().checkpoints;
        while checkpoints().committed == 0 {
            thread::yield_now();
        }
        println!("{} given up before one was made", checkpoints().abandoned);
        running.into_iter().map(|running| thread::spawn(|| running.suspend())).for_each(|ended| {
            assert!(ended.join().unwrap().unwrap().checkpoints.suspended);
        });
    });
}

#[test]
fn one_that_dies_is_named_and_all_can_be_started_again() {
    in_time("lost", || {
        let land = Land::new(&mut Random::new(3), 2);
        let mut dies = [Fuses::none(), Fuses::none()];
        dies[1].operator = Fuse::of(100, Death::Panics);
        let ends = land.live(1, &dies, None);
        let Err(PipelineError::Cluster(ClusterError::Failed { process: 1, .. })) = &ends[0].1 else {
            panic!("{:?}", ends[0].1)
        };
        let (expected, _) = land.oracle();
        let none = [Fuses::none(), Fuses::none()];
        land.live(1, &none, None).into_iter().for_each(|(_, result)| result.unwrap());
        assert_eq!(first_difference(expected, land.found()), None);
    });
}
