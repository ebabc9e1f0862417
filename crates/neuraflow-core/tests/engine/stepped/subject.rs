//! What is put to the test: a pipeline that has everything with a state and a file at every end, and what its output must be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use neuraflow_core::dataflow::{Pipeline, Planted, Report, Tumbling};
use neuraflow_core::model::Span;
use neuraflow_core::testing::SimulatedDisk;
use neuraflow_core::window::EpochConfig;

use super::super::recovery::graph::{books, features, late, marker, window};
use super::super::recovery::operators::{Running, Smooth};
use super::super::recovery::tape::Fuse;
use super::feed::Feed;
use super::paper::{Paper, rows};

/// The files that a pipeline writes.
pub(super) const PAPERS: [&str; 5] = ["features", "epochs", "late", "markers", "windows"];

/// A bug that is put in to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bug {
    /// In the engine.
    Engine(Planted),
    /// The store reports files durable whose names are not.
    UnsyncedRename,
    /// Sinks keep what the checkpoint does not cover.
    NoDedup,
}

/// What is wrong, for a person who has the seed.
pub(super) type Wrong = String;

pub(super) fn graph(feed: &Feed, output: &Arc<SimulatedDisk>, bug: Option<Bug>) -> Pipeline {
    macro_rules! paper {
        ($name:literal, $row:expr) => {{
            let (disk, keeps_all) = (Arc::clone(output), bug == Some(Bug::NoDedup));
            Paper { name: $name, disk, row: $row, keeps_all }
        }};
    }
    let epochs = EpochConfig::new(Span::millis(100), Span::millis(250)).with_labels(["cue"]);
    let graph = Pipeline::from(feed.clone())
        .late(paper!("late", late))
        .markers(paper!("markers", marker))
        .branch(|signal| signal.epochs(epochs).sink(paper!("epochs", window)))
        .stage(|| Smooth::holding(7))
        .branch(|signal| signal.window(Tumbling::millis(100)).sink(paper!("windows", window)))
        .window(Tumbling::millis(50))
        .feature(|| Running::later(2, Fuse::never()))
        .sink(paper!("features", features));
    graph.build().unwrap()
}

/// Compares what is durable with what a run on threads puts out that nothing befell.
pub(super) fn compare(feed: &Feed, output: &SimulatedDisk, report: &Report) -> Result<(), Wrong> {
    let whole = Arc::new(SimulatedDisk::new(0));
    feed.unplug();
    feed.feed_all();
    let expected = graph(feed, &whole, None).run().map_err(|error| error.to_string())?;
    for paper in PAPERS {
        differences(paper, &rows(&whole, paper), &rows(output, paper))?;
    }
    let (expected, found) = (books(&expected), books(report));
    if expected == found { Ok(()) } else { Err(format!("books: {expected:?}, found {found:?}")) }
}

type Rows = BTreeMap<String, Vec<String>>;

fn differences(paper: &str, expected: &Rows, found: &Rows) -> Result<(), Wrong> {
    let streams: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let none = Vec::new();
    for stream in streams {
        let (expected, found) = (expected.get(stream).unwrap_or(&none), found.get(stream).unwrap_or(&none));
        if expected == found {
            continue;
        }
        let known: BTreeSet<_> = expected.iter().collect();
        let seen: BTreeSet<_> = found.iter().collect();
        let (missing, extra) = (known.difference(&seen).count(), seen.difference(&known).count());
        let duplicates = found.len() - seen.len();
        return Err(format!(
            "{paper} of {stream}: {} rows expected, {} found; {missing} missing, {extra} extra or different, \
             {duplicates} twice",
            expected.len(),
            found.len()
        ));
    }
    Ok(())
}
