//! The trials that a decoder is fitted to.

use std::error::Error;
use std::path::PathBuf;

use neuraflow::prelude::*;
use neuraflow::sources::recording::Recording;

use super::options::Options;
use super::paradigm::{CAPACITY, trials};
use super::trial::{Place, place, truth};

/// Trials in the order in which they were recorded.
pub struct Gathered(Vec<(Place, Features)>);

impl Gathered {
    pub fn new(trials: impl IntoIterator<Item = Features>, keys: &[StreamKey]) -> Self {
        let place = |trial: Features| Some((place(&trial.info, keys)?, trial));
        let mut trials: Vec<(Place, Features)> = trials.into_iter().filter_map(place).collect();
        trials.sort_by_key(|(place, _)| *place);
        Self(trials)
    }

    /// Those that can be trained with: of a known class, whole, filters settled, and no artifact beyond this limit.
    pub fn usable(&self, options: &Options, limit: Option<f64>) -> impl Iterator<Item = (Place, &Features)> {
        let limit = limit.unwrap_or(f64::MAX);
        let usable = move |trial: &Features| {
            truth(&trial.info, options).is_some() && !trial.info.warm_up && peak_to_peak(trial) <= limit
        };
        self.0.iter().filter(move |(_, trial)| usable(trial)).map(|(place, trial)| (*place, trial))
    }
}

/// The greatest peak-to-peak amplitude of a channel; infinite where values are missing.
fn peak_to_peak(trial: &Features) -> f64 {
    let range = |(_, row): (&str, &[f64])| {
        if row.iter().any(|value| !value.is_finite()) {
            return f64::INFINITY;
        }
        row.iter().fold(f64::MIN, |high, value| high.max(*value))
            - row.iter().fold(f64::MAX, |low, value| low.min(*value))
    };
    trial.rows().map(range).fold(0.0, f64::max)
}

/// The trials of these recordings.
pub fn gather(options: &Options, files: &[PathBuf]) -> Result<Gathered, Box<dyn Error>> {
    let keys = keys(files)?;
    let (sink, samples) = bounded(CAPACITY, Overflow::Block);
    let pipeline = trials(options, files, None)?.sink(sink).build()?;
    let running = pipeline.spawn(Workers::new(usize::from(options.workers)))?;
    let trials: Vec<Features> = samples.iter().collect();
    running.join()?;
    Ok(Gathered::new(trials, &keys))
}

/// The streams of the recordings, in their order.
pub fn keys(files: &[PathBuf]) -> Result<Vec<StreamKey>, Box<dyn Error>> {
    let mut keys = Vec::new();
    for file in files {
        keys.extend(Recording::open(file)?.streams().iter().map(|stream| stream.key));
    }
    Ok(keys)
}
