//! A refused design in the words of the filter's settings.

use neuraflow_core::operator::OperatorError;

use crate::kernel::DesignError;

/// What the frequencies of a filter are called.
pub(super) struct Names {
    band: &'static str,
    edges: Vec<(&'static str, f64)>,
}

impl Names {
    pub(super) fn of_edge(name: &'static str, hz: f64) -> Self {
        Self { band: "band", edges: vec![(name, hz)] }
    }

    pub(super) fn of_band(band: &'static str, names: [&'static str; 2], hz: [f64; 2]) -> Self {
        Self { band, edges: names.into_iter().zip(hz).collect() }
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
pub(super) fn refusal(error: DesignError, names: &Names) -> OperatorError {
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
