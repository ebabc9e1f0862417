//! Runs by hand on disks that fail: random sequences of what may befall a pipeline, each compared with a run that nothing befell.
//!
//! A sequence is 2,000 actions: packets are fed, the clock moves on, a worker steps, a sink writes, the maker of checkpoints takes its
//! turns; checkpoints are asked for, sinks pause, disks are slow or full, bytes of the state decay, and every hundred actions or so the
//! process is killed or the power fails, also while a disk is at work. Each run goes on where the one before was, on one to four
//! workers. At the end the power fails once more, and what is still there must be what an undisturbed run writes: nothing missing,
//! nothing twice, nothing different. The checkpoints and what the sinks write lie on two disks that lose power together; only that of the
//! checkpoints decays, since nobody can tell what a sink's file should have been.
//!
//! A failure names the seed: `SEED=7 SEQUENCES=1 cargo test -p neuraflow-core --features testing --test engine stepped`.
//!
//! # Who finds which planted bug
//!
//! | bug | found here | found elsewhere |
//! |---|---|---|
//! | a reader's position is told after the state is cut | rows missing | `recovery::kills` |
//! | a stream is not copied before a packet from beyond the cut changes it | rows missing | `recovery::kills` |
//! | a sink writes what lies beyond a cut before its barrier | rows twice | `recovery::kills` |
//! | windows are closed by the wall clock | other rows | `recovery::kills` |
//! | the state of one stream is restored as another's | refused, or other rows | `recovery::kills`, `checkpoint::crashes` |
//! | key groups are dealt otherwise when they are restored (a random salt) | rows missing and twice | `recovery::kills` |
//! | one item in 1,000 (here) or 100,000 (elsewhere) is lost | rows missing | `recovery::long` |
//! | a rename is not made durable | an older checkpoint than was committed | `checkpoint::crashes` |
//! | a sink keeps what the checkpoint does not cover (no dedup) | rows twice, torn rows | |

mod feed;
mod paper;
mod subject;
mod world;

use std::time::Instant;

use neuraflow_core::dataflow::Planted;

use self::subject::Bug;
use self::world::{Figures, World};

const ACTIONS: u64 = 2_000;

/// A number from the environment, for longer runs by hand.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn sequences(count: u64) -> String {
    let (first, actions) = (number("SEED", 1), number("ACTIONS", ACTIONS));
    let count = number("SEQUENCES", count);
    let (begun, mut all) = (Instant::now(), Figures::default());
    for seed in first..first + count {
        match World::new(seed, actions, None).live(actions) {
            Ok(figures) => all.add(&figures),
            Err(wrong) => panic!("SEED={seed} SEQUENCES=1 ACTIONS={actions}: {wrong}"),
        }
    }
    format!("{count} sequences from seed {first} in {:?}: {all:?}", begun.elapsed())
}

#[test]
fn whatever_befalls_it_the_output_is_that_of_a_run_that_nothing_befell() {
    println!("{}", sequences(20));
}

#[test]
#[ignore = "takes minutes"]
fn whatever_befalls_it_many_times() {
    println!("{}", sequences(500));
}

#[test]
fn one_seed_gives_one_execution() {
    for seed in 1..4 {
        let runs = [0; 2].map(|_| World::new(seed, ACTIONS, None).live(ACTIONS));
        assert!(runs[0].is_ok() && runs[0] == runs[1], "seed {seed}: {runs:?}");
    }
}

#[test]
fn planted_bugs_are_found() {
    for bug in [
        Bug::Engine(Planted::PositionTooLate),
        Bug::Engine(Planted::NoCopyOnTouch),
        Bug::Engine(Planted::NoAlignment),
        Bug::Engine(Planted::WallClock),
        Bug::Engine(Planted::WrongKey),
        Bug::Engine(Planted::Salted),
        Bug::Engine(Planted::DropOneIn(1_000)),
        Bug::UnsyncedRename,
        Bug::NoDedup,
    ] {
        let caught = (1..=40).find_map(|seed| {
            let wrong = World::new(seed, ACTIONS, Some(bug)).live(ACTIONS).err()?;
            Some((seed, wrong))
        });
        let Some((seed, wrong)) = caught else { panic!("{bug:?} was not found") };
        println!("{bug:?} is found with seed {seed}: {wrong}");
    }
}
