//! ARCHITECTURE.md's import rules, read off the manifests and the source.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Code lines of a file with their numbers: comments are no imports.
fn code(path: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim_start().to_owned()));
    lines.filter(|(_, line)| !line.starts_with("//")).collect()
}

/// The words that follow `prefix` in a line: `crate::model::{..}` gives `model`.
fn after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(prefix).map(move |(at, _)| {
        let rest = &line[at + prefix.len()..];
        &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
    })
}

/// Our own crates in a section of a manifest.
fn own_dependencies(manifest: &Path, section: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let body = text.split(&format!("\n[{section}]\n")).nth(1).unwrap_or("");
    let body = body.split("\n[").next().unwrap_or("");
    let names = body.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| name.starts_with("neuraflow")).map(str::to_owned).collect()
}

#[test]
fn crates_depend_only_on_core() {
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    let crates = root().join("crates");
    assert_eq!(own_dependencies(&crates.join("neuraflow-core/Cargo.toml"), "dependencies"), set(&[]));
    for leaf in ["ops", "sources", "sinks"] {
        let manifest = crates.join(format!("neuraflow-{leaf}/Cargo.toml"));
        assert_eq!(own_dependencies(&manifest, "dependencies"), set(&["neuraflow-core"]), "{leaf}");
        assert_eq!(
            own_dependencies(&manifest, "dev-dependencies"),
            set(&["neuraflow-core"]),
            "{leaf}, in tests"
        );
    }
    let all = set(&["neuraflow-core", "neuraflow-ops", "neuraflow-sources", "neuraflow-sinks"]);
    assert_eq!(own_dependencies(&root().join("Cargo.toml"), "dependencies"), all);
}

#[test]
fn rooms_of_core_import_only_what_they_may() {
    let allowed = |room: &str| -> &[&str] {
        match room {
            "model" => &["model"],
            "window" => &["model", "window"],
            "checkpoint" => &["checkpoint", "model"],
            "codec" => &["codec", "model"],
            "resilience" => &["resilience"],
            "telemetry" => &["model", "telemetry"],
            "ingest.rs" => &["model"],
            "operator.rs" | "operator" => &["model", "checkpoint"],
            "sink.rs" => &["model", "operator", "resilience"],
            "source.rs" => &["model", "ingest", "resilience"],
            "dataflow" => &[
                "model",
                "window",
                "checkpoint",
                "resilience",
                "telemetry",
                "ingest",
                "operator",
                "sink",
                "source",
                "dataflow",
            ],
            "testing" => &[
                "model",
                "window",
                "checkpoint",
                "resilience",
                "telemetry",
                "ingest",
                "operator",
                "sink",
                "source",
                "dataflow",
                "testing",
            ],
            other => panic!("core has a room that ARCHITECTURE.md does not know: {other}"),
        }
    };
    let src = root().join("crates/neuraflow-core/src");
    let mut wrong = Vec::new();
    for file in sources(&src) {
        let relative = file.strip_prefix(&src).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        if room == "lib.rs" {
            continue;
        }
        for (number, line) in code(&file) {
            for import in after(&line, "crate::") {
                if !allowed(room).contains(&import) {
                    wrong.push(format!("{}:{number}: {room} may not import {import}", relative.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn timely_is_named_only_in_the_dataflow_room() {
    let mut wrong = Vec::new();
    let rooms = ["crates", "src", "examples", "tests", "benches"];
    for file in rooms.iter().flat_map(|room| sources(&root().join(room))) {
        let relative = file.strip_prefix(root()).unwrap();
        let home = relative.starts_with("crates/neuraflow-core/src/dataflow");
        // Everybody else takes what they need of it through `dataflow::raw`.
        let names = |line: &str| {
            ["timely::", "timely_communication::", "differential_dataflow::"].iter().any(|name| {
                line.match_indices(name).any(|(at, _)| {
                    let before = &line[..at];
                    !before.ends_with("raw::")
                        && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"')
                })
            })
        };
        let analytics = relative.starts_with("crates/neuraflow-ops/src/analytics");
        for (number, line) in code(&file) {
            if !home && !analytics && names(&line) {
                wrong.push(format!("{}:{number}: {line}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "Timely named outside dataflow:\n{}", wrong.join("\n"));
}

#[test]
fn kernels_know_no_type_of_core_and_leaves_do_not_see_each_other() {
    let mut wrong = Vec::new();
    let crates = root().join("crates");
    for leaf in ["ops", "sources", "sinks"] {
        for file in sources(&crates.join(format!("neuraflow-{leaf}/src"))) {
            let kernel = file.components().any(|part| part.as_os_str() == "kernel");
            for (number, line) in code(&file) {
                let named = line.replace("\"neuraflow_", "\""); // names of metrics are no imports
                for import in after(&named, "neuraflow_") {
                    if import != "core" && import != leaf || import == "core" && kernel {
                        wrong.push(format!("{}:{number}: {line}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_tell_one_story_each() {
    let mut long = Vec::new();
    for file in ["crates", "src", "tests"].iter().flat_map(|room| sources(&root().join(room))) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > 500 {
            long.push(format!("{} has {lines} lines", file.display()));
        }
    }
    for file in sources(&root().join("examples")) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        if lines > 120 {
            long.push(format!("{} has {lines} lines; an example has at most 120", file.display()));
        }
    }
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap().lines().count();
    if map > 150 {
        long.push(format!("ARCHITECTURE.md has {map} lines; it may have 150"));
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_lock_file_names_a_registry_of_somebody() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let official = "registry+https://github.com/rust-lang/crates.io-index";
    for line in lock.lines().filter(|line| line.starts_with("source = ")) {
        assert_eq!(line, format!("source = \"{official}\""), "Cargo.lock");
    }
}

/// Who writes a pipeline finds every operator in the prelude; so one that is new must be put there.
#[test]
fn the_prelude_has_every_operator() {
    // Public, and no operators.
    const OTHERS: [&str; 7] = ["EogWeights", "Flags", "Quality", "Spike", "assess", "position", "Spikes"];
    let root = root();
    let facade = fs::read_to_string(root.join("src/lib.rs")).unwrap();
    let prelude = facade.split_once("pub mod prelude").unwrap().1;
    let has = |name: &str| prelude.split(|c: char| !c.is_alphanumeric()).any(|word| word == name);
    for module in ["artifact", "feature", "filter", "quality", "spatial", "spike"] {
        let path = root.join("crates/neuraflow-ops/src").join(module).join("mod.rs");
        for line in fs::read_to_string(path).unwrap().lines().filter_map(|line| line.strip_prefix("pub use "))
        {
            let names = line.trim_end_matches(';').rsplit("::").next().unwrap();
            for name in names.trim_matches(['{', '}']).split(", ").filter(|name| !OTHERS.contains(name)) {
                assert!(has(name), "{module}: {name} is not in the prelude of src/lib.rs");
            }
        }
    }
}
