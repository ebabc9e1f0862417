//! A refused design in the words of the filter's settings.

use neuraflow_core::operator::OperatorError;

use crate::kernel::{DesignError, Response};

/// What the frequencies of a filter are called.
pub(crate) struct Names {
    band: &'static str,
    edges: Vec<(&'static str, f64)>,
}

impl Names {
    pub(super) fn of_edge(name: &'static str, hz: f64) -> Self {
        Self { band: "band", edges: vec![(name, hz)] }
    }

    fn of_band(band: &'static str, names: [&'static str; 2], hz: [f64; 2]) -> Self {
        Self { band, edges: names.into_iter().zip(hz).collect() }
    }

    /// The edges of a pass or stop band.
    pub(crate) fn of(response: Response) -> Self {
        const PASS: [&str; 2] = ["lower edge of the pass band", "upper edge of the pass band"];
        const STOP: [&str; 2] = ["lower edge of the stop band", "upper edge of the stop band"];
        match response {
            Response::Lowpass(hz) => Self::of_edge(PASS[1], hz),
            Response::Highpass(hz) => Self::of_edge(PASS[0], hz),
            Response::Bandpass(low, high) => Self::of_band("pass band", PASS, [low, high]),
            Response::Bandstop(low, high) => Self::of_band("stop band", STOP, [low, high]),
        }
    }

    /// The name of the edge that has this value.
    fn edge(&self, hz: f64) -> &'static str {
        let found = self.edges.iter().find(|(_, edge)| edge.to_bits() == hz.to_bits());
        found.map_or("edge of the band", |(name, _)| name)
    }

    fn advice(&self) -> &'static str {
        match self.edges.len() {
            1 => "move it, or leave the filter out",
            _ => "move it, or leave this edge out with a low- or high-pass",
        }
    }
}

/// What a pipeline's builder says of it.
pub(crate) fn refusal(error: DesignError, names: &Names) -> OperatorError {
    let (what, expected, found) = match error {
        DesignError::Order { max, found } => ("filter order", format!("1 to {max}"), found.to_string()),
        DesignError::EdgeNotFinite { found } => {
            (names.edge(found), "a finite frequency in Hz".to_owned(), found.to_string())
        }
        DesignError::EdgeOutOfRange { nyquist, found } => {
            let range = if found >= nyquist { "below" } else { "above 0 Hz and below" };
            let expected = format!("{range} Nyquist {nyquist} Hz; {}", names.advice());
            (names.edge(found), expected, format!("{found} Hz"))
        }
        DesignError::EdgesNotIncreasing { low, high } => {
            let expected = "a lower edge below the upper edge; swap or widen them".to_owned();
            (names.band, expected, format!("{low} Hz to {high} Hz"))
        }
        DesignError::Quality { min, found } => {
            let expected = format!("above {min} at this frequency and sampling rate; raise it");
            ("quality of the notch", expected, found.to_string())
        }
        DesignError::Ripple { found } => {
            ("ripple of the pass band", "above 0 dB and below 3.01 dB".to_owned(), format!("{found} dB"))
        }
        DesignError::Attenuation { found } => (
            "attenuation of the stop band",
            "above 3.01 dB and up to 400 dB".to_owned(),
            format!("{found} dB"),
        ),
        DesignError::Taps { expected, found } => {
            ("taps of the filter", format!("{expected}; add or take off one"), found.to_string())
        }
        DesignError::Period { fundamental, sampling_rate } => (
            "frequency of the comb",
            format!(
                "a whole number of samples a period at {sampling_rate} Hz; use notches, or resample first"
            ),
            format!("{fundamental} Hz"),
        ),
        DesignError::Unstable { .. } => {
            let expected = "poles inside the unit circle in f64; move the edges away from 0 Hz and Nyquist, widen \
                            the band, or lower the sampling rate first";
            ("filter", expected.to_owned(), "a pole that rounding puts on it".to_owned())
        }
        DesignError::SamplingRate { found } => {
            ("sampling rate", "a finite number of Hz above 0".to_owned(), found.to_string())
        }
        // The designers make sections themselves.
        other @ (DesignError::Section { .. } | DesignError::NoSections) => {
            ("filter", "usable sections".to_owned(), other.to_string())
        }
    };
    OperatorError::Spec { what, expected, found }
}
