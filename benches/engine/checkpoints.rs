//! What checkpoints cost: the processor's time and the latency of windows, with one every 5 s, every 500 ms, and none.

use std::path::PathBuf;
use std::time::Duration;

use neuraflow::checkpoint::Config;
use neuraflow::dataflow::Checkpointing;
use neuraflow::prelude::*;

use crate::latency;
use crate::load::Load;
use crate::source::{Devices, Pace};
use crate::work::{DOUBLE, Work};

/// Time between two checkpoints.
#[derive(Clone, Copy)]
pub struct Every(pub Option<Duration>);

impl Every {
    pub const ALL: [Self; 3] =
        [Self(None), Self(Some(Duration::from_secs(5))), Self(Some(Duration::from_millis(500)))];

    pub fn name(self) -> String {
        self.0.map_or("no checkpoints".to_owned(), |every| format!("one every {} ms", every.as_millis()))
    }

    /// The pipeline with checkpoints in a fresh folder.
    fn prepare(self, pipeline: Pipeline) -> Pipeline {
        let Some(every) = self.0 else { return pipeline };
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-checkpoints");
        let _ = std::fs::remove_dir_all(&folder);
        let checkpoints = Checkpointing::in_folder(folder).unwrap();
        pipeline.checkpoints(checkpoints.with_config(Config::every(every).unwrap())).unwrap()
    }
}

/// CPU time of a run in real time.
pub struct Cost {
    /// Share of a core.
    pub share: f64,
    pub committed: u64,
    /// Written by each checkpoint.
    pub bytes: f64,
}

/// Devices in real time for 20 s on one worker.
pub fn cost(work: Work, devices: usize, every: Every) -> Cost {
    let load = Load::headsets(devices, 20 + 400);
    let source = Devices::new(&load, Pace::Real { look: Duration::from_millis(1) }, 20);
    let pipeline = every.prepare(work.pipeline(source.clone(), |features| {
        std::hint::black_box(features);
    }));
    let report = pipeline.spawn(Workers::new(1)).unwrap().join().unwrap();
    assert!(report.balances());
    let checkpoints = &report.checkpoints;
    Cost {
        share: source.stopwatch.cpu().as_secs_f64() / source.stopwatch.wall().as_secs_f64(),
        committed: checkpoints.committed,
        bytes: checkpoints.bytes as f64 / checkpoints.committed.max(1) as f64,
    }
}

/// A thousand devices in real time: latencies of windows.
pub fn latency(every: Every) -> latency::Latency {
    let load = Load::headsets(1_000, 420);
    latency::paced(&load, DOUBLE, Workers::new(1), 20, |pipeline| every.prepare(pipeline))
}
