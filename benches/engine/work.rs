//! The work of every run: a Butterworth band-pass of order 4 (four second-order sections), then RMS and the power of each
//! bin of each window's DFT.

use std::sync::{Arc, Mutex};

use neuraflow::ops::feature::Periodogram;
use neuraflow::prelude::*;
use neuraflow::telemetry::OutputDigest;

use crate::plain::ignore;
use crate::source::Devices;

/// What is computed.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Edges of the pass band in Hz.
    pub band: (f64, f64),
    /// Of the filter's state and of the spectra.
    pub precision: Precision,
    /// The power of each bin, beside RMS.
    pub spectral: bool,
}

/// RMS and spectra with the filter's state and the transform in `f32`: what the peers compute.
pub const SINGLE: Work = Work { band: (1.0, 40.0), precision: Precision::Single, spectral: true };
/// The same in `f64`, the default of the library.
pub const DOUBLE: Work = Work { band: (1.0, 40.0), precision: Precision::Double, spectral: true };

/// What came out of a run, to the bit.
#[derive(Default)]
pub struct Digest(OutputDigest);

impl Digest {
    pub fn add(&mut self, features: &Features) {
        // The plain loop has no latency contracts, and so no warm-up.
        let mut features = features.clone();
        features.info.warm_up = false;
        self.0.features(features.spec.columns.len() as u32, &features);
    }

    pub fn bits(&self) -> u128 {
        self.0.finish()
    }
}

impl Work {
    pub fn filter(self) -> Butterworth {
        Butterworth::bandpass(4, self.band.0..self.band.1).precision(self.precision)
    }

    pub fn periodogram(self) -> Periodogram {
        Periodogram::new().precision(self.precision)
    }

    pub fn name(self) -> &'static str {
        match self.precision {
            Precision::Double => "f64",
            _ => "f32",
        }
    }

    /// The pipeline of this work; it calls `see` with everything that reaches its sinks.
    pub fn pipeline<F>(self, source: impl Source + 'static, see: F) -> Pipeline
    where
        F: Fn(&Features) + Clone + Send + Sync + 'static,
    {
        let windows = Pipeline::from(source).stage(move || self.filter()).window(Tumbling::millis(50));
        let (rms, spectra) = (Callback::new(see.clone()), Callback::new(see));
        let windows = if self.spectral {
            windows.branch(|windows| windows.feature(move || self.periodogram()).sink(spectra))
        } else {
            windows
        };
        windows.feature(Rms::default).sink(rms).build().unwrap()
    }

    /// Runs a load through a pipeline; answers the windows, those of zeros before sample 0 left out. What comes out is looked at as
    /// the plain loop does.
    pub fn run(self, devices: &Devices, workers: usize) -> u64 {
        windows(self.pipeline(devices.clone(), ignore), devices, workers)
    }

    /// The same, with the sum of all values as the peers' sinks take it.
    pub fn sum(self, devices: &Devices) -> (u64, f64) {
        let total = Arc::new(Mutex::new(0.0));
        let see = {
            let total = Arc::clone(&total);
            move |features: &Features| *total.lock().unwrap() += sum(features)
        };
        let windows = windows(self.pipeline(devices.clone(), see), devices, 1);
        let total = *total.lock().unwrap();
        (windows, total)
    }

    /// The same, looking at all bits that come out.
    pub fn digest(self, devices: &Devices, workers: usize) -> (u64, Digest) {
        let digest = Arc::new(Mutex::new(Digest::default()));
        let see = {
            let digest = Arc::clone(&digest);
            move |features: &Features| digest.lock().unwrap().add(features)
        };
        let windows = windows(self.pipeline(devices.clone(), see), devices, workers);
        let digest = std::mem::take(&mut *digest.lock().unwrap());
        (windows, digest)
    }
}

/// The sum of a window's values; powers count as the peers have them, on both sides of 0 Hz.
pub fn sum(features: &Features) -> f64 {
    let columns = features.spec.columns.len();
    let samples = features.info.expected as usize;
    let share = |bin: usize| if columns == 1 || bin == 0 || 2 * bin == samples { 1.0 } else { 0.5 };
    features
        .rows()
        .map(|(_, row)| row.iter().enumerate().map(|(bin, value)| value * share(bin)).sum::<f64>())
        .sum()
}

fn windows(pipeline: Pipeline, devices: &Devices, workers: usize) -> u64 {
    let report = pipeline.spawn(Workers::new(workers)).unwrap().join().unwrap();
    assert!(report.balances());
    report.windows().total() - 2 * devices.load.devices as u64
}
