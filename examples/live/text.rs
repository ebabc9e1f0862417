//! The summary of a run as a page for people.

use serde_json::Value;

use super::summary::Summary;

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
        let row = |name: &str, of: &Value| {
            let at = |q: &str| of[q].as_f64().map_or("-".into(), |micros| format!("{micros:.0}"));
            format!(
                "  {name:<9} p50 {:>8} p99 {:>8} p99.9 {:>8} max {:>8}\n",
                at("p50"),
                at("p99"),
                at("p999"),
                at("max")
            )
        };
        text += "latency from the closing packet's arrival to the sink, µs:\n";
        text += &row("total", &self.json["latency_us"]);
        for part in ["wait", "compute", "output"] {
            text += &row(part, &self.json["latency_parts_us"][part]);
        }
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
