//! Storms: headsets into a real Kafka, a pipeline in a process of its own, results in the real Bigtable emulator; brokers that are
//! killed and frozen, a table that is cut off, silent, slow, resetting and half failing, and the process killed throughout.
//! At the end every cell of the table has to be what a batch computation says, once.
//!
//! `cargo test --release --all-features --test chaos -- --ignored --nocapture` is the long one, a quarter of an hour.

#[path = "../support/service.rs"]
mod service;

use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use neuraflow::model::StableHasher;
use neuraflow::prelude::*;
use neuraflow::sources::kafka::{IngestConfig, KafkaIngest};
use neuraflow::testing::Scratch;
use neuraflow_chaos::flaky::Flaky;
use neuraflow_chaos::journal::{Note, now, read};
use neuraflow_chaos::process::JOURNAL;
use neuraflow_chaos::proxy::Proxy;
use neuraflow_chaos::settings::{Settings, headsets};
use neuraflow_chaos::verdict::{Outage, Verdict, feedback_p99};
use neuraflow_chaos::{batch, letters, scan};
use serde_json::json;
use service::{Service, free_port};

const PARTITIONS: u32 = 16;

struct Plan {
    headsets: usize,
    /// Before anything fails.
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
        calm: Duration::from_secs(30),
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

/// A process that does not outlive the storm.
struct Process(Child);

impl Process {
    fn start(settings: &Settings) -> Self {
        Self(command(settings).spawn().unwrap())
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(settings: &Settings) -> Command {
    let (name, value) = settings.variable();
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm-process"));
    command.env(name, value).stdout(Stdio::piped());
    command
}

/// Everything that is on.
struct World {
    settings: Settings,
    process: Process,
    ingest: KafkaIngest,
    writer: letters::Writer,
    process_kills: usize,
    seed: u64,
}

impl World {
    /// Time passes; the malformed are put among the others, one in a hundred.
    fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.writer.send_up_to(self.ingest.watch().stats().records / 99);
            if let Some(status) = self.process.0.try_wait().unwrap() {
                panic!("the process ended by itself: {status}");
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    /// The same, and the process is killed and started again, every two to four seconds.
    fn pass_killing(&mut self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.kill_process();
            let lives = Duration::from_millis(2_000 + self.random() % 2_000);
            self.pass(lives.min(left));
        }
    }

    fn kill_process(&mut self) {
        self.process.kill();
        self.process = Process::start(&self.settings);
        self.process_kills += 1;
    }

    fn random(&self) -> u64 {
        StableHasher::default().u64(self.seed).u64(self.process_kills as u64).finish() as u64
    }

    fn notes(&self) -> Vec<Note> {
        read(&self.settings.folder.join(JOURNAL))
    }

    /// Waits until no more is in the outbox than in calm; how long that took, in milliseconds.
    fn drain(&mut self, calm: u64) -> u64 {
        let begun = now();
        loop {
            self.pass(Duration::from_millis(100));
            let drained = |note: &Note| note.at > begun && note.waiting_bytes <= calm;
            if let Some(note) = self.notes().into_iter().find(drained) {
                return note.at - begun;
            }
            assert!(now() - begun < 120_000, "not drained after two minutes: {:?}", self.notes().last());
        }
    }
}

fn storm(plan: &Plan) -> Option<Verdict> {
    let given = std::env::var("NEURAFLOW_SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    let (emulator, toxiproxy) = (Service::start("bigtable")?, Service::start("toxiproxy")?);
    let mut broker = Service::start("kafka")?;
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("process");
    std::fs::create_dir_all(&folder).unwrap();
    let flaky = Flaky::start(&emulator.address());
    let proxy = Proxy::new(toxiproxy.address(), format!("127.0.0.1:{}", free_port()), &flaky.address);
    let settings = Settings {
        brokers: broker.address(),
        topic: "signals".to_owned(),
        partitions: PARTITIONS,
        table: proxy.address.clone(),
        folder,
    };
    settings.kafka().create().unwrap();
    settings.bigtable(&emulator.address()).create().unwrap();

    // As long as everything together, rounded to whole windows. What is left at the end comes in calm.
    let outages = plan.outages.len() as u32 * (plan.outage + Duration::from_secs(8));
    let brokers = plan.broker_kills as u32 * (plan.pause + Duration::from_secs(7))
        + plan.freezes as u32 * (plan.freeze + plan.pause + Duration::from_secs(2));
    let seconds = (plan.calm + outages + brokers).as_secs_f64().round();
    let source = headsets(plan.headsets, seconds).speed(Speed::RealTime);
    let ingest = KafkaIngest::start(&settings.kafka(), IngestConfig::default(), source).unwrap();
    let writer = letters::Writer::new(&settings.brokers, &settings.kafka(), PARTITIONS, seed);
    let process = Process::start(&settings);
    let mut world = World { settings, process, ingest, writer, process_kills: 0, seed };
    let mut verdict =
        Verdict { broker_kills: plan.broker_kills, freezes: plan.freezes, ..Verdict::default() };

    world.pass(Duration::from_secs(2)); // until all streams are open
    let calm = now();
    world.pass(plan.calm);
    let notes = world.notes();
    verdict.calm_us = feedback_p99(&notes, calm, now());
    let in_calm = notes.iter().filter(|note| note.at >= calm).map(|note| note.waiting_bytes).max().unwrap();
    let mut away = Vec::new();
    for outage in plan.outages {
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
        verdict.drained.push(world.drain(in_calm));
        println!("{outage:?}: drained after {} ms", verdict.drained.last().unwrap());
        world.pass(Duration::from_secs(1));
    }
    assert!(!plan.outages.contains(&Outage::HalfFails) || flaky.failed() > 0);
    let notes = world.notes();
    let p99 = away.iter().map(|(from, until)| feedback_p99(&notes, *from, *until));
    verdict.away_us = p99.fold(0.0, f64::max);

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
