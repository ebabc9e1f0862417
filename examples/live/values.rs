//! Values as people type them on the command line of `live`, and what is wrong with them.

use std::ops::Range;

use super::shared::range;

#[derive(Clone, Copy)]
pub struct Headset {
    pub channels: usize,
    pub rate: f64,
    pub streams: usize,
}

pub fn headset(text: &str) -> Result<Headset, String> {
    let expected =
        || format!("expected CHANNELS@RATE or CHANNELS@RATExSTREAMS such as 8@250x16, found {text}");
    let (channels, rest) = text.split_once('@').ok_or_else(expected)?;
    let (rate, streams) = rest.split_once('x').unwrap_or((rest, "1"));
    let headset = Headset {
        channels: channels.parse().map_err(|_| expected())?,
        rate: rate.parse().map_err(|_| expected())?,
        streams: streams.parse().map_err(|_| expected())?,
    };
    let sane = (1..=4_096).contains(&headset.channels) && (1..=100_000).contains(&headset.streams);
    if sane { Ok(headset) } else { Err("expected 1 to 4096 channels and 1 to 100000 streams".into()) }
}

pub fn band(text: &str) -> Result<(String, Range<f64>), String> {
    let (name, edges) =
        text.split_once('=').ok_or(format!("expected NAME=LO-HI such as alpha=8-13, found {text}"))?;
    Ok((name.to_owned(), range(edges)?))
}

pub fn seconds(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|s: &f64| s.is_finite() && *s > 0.0 && *s <= 1e9)
        .ok_or(format!("expected a number of seconds above 0 and at most 1e9, found {text}"))
}

/// What clap says is wrong, and what it would have taken instead, without the usage that follows.
pub fn in_one_line(text: &str) -> String {
    let said =
        text.split("\n\n").take_while(|part| !part.starts_with("Usage:") && !part.starts_with("For more"));
    let said: Vec<&str> = said.flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{}; see --help", said.join(" ").trim_start_matches("error: "))
}
