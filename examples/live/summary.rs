//! The summary of a run as one JSON object; `text.rs` makes a page of it.

use neuraflow::dataflow::{LatencyHistogram, StreamReport};
use neuraflow::prelude::*;
use serde_json::{Value, json};

pub struct Summary {
    pub json: Value,
    /// Every sample is in exactly one place, and every window in exactly one status.
    pub adds_up: bool,
}

/// Where every sample and every window went.
pub fn accounting(report: &Report, contract: Latency) -> Value {
    let (sum, windows) = (report.accounting(), report.windows());
    let widest = report.widest();
    let latency = report.sinks.iter().find(|sink| &*sink.name == super::results::BAND_POWER);
    let quantiles = |histogram: Option<&LatencyHistogram>| {
        let micros = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e3);
        let at = |q: f64| micros(histogram.and_then(|h| h.quantile(q)));
        let max = micros(histogram.and_then(LatencyHistogram::max));
        json!({ "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": max })
    };
    json!({
        "samples_in": sum.samples_in,
        "channels": widest.map_or(0, |stream| stream.header.channels.len()),
        "sampling_rate": widest.map_or(0.0, |stream| stream.header.rate.as_hz()),
        "streams": report.streams.iter().map(of_stream).collect::<Vec<_>>(),
        "windows": windows.total(),
        "windows_complete": windows.complete,
        "windows_gap": windows.gap,
        "windows_partial": windows.partial,
        "samples_windowed": sum.windowed,
        "samples_late": sum.late,
        "samples_duplicate": sum.duplicate,
        "samples_rejected": sum.rejected,
        "samples_dropped": sum.dropped,
        "samples_lost": sum.lost,
        "samples_imputed": sum.imputed,
        "values_missing": sum.values_missing,
        "time_jumps": sum.jumps,
        "markers": report.streams.iter().map(|stream| stream.markers).sum::<u64>(),
        "latency_us": quantiles(latency.map(|sink| &sink.latency)),
        "latency_parts_us": {
            "wait": quantiles(Some(&report.wait)), "compute": quantiles(Some(&report.compute)),
            "output": quantiles(latency.map(|sink| &sink.output)),
        },
        "latency_contract": {
            "group_delay_ms": contract.group_delay.as_millis_f64(),
            "group_delay_max_ms": contract.group_delay_max.as_millis_f64(),
            "lookahead_ms": contract.look_ahead.as_millis_f64(),
            "lookback_ms": contract.look_back.as_millis_f64(),
        },
    })
}

fn of_stream(stream: &StreamReport) -> Value {
    let (sum, windows) = (stream.accounting, stream.windows);
    json!({
        "name": stream.header.name,
        "channels": stream.header.channels.len(),
        "sampling_rate": stream.header.rate.as_hz(),
        "samples_in": sum.samples_in, "samples_windowed": sum.windowed, "samples_late": sum.late,
        "samples_duplicate": sum.duplicate, "samples_rejected": sum.rejected, "samples_dropped": sum.dropped,
        "samples_lost": sum.lost, "samples_imputed": sum.imputed, "values_missing": sum.values_missing,
        "windows": windows.total(), "windows_complete": windows.complete, "windows_gap": windows.gap,
        "windows_partial": windows.partial, "markers": stream.markers, "refused": stream.refused,
    })
}
