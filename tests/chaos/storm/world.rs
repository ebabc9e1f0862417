//! Servers, processes and time: what a storm happens to.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use neuraflow::model::StableHasher;
use neuraflow::sources::kafka::KafkaIngest;
use neuraflow_chaos::flaky::Flaky;
use neuraflow_chaos::journal::{Note, now, read};
use neuraflow_chaos::letters;
use neuraflow_chaos::process::JOURNAL;
use neuraflow_chaos::proxy::Proxy;
use neuraflow_chaos::settings::Settings;

use crate::service::{Service, free_port};

pub const PARTITIONS: u32 = 16;

/// The servers, and what lies between them and the process.
pub struct Servers {
    pub broker: Service,
    pub emulator: Service,
    pub toxiproxy: Service,
    pub flaky: Flaky,
    /// In front of what fails half of the time, in front of the emulator.
    pub proxy: Proxy,
    pub settings: Settings,
}

impl Servers {
    pub fn start(folder: PathBuf) -> Option<Self> {
        let (emulator, toxiproxy) = (Service::start("bigtable")?, Service::start("toxiproxy")?);
        let broker = Service::start("kafka")?;
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
        Some(Self { broker, emulator, toxiproxy, flaky, proxy, settings })
    }
}

/// A process that does not outlive the storm.
pub struct Process(pub Child);

impl Process {
    pub fn start(settings: &Settings) -> Self {
        Self(command(settings).spawn().unwrap())
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
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

pub fn command(settings: &Settings) -> Command {
    let (name, value) = settings.variable();
    let mut command = Command::new(env!("CARGO_BIN_EXE_storm-process"));
    command.env(name, value).stdout(Stdio::piped());
    command
}

/// Everything that is on.
pub struct World {
    pub settings: Settings,
    pub process: Process,
    pub ingest: KafkaIngest,
    pub writer: letters::Writer,
    pub process_kills: usize,
    pub seed: u64,
}

impl World {
    /// Time passes; the malformed are put among the others, one in a hundred.
    pub fn pass(&mut self, time: Duration) {
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
    pub fn pass_killing(&mut self, time: Duration) {
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

    pub fn kill_process(&mut self) {
        self.process.kill();
        self.process = Process::start(&self.settings);
        self.process_kills += 1;
    }

    pub fn random(&self) -> u64 {
        StableHasher::default().u64(self.seed).u64(self.process_kills as u64).finish() as u64
    }

    pub fn notes(&self) -> Vec<Note> {
        read(&self.settings.folder.join(JOURNAL))
    }

    /// Waits until no more is in the outbox than in calm, which was then; how long that took, in milliseconds.
    pub fn drain(&mut self, (from, until): (u64, u64)) -> u64 {
        let begun = now();
        let in_calm = self.notes().into_iter().filter(|note| (from..until).contains(&note.at));
        let calm = in_calm.map(|note| note.waiting_bytes).max().unwrap();
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
