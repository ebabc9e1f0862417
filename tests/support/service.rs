//! Real servers for tests: each test starts its own, on free ports, and may kill or freeze it.
//!
//! Included by the tests of several crates with `#[path]`; not every one of them uses all of it.
#![allow(dead_code)]

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A server of `scripts/services`, which ends with this value.
pub struct Service {
    name: &'static str,
    port: u16,
    folder: PathBuf,
    settings: Vec<(&'static str, String)>,
    process: Option<Child>,
}

impl Service {
    /// Installs and starts it. Where that cannot be done the test is listed as not run, and should return; with `CI=true` it
    /// fails instead.
    pub fn start(name: &'static str) -> Option<Self> {
        Self::start_on(name, free_port(), &[])
    }

    /// The same, on a certain port, with variables in its environment.
    pub fn start_on(name: &'static str, port: u16, settings: &[(&'static str, String)]) -> Option<Self> {
        let installed = Command::new(script()).args(["install", name]).stderr(Stdio::piped()).output();
        let installed = installed.unwrap_or_else(|error| panic!("{}: {error}", script().display()));
        if !installed.status.success() {
            let test = thread::current().name().unwrap_or("a test").to_owned();
            let why = String::from_utf8_lossy(&installed.stderr);
            let why = why.trim_end().rsplit('\n').next().unwrap_or_default().to_owned();
            assert!(!env::var("CI").is_ok_and(|ci| ci == "true"), "{test} needs the server {name}: {why}");
            let _ = writeln!(std::io::stderr(), "not run: {test} needs the server {name}: {why}");
            return None;
        }
        let folder = env::temp_dir().join(format!("neuraflow-{name}-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut service = Self { name, port, folder, settings: settings.to_vec(), process: None };
        service.restart();
        Some(service)
    }

    /// Where it listens, on the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same as an address.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Starts it again after a [`kill`](Self::kill), with the files it had, and waits until it listens.
    pub fn restart(&mut self) {
        self.kill();
        let log = File::create(self.folder.join("log")).unwrap();
        let child = Command::new(script())
            .args(["run", self.name])
            .arg(&self.folder)
            .arg(self.port.to_string())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn();
        let mut child = child.unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = child.try_wait().unwrap();
            if ended.is_some() || begun.elapsed() > Duration::from_secs(60) {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("{} does not listen on port {} ({ended:?}): {log}", self.name, self.port);
            }
            // A server says nowhere that all of them have in common when it listens.
            thread::sleep(Duration::from_millis(20));
        }
        self.process = Some(child);
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.process.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Freezes it: its connections stay, and nobody answers.
    pub fn freeze(&self) {
        self.signal("-STOP");
        // A signal that is sent is heeded a moment later; until then it may answer.
        let stat = format!("/proc/{}/stat", self.pid());
        while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") T ")) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.pid().to_string()]).status().unwrap();
        assert!(done.success(), "kill {signal} of {}", self.name);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("scripts/services"))
        .find(|script| script.exists())
        .expect("scripts/services above this package")
}
