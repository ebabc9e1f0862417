//! The examples as cargo built them beside a test, run from outside.
#![allow(dead_code, reason = "shared by the test binaries, each its own crate")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::SystemTime;

use serde_json::Value;

/// An example by its name. `cargo test` builds examples, but not where one test is asked for (`--test p300`): one that
/// is older than a file that it is made of would be another program, and is refused.
pub struct Example(pub &'static str);

impl Example {
    pub fn command(&self) -> Command {
        let Self(name) = self;
        let test = std::env::current_exe().unwrap();
        let path = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
        let build = format!("run `cargo build --example {name}` with the features of this test");
        let modified = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
        let built = modified(&path).unwrap_or_else(|| panic!("no example at {}: {build}", path.display()));
        // What cargo writes beside it: `example: file file …`, spaces within a path escaped.
        let list = fs::read_to_string(path.with_extension("d")).unwrap().replace("\\ ", "\0");
        let (_, files) = list.split_once(": ").unwrap();
        let files: Vec<String> = files.split_whitespace().map(|file| file.replace('\0', " ")).collect();
        assert!(
            files.iter().any(|file| Path::new(file).starts_with(env!("CARGO_MANIFEST_DIR"))),
            "the example at {} is of another folder: {build}",
            path.display()
        );
        let newer = |file: &&String| modified(Path::new(file)).unwrap_or(SystemTime::now()) > built;
        if let Some(file) = files.iter().find(newer) {
            panic!("the example at {} is older than {file}: {build}", path.display());
        }
        Command::new(path)
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Text and JSON of a run that must succeed.
    pub fn outcome(&self, arguments: &[&str]) -> (String, Value) {
        let output = self.run(&[arguments, &["--json"]].concat());
        let (stdout, stderr) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {stderr}\n{stdout}");
        let json = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
        (stdout, json)
    }

    /// A run that must be refused in these words, and not by a panic.
    pub fn refuses(&self, arguments: &[&str], what: &str) {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(what), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
