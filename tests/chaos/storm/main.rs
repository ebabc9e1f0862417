//! Storms: headsets into a real Kafka, a pipeline in a process of its own, results in the real Bigtable emulator; brokers that are
//! killed and frozen, a table that is cut off, silent, slow, resetting and half failing, and the process killed throughout.
//! At the end every cell of the table has to be what a batch computation says, once.
//!
//! `cargo test --release --all-features --test chaos -- --ignored --nocapture` is the long one, a quarter of an hour.

mod feedback;
#[path = "../../support/service.rs"]
mod service;
mod throughput;
mod world;

use std::time::Duration;

use neuraflow::prelude::*;
use neuraflow::sources::kafka::{IngestConfig, KafkaIngest};
use neuraflow::testing::Scratch;
use neuraflow_chaos::journal::{now, read};
use neuraflow_chaos::process::JOURNAL;
use neuraflow_chaos::settings::headsets;
use neuraflow_chaos::verdict::{Outage, Verdict, feedback_p99};
use neuraflow_chaos::{batch, letters, scan};
use serde_json::json;
use world::{PARTITIONS, Process, Servers, World, command};

struct Plan {
    headsets: usize,
    /// Before each outage nothing fails.
    calm: Duration,
    /// How long the table is away, each time. Half of it without another fault.
    outage: Duration,
    outages: &'static [Outage],
    broker_kills: usize,
    freezes: usize,
    freeze: Duration,
    /// Between two faults of the brokers.
    pause: Duration,
}

#[test]
fn a_short_storm_leaves_nothing_out() {
    let plan = Plan {
        headsets: 8,
        calm: Duration::from_secs(2),
        outage: Duration::from_secs(14),
        outages: &[Outage::BlackHole, Outage::HalfFails],
        broker_kills: 1,
        freezes: 1,
        freeze: Duration::from_secs(3),
        pause: Duration::from_secs(2),
    };
    let Some(verdict) = storm(&plan) else { return };
    verdict.judge();
}

#[test]
#[ignore = "takes a quarter of an hour"]
fn a_long_storm_leaves_nothing_out() {
    let plan = Plan {
        headsets: 50,
        calm: Duration::from_secs(15),
        outage: Duration::from_secs(60),
        outages: &[Outage::Cut, Outage::BlackHole, Outage::Slow, Outage::Reset, Outage::HalfFails],
        broker_kills: 20,
        freezes: 5,
        freeze: Duration::from_secs(30),
        pause: Duration::from_secs(5),
    };
    let Some(verdict) = storm(&plan) else { return };
    verdict.judge();
    let drained = verdict.drained.iter().max().unwrap();
    assert!(*drained <= 15_000, "drained after {drained} ms");
    assert!(
        verdict.shift_us() < 1_000.0,
        "feedback is {} µs later while the table is away",
        verdict.shift_us()
    );
}

