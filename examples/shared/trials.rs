//! What a decoder of trials needs: a model that was fitted to what it is to decode, and trials.

use std::collections::BTreeSet;
use std::error::Error;
use std::ops::Range;
use std::path::Path;

use neuraflow::ops::decode::Model;
use neuraflow::sources::recording::Recording;

/// Reads a model, and says of which file it is that something is wrong with it.
pub fn load_model(file: &Path) -> Result<Model, Box<dyn Error>> {
    Model::load(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// The classes and the pass band must be those that a model was fitted to: the stream itself does not tell them.
pub fn check_model(
    model: &Model,
    classes: &[(String, String)],
    band: &Range<f64>,
) -> Result<(), Box<dyn Error>> {
    let known = model.classes();
    if !known.iter().all(|class| classes.iter().any(|(_, name)| name == class)) {
        let named: Vec<&str> = classes.iter().map(|(_, name)| name.as_str()).collect();
        let (known, found) = (known.join(" and "), named.join(" and "));
        return Err(format!(
            "--classes: expected the classes that the model was fitted to, {known}, each after its marker and a =, found {found}"
        )
        .into());
    }
    match model.band() {
        Some(fitted) if fitted != *band => Err(format!(
            "--bandpass: expected {}-{} Hz, which the model was fitted to, found {}-{}",
            fitted.start, fitted.end, band.start, band.end
        )
        .into()),
        _ => Ok(()),
    }
}

/// The error that a recording has no trial at the markers of these classes, with the markers that it has.
pub fn none_found<T>(classes: &[(String, T)], file: &Path) -> Box<dyn Error> {
    let wanted: Vec<&str> = classes.iter().map(|(marker, _)| marker.as_str()).collect();
    let recording = match Recording::open(file) {
        Ok(recording) => recording,
        Err(error) => return error.into(),
    };
    let there: BTreeSet<&str> = recording.markers().iter().map(|marker| marker.label.as_str()).collect();
    let there: Vec<&str> = there.into_iter().take(20).collect();
    let there = if there.is_empty() { "none at all".to_owned() } else { there.join(", ") };
    let (wanted, file) = (wanted.join(", "), file.display());
    format!("{file}: expected trials at markers {wanted}, found none; markers there: {there}").into()
}
