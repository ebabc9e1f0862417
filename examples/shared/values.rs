//! Values as people type them on the command lines of several examples.

use std::ops::Range;

/// A marker's label, and the name of the class that it stands for.
pub fn class(text: &str) -> Result<(String, String), String> {
    let expected = || format!("expected LABEL=NAME such as T1=fists, found {text}");
    let (label, name) = text.split_once('=').ok_or_else(expected)?;
    Ok((label.to_owned(), name.to_owned()))
}

/// From where to where, in Hz or seconds.
pub fn range(text: &str) -> Result<Range<f64>, String> {
    let parsed = text.split_once('-').and_then(|(low, high)| Some(low.parse().ok()?..high.parse().ok()?));
    match parsed {
        Some(Range { start, end }) if 0.0 <= start && start < end && end < f64::INFINITY => Ok(start..end),
        _ => Err(format!("expected LO-HI with LO below HI such as 8-13, found {text}")),
    }
}
