//! What the result depends on.

use super::graph::Fitted;
use super::options::{Kind, Options};

/// Every setting that the result depends on.
pub fn settings(options: &Options, fitted: &Fitted) -> Vec<(String, String)> {
    let split = match options.halves() {
        true => "the first half of the running trains, the second half tests".to_owned(),
        false => format!("all running of {} tests", name(options.tested())),
    };
    let model = &fitted.model;
    let windows = format!("{} of {} ms", fitted.windows, options.hop_ms);
    let decoder = match options.decoder {
        Kind::Bayes => format!(
            "{}: {} bins, smoothed by {} bins, rates of at least {} spikes/s, all places as probable beforehand",
            model.method(),
            options.bins,
            options.smoothing,
            options.floor
        ),
        Kind::Wiener => format!("{}: {} windows, ridge {}", model.method(), model.windows(), options.ridge),
        Kind::Kalman => format!("{} of position and velocity", model.method()),
    };
    let look_back = model.windows() as i64 * options.hop_ms;
    [
        ("decoder", decoder),
        ("look-back", format!("{look_back} ms, stepped by {} ms", options.hop_ms)),
        ("fitted to", format!("{}: {} units, {windows}", name(&options.train), model.units().len())),
        ("split", split),
        ("running", format!("faster than {} px/s over half a second", options.speed_above)),
        (
            "track",
            format!("first principal component of the running in training, {:.0} px", fitted.line.length),
        ),
        ("packets", format!("{} ms, {} workers, speed {:?}", options.packet, options.workers, options.speed)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
