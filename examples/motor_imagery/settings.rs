//! Every setting that the result depends on.

use std::ops::Range;
use std::path::PathBuf;

use neuraflow::ops::decode::{Model, SpatialPatterns};

use super::options::Options;
use super::paradigm::estimator;

/// As name and value.
pub fn settings(options: &Options, model: &Model) -> Vec<(&'static str, String)> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let from = options.train.as_ref().or(options.model.as_ref()).map_or_else(String::new, name);
    let class = |(label, name): &(String, String)| {
        if name == label { name.clone() } else { format!("{name} at {label}") }
    };
    let classes: Vec<String> = options.classes.iter().map(class).collect();
    let (band, epoch) = (&options.bandpass, &options.epoch);
    let edges = |band: &Range<f64>| format!("{}-{}", band.start, band.end);
    let bands = if model.filter_bank().is_some() { options.bands.clone() } else { vec![band.clone()] };
    let bands: Vec<String> = bands.iter().map(edges).collect();
    let count = |csp: &SpatialPatterns| csp.filters().len();
    let csp = |csp: &SpatialPatterns| format!("{}, eigenvalues {:.3?}", count(csp), csp.eigenvalues());
    let bank = |bank: &[SpatialPatterns]| {
        let each = bank.first().map_or(0, count);
        format!("{each} in each of {} bands, a shrunk discriminant behind them", bank.len())
    };
    let filters = model.csp().map(csp).or(model.filter_bank().map(bank)).map(|text| ("filters", text));
    let channels = model.montage().len() / model.filter_bank().map_or(1, <[_]>::len);
    let rest = [
        ("fitted to", format!("{from}: {channels} channels at {}", model.rate())),
        (
            "decodes",
            format!(
                "{}, {} samples a packet, speed {:?}",
                name(&options.test),
                options.packet,
                options.speed
            ),
        ),
        ("filter", format!("causal Butterworth of order 4, {} Hz; no re-reference", bands.join(", "))),
        ("trials", format!("{} to {} s after the marker: {}", epoch.start, epoch.end, classes.join(", "))),
        ("covariance", format!("{:?}", estimator(options, Some(model)))),
    ];
    [("decoder", model.method().to_owned())].into_iter().chain(filters).chain(rest).collect()
}
