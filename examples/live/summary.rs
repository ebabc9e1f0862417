//! The summary of a run, as one JSON object or as a page to read.

use neuraflow::dataflow::{Report, StreamReport};
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
    let micros = |nanos: Option<u64>| nanos.map(|nanos| nanos as f64 / 1e3);
    let quantile = |q: f64| latency.and_then(|sink| micros(sink.latency.quantile(q)));
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
        "latency_us": {
            "p50": quantile(0.5), "p99": quantile(0.99), "p999": quantile(0.999),
            "max": latency.and_then(|sink| micros(sink.latency.max())),
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

impl Summary {
    pub fn to_json(&self) -> String {
        self.json.to_string()
    }

    /// A page for people: what came in, where it went, what it looked like.
    pub fn to_text(&self) -> String {
        let of = |name: &str| self.json[name].to_string();
        let mut text = format!(
            "{} samples of {} channels at {} Hz in {} streams\n\
             = {} windowed + {} late + {} duplicate + {} rejected + {} dropped; {} never arrived, {} filled in\n\
             {} windows = {} complete + {} gap + {} partial; {} markers\n",
            of("samples_in"),
            of("channels"),
            of("sampling_rate"),
            self.json["streams"].as_array().map_or(0, Vec::len),
            of("samples_windowed"),
            of("samples_late"),
            of("samples_duplicate"),
            of("samples_rejected"),
            of("samples_dropped"),
            of("samples_lost"),
            of("samples_imputed"),
            of("windows"),
            of("windows_complete"),
            of("windows_gap"),
            of("windows_partial"),
            of("markers"),
        );
        text += &format!("flagged windows: {}\n", self.json["windows_flagged"]);
        text += &format!("latency, closing packet to sink, µs: {}\n", self.json["latency_us"]);
        text += &format!("latency contract, ms: {}\n", self.json["latency_contract"]);
        text += "mean band power, µV²:\n";
        for (channel, bands) in self.json["band_power"].as_object().into_iter().flatten() {
            text += &format!("  {channel:<8}");
            for (band, power) in bands.as_object().into_iter().flatten() {
                text += &format!(" {band} {:>10.2}", power.as_f64().unwrap_or(f64::NAN));
            }
            text += "\n";
        }
        text + &format!(
            "digest {} in {:.2} s",
            self.json["output_digest"],
            self.json["wall_s"].as_f64().unwrap_or(0.0)
        )
    }
}
