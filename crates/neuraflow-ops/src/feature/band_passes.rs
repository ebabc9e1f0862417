//! Band-passes for features of several bands.

use std::ops::Range;

use neuraflow_core::operator::{Latency, OperatorError, SignalSpec};

use super::band_power::check_names;
use super::welch::refused;
use crate::filter::{Bands, Names, latency, refusal, slowest};
use crate::kernel::{Response, SosFilter, butterworth};

/// A causal Butterworth band-pass of this order for each band, over so many channels, and the latency of the slowest.
pub(super) fn band_passes(
    bands: &[(String, Range<f64>)],
    order: usize,
    channels: usize,
    spec: &SignalSpec,
) -> Result<(Vec<SosFilter>, Latency), OperatorError> {
    check_names(bands)?;
    let rate = spec.rate.as_hz();
    let (mut filters, mut latencies) = (Vec::new(), Vec::new());
    for (_, edges) in bands {
        let response = Response::Bandpass(edges.start, edges.end);
        let sos = butterworth(order, response, rate).map_err(|error| refusal(error, &Names::of(response)))?;
        latencies.push(latency(&sos, &Bands::of(response, rate / 2.0), spec.rate)?);
        filters.push(SosFilter::new(&sos, channels, spec.missing.into()).map_err(|error| refused(&error))?);
    }
    Ok((filters, slowest(latencies)))
}
