//! The work of every run: a cascade of four second-order sections, then RMS and the power of each DFT bin of each window.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use neuraflow::prelude::*;

use crate::load::Flood;

pub type Spectral = LogVariance;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Filter state in f64, the default.
    Double,
}

impl Work {
    pub fn filter(self) -> Butterworth {
        Butterworth::bandpass(4, 1.0..40.0)
    }

    pub fn spectral(self) -> Spectral {
        LogVariance::default()
    }

    /// The pipeline of this work, and a count of the values that reached its sinks.
    pub fn pipeline(self, source: impl Source + 'static) -> (Pipeline, Arc<AtomicU64>) {
        let seen = Arc::new(AtomicU64::new(0));
        let sink = || {
            let seen = Arc::clone(&seen);
            Callback::new(move |features: &Features| {
                seen.fetch_add(features.values.len() as u64, Ordering::Relaxed);
            })
        };
        let pipeline = Pipeline::from(source)
            .stage(move || self.filter())
            .window(Tumbling::millis(50))
            .branch(|windows| windows.feature(move || self.spectral()).sink(sink()))
            .feature(Rms::default)
            .sink(sink())
            .build();
        (pipeline.unwrap_or_else(|error| panic!("{error}")), seen)
    }

    /// Windows computed, and the CPU time of the process after the warm-up.
    pub fn run(self, flood: &Flood, workers: usize) -> (u64, std::time::Duration) {
        let (pipeline, _) = self.pipeline(flood.clone());
        let report = pipeline.spawn(Workers::new(workers)).and_then(|running| running.join());
        let report = report.unwrap_or_else(|error| panic!("{error}"));
        assert!(report.balances());
        (report.windows().total(), flood.stopwatch.cpu())
    }
}