fn storm(plan: &Plan) -> Option<Verdict> {
    let given = std::env::var("NEURAFLOW_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    let scratch = Scratch::new().unwrap();
    let Servers { emulator, mut broker, flaky, proxy, settings, toxiproxy: _toxiproxy } =
        Servers::start(scratch.file("process"))?;

    // As long as everything together, rounded to whole windows. What is left at the end comes in calm.
    let outages = plan.outages.len() as u32 * (plan.calm + plan.outage + Duration::from_secs(8));
    let brokers = plan.broker_kills as u32 * (plan.pause + Duration::from_secs(7))
        + plan.freezes as u32 * (plan.freeze + plan.pause + Duration::from_secs(2));
    let seconds = (outages + brokers).as_secs_f64().round();
    let source = headsets(plan.headsets, seconds).speed(Speed::RealTime);
    let ingest = KafkaIngest::start(&settings.kafka(), IngestConfig::default(), source).unwrap();
    let writer = letters::Writer::new(&settings.brokers, &settings.kafka(), PARTITIONS, seed);
    let process = Process::start(&settings);
    let mut world = World { settings, process, ingest, writer, process_kills: 0, seed };
    let mut verdict =
        Verdict { broker_kills: plan.broker_kills, freezes: plan.freezes, ..Verdict::default() };

    world.pass(Duration::from_secs(2)); // until all streams are open
    let (mut calm, mut away) = (Vec::new(), Vec::new());
    for outage in plan.outages {
        let begun = now();
        world.pass(plan.calm);
        calm.push((begun, now()));
        let (begun, before) = (now(), world.notes().last().cloned().unwrap());
        match outage {
            Outage::Cut => proxy.enabled(false),
            Outage::BlackHole => proxy.toxic("timeout", &json!({ "timeout": 0 })),
            Outage::Slow => proxy.toxic("latency", &json!({ "latency": 2_000 })),
            Outage::Reset => proxy.toxic("reset_peer", &json!({ "timeout": 0 })),
            Outage::HalfFails => flaky.failing(true),
        }
        world.pass(plan.outage / 2);
        let notes = world.notes();
        if *outage != Outage::HalfFails {
            away.push((begun, now()));
            let opened = notes.iter().find(|note| note.at >= begun && note.openings > before.openings);
            let opened = opened.unwrap_or_else(|| panic!("{outage:?}: the breaker did not open"));
            verdict.opened.push((*outage, opened.at - begun, opened.failures - before.failures));
        }
        world.pass_killing(plan.outage / 2);
        proxy.clear();
        flaky.failing(false);
        verdict.drained.push(world.drain(calm[0]));
        println!("{outage:?}: drained after {} ms", verdict.drained.last().unwrap());
        world.pass(Duration::from_secs(1));
    }
    assert!(!plan.outages.contains(&Outage::HalfFails) || flaky.failed() > 0);
    let notes = world.notes();
    for (what, times) in [("in calm", &calm), ("while the table is away", &away)] {
        let p99: Vec<_> = times.iter().map(|time| feedback_p99(&notes, &[*time])).collect();
        println!("feedback p99 in µs {what}: {p99:?}");
    }
    verdict.calm_us = feedback_p99(&notes, &calm);
    verdict.away_us = feedback_p99(&notes, &away);

    for kill in 0..plan.broker_kills {
        broker.kill();
        world.pass(Duration::from_millis(200 + world.random() % 1_000));
        broker.restart();
        if kill % 2 == 0 {
            world.kill_process();
        }
        world.pass(plan.pause);
    }
    for _ in 0..plan.freezes {
        broker.freeze();
        world.pass(plan.freeze / 2);
        world.kill_process();
        world.pass(plan.freeze / 2);
        broker.thaw();
        world.pass(plan.pause);
    }

    // The calm after it: what is left comes in, and one process reads the topic to its end.
    let World { settings, mut process, ingest, mut writer, process_kills, .. } = world;
    let written = ingest.join().unwrap();
    assert_eq!((written.failed, written.rejected), (0, 0), "{written:?}");
    writer.send_up_to(written.records / 99);
    writer.finish();
    process.kill();
    let last = command(&settings).arg("bounded").output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stdout));
    println!("the last process: {}", String::from_utf8_lossy(&last.stdout).trim());
    verdict.process_kills = process_kills + 1;
    let left = read(&settings.folder.join(JOURNAL)).last().cloned().unwrap();
    assert_eq!(left.waiting_bytes, 0, "{left:?}");

    let letters = letters::read(&settings.brokers, &settings.kafka());
    verdict.malformed = writer.sent;
    verdict.dead_letters = letters.numbers.len();
    verdict.misplaced = letters.others.len();
    if let Some(other) = letters.others.first() {
        println!("a dead letter that was not malformed: {other}");
    }
    let (expected, mut found) = (batch::cells(plan.headsets, seconds), scan::everything(&emulator.address()));
    verdict.cells = expected.len();
    verdict.multi_version = found.values().filter(|versions| versions.len() > 1).count();
    for (place, content) in &expected {
        match found.remove(place) {
            None => verdict.missing += 1,
            Some(versions) if versions.contains(content) => {}
            Some(versions) => {
                if verdict.mismatch == 0 {
                    println!("at {place:?}: expected {content:?}, found {versions:?}");
                }
                verdict.mismatch += 1;
            }
        }
    }
    if let Some((place, content)) = found.first_key_value() {
        println!("extra at {place:?}: {content:?}");
    }
    verdict.extra = found.len();
    Some(verdict)
}
