//! How many headsets the whole path carries on one machine, and what each part of it costs.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use neuraflow::testing::Scratch;
use neuraflow_chaos::journal::{Note, read};
use neuraflow_chaos::process::JOURNAL;
use neuraflow_chaos::settings::Settings;

use crate::service::Service;
use crate::world::{Process, command};

/// The variable that asks for one number of headsets instead of all.
const ONLY: &str = "NEURAFLOW_HEADSETS";

/// Windows of one headset in a second.
const WINDOWS: f64 = 20.0;

#[test]
#[ignore = "a measurement: on a machine that is otherwise idle"]
fn how_many_headsets_one_machine_carries() {
    let told = std::env::var(ONLY).ok();
    let told = told.map(|text| text.parse().unwrap_or_else(|_| panic!("{ONLY}: a number, not {text}")));
    let counts = told.map_or(vec![250, 500, 1_000, 2_000], |count| vec![count]);
    for headsets in counts {
        if !run(headsets) {
            return;
        }
    }
}

/// Ten seconds to warm up, thirty that are measured; false where the servers cannot be started.
fn run(headsets: usize) -> bool {
    let scratch = Scratch::new().unwrap();
    let folder = scratch.file("process");
    fs::create_dir_all(&folder).unwrap();
    let (Some(emulator), Some(broker)) = (Service::start("bigtable"), Service::start("kafka")) else {
        return false;
    };
    let settings = Settings {
        brokers: broker.address(),
        topic: "signals".to_owned(),
        partitions: 100,
        table: emulator.address(),
        folder,
    };
    settings.kafka().create().unwrap();
    settings.bigtable(&emulator.address()).create().unwrap();
    let process = Process::start(&settings);
    let ingest =
        command(&settings).args(["ingest", &headsets.to_string(), "45"]).stdout(Stdio::null()).spawn();
    let ingest = Process(ingest.unwrap());
    let parts = [
        ("ingest", ingest.0.id()),
        ("broker", broker.pid()),
        ("process", process.0.id()),
        ("emulator", emulator.pid()),
    ];
    let last = || -> Option<Note> { read(&settings.folder.join(JOURNAL)).pop() };
    thread::sleep(Duration::from_secs(10));
    let (before, begun, first) = (parts.map(|(_, pid)| cpu(pid)), Instant::now(), last());
    thread::sleep(Duration::from_secs(30));
    let (after, took, second) = (parts.map(|(_, pid)| cpu(pid)), begun.elapsed().as_secs_f64(), last());
    let (first, second) = (first.expect("notes"), second.expect("notes"));
    let rate = (second.handed_on - first.handed_on) as f64 / took;
    let shares: Vec<String> = parts
        .iter()
        .zip(before.iter().zip(after))
        .map(|((name, _), (before, after))| format!("{name}={:.0}%", (after - before) / took * 100.0))
        .collect();
    println!(
        "headsets={headsets} windows_per_s={rate:.0} offered_per_s={:.0} waiting_bytes={}->{} oldest_ms={} CPU of one core: {}",
        headsets as f64 * WINDOWS,
        first.waiting_bytes,
        second.waiting_bytes,
        second.age,
        shares.join(" "),
    );
    true
}

/// Seconds of CPU that a process has used, from the kernel's table.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0 // of USER_HZ, which Linux has fixed for programs
}
