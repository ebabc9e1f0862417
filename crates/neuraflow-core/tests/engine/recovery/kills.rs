//! Killed anywhere, on any number of workers, and gone on with: the output is that of a run that nobody killed, to the bit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use neuraflow_core::checkpoint::Config;
use neuraflow_core::dataflow::{Checkpointing, PipelineError, Planted, Report, Workers};

use super::super::hostile::in_time;
use super::graph::{Files, Fuses, books, difference, pipeline};
use super::store::Memory;
use super::tape::{Death, Fuse, Random, Tape};

/// What came of running a pipeline again and again until it came through.
struct Outcome {
    runs: u64,
    committed: u64,
    abandoned: u64,
    report: Report,
}

/// Runs until it comes through; the first `kills` runs are killed somewhere, unless they end before.
fn run_through(
    (tapes, files): (&[Tape], &Files),
    store: &Arc<Memory>,
    random: &mut Random,
    kills: u64,
    bug: Option<Planted>,
) -> Result<Outcome, PipelineError> {
    let (mut runs, mut committed, mut abandoned) = (0, 0, 0);
    loop {
        runs += 1;
        let mut fuses = Fuses::none();
        if runs <= kills {
            let death = [Death::Fails, Death::Panics][random.below(2) as usize];
            match random.below(3) {
                0 => fuses.source = Fuse::of(random.below(60) as i64, death),
                1 => fuses.operator = Fuse::of(random.below(250) as i64, death),
                _ => fuses.sink = Fuse::of(random.below(120) as i64, death),
            }
        }
        store.fails_at.store(if random.chance(3) { 1 + random.below(8) } else { 0 }, Ordering::SeqCst);
        let checkpointing =
            Checkpointing::new(Arc::clone(store) as _).with_config(Config::hurried(Duration::ZERO));
        let mut pipeline = pipeline(tapes, files, &fuses).checkpoints(checkpointing).unwrap();
        if let Some(bug) = bug {
            pipeline = pipeline.plant(bug);
        }
        let workers = Workers::new(1 + random.below(4) as usize);
        let (report, outcome) = match pipeline.spawn(workers) {
            Ok(running) => running.outcome(),
            // Claiming the run's generation is a write too.
            Err(PipelineError::Checkpoint(error)) if error.to_string().contains("told to fail") => continue,
            Err(error) => return Err(error),
        };
        committed += report.checkpoints.committed;
        abandoned += report.checkpoints.abandoned;
        match outcome {
            Ok(()) => return Ok(Outcome { runs, committed, abandoned, report }),
            Err(error) => {
                let told = error.to_string();
                if !["fuse", "told to panic", "gone"].iter().any(|expected| told.contains(expected)) {
                    return Err(error);
                }
            }
        }
    }
}

/// One scenario: `Err` says how its output differs from that of a run that nobody killed.
fn scenario(seed: u64, bug: Option<Planted>) -> Result<Outcome, String> {
    let mut random = Random::new(seed);
    let tapes: Vec<Tape> = (0..1 + random.below(3))
        .map(|n| {
            let (streams, samples) = (1 + random.below(5), 2_000 + random.below(8_000));
            Tape::eventful(&format!("tape {n}"), streams, samples, random.next())
        })
        .collect();
    let (expected, found) = (Files::default(), Files::default());
    let report = pipeline(&tapes, &expected, &Fuses::none()).run().unwrap();
    assert!(report.balances());
    let store = Arc::new(Memory::default());
    let outcome = run_through((&tapes, &found), &store, &mut random, 12, bug).map_err(|e| e.to_string())?;
    if let Some(difference) = difference(&expected, &found) {
        return Err(difference);
    }
    let (expected, found) = (books(&report), books(&outcome.report));
    match expected.iter().zip(&found).find(|(expected, found)| expected != found) {
        Some(different) => Err(format!("{different:?}")),
        None if expected.len() != found.len() => Err(format!("{} streams", found.len())),
        None => Ok(outcome),
    }
}

/// A number from the environment, for longer runs by hand.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[test]
fn killed_anywhere_nothing_is_missing_extra_or_different() {
    let (mut runs, mut committed, mut abandoned) = (0, 0, 0);
    let (first, scenarios) = (number("SEED", 1), number("SCENARIOS", 20));
    for seed in first..first + scenarios {
        let outcome = in_time(&format!("seed {seed}"), move || scenario(seed, None));
        let outcome = outcome.unwrap_or_else(|difference| panic!("seed {seed}: {difference}"));
        runs += outcome.runs;
        committed += outcome.committed;
        abandoned += outcome.abandoned;
    }
    println!(
        "{scenarios} scenarios from seed {first}: {runs} runs, {committed} checkpoints, {abandoned} given up"
    );
    assert!(committed > scenarios, "{committed} checkpoints in {runs} runs test nothing");
}

#[test]
fn planted_bugs_are_caught() {
    for bug in [
        Planted::PositionTooLate,
        Planted::NoCopyOnTouch,
        Planted::NoAlignment,
        Planted::WallClock,
        Planted::WrongKey,
        Planted::Salted,
    ] {
        let caught = (1..=60).find_map(|seed| {
            let outcome = in_time(&format!("{bug:?}, seed {seed}"), move || scenario(seed, Some(bug)));
            outcome.err().map(|difference| (seed, difference))
        });
        let Some((seed, difference)) = caught else { panic!("{bug:?} was not caught") };
        println!("{bug:?} is caught with seed {seed}: {}", difference.chars().take(120).collect::<String>());
    }
}
