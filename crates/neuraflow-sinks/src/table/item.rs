//! What a table keeps: the item's own bytes in a cell.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use neuraflow_core::model::{Chunk, Decision, FeatureSpec, Features, NoDecision, Window, WindowInfo};
use neuraflow_core::operator::Item;

use super::error::TableError;
use super::row::Family;
use super::value::{Bytes, malformed};

/// Something computed from a window that fits in a cell.
///
/// Implemented for [`Window`], [`Features`], and every [`Decision`] whose intent can be written as text and read back. A NaN is kept
/// as a NaN; its payload, which is no part of a result, is not.
pub trait TableItem: Item + Sized {
    /// The column family it is kept in.
    const FAMILY: Family;

    /// The window it was computed from.
    fn window(&self) -> &WindowInfo;

    /// The layout of its numbers, which is kept once, in the stream's directory.
    fn layout(&self) -> Option<&Arc<FeatureSpec>> {
        None
    }

    /// Appends its own bytes: all but the window and the layout.
    fn write(&self, out: &mut Vec<u8>);

    /// Makes it from what [`write`](Self::write) has written.
    ///
    /// # Errors
    /// The bytes are not what that writes.
    fn read(
        info: WindowInfo,
        layout: Option<&Arc<FeatureSpec>>,
        bytes: Bytes<'_>,
    ) -> Result<Self, TableError>;
}

/// Index of the first sample (8), channels (4), then the samples, `[sample][channel]`, as 32-bit floats.
impl TableItem for Window {
    const FAMILY: Family = Family::Windows;

    fn window(&self) -> &WindowInfo {
        &self.info
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.samples.first().to_le_bytes());
        out.extend_from_slice(&(self.samples.channels() as u32).to_le_bytes());
        out.reserve(4 * self.samples.values().len());
        for value in self.samples.values() {
            let value = if value.is_nan() { f32::NAN } else { *value };
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn read(
        info: WindowInfo,
        _: Option<&Arc<FeatureSpec>>,
        mut bytes: Bytes<'_>,
    ) -> Result<Self, TableError> {
        let (first, channels) = (bytes.u64()?, bytes.u32()? as usize);
        let (values, odd) = bytes.rest().as_chunks::<4>();
        if !odd.is_empty() || values.len().checked_rem(channels).unwrap_or(values.len()) != 0 {
            let found = format!("{} bytes for {channels} channels", bytes.rest().len());
            return Err(malformed("whole samples", found));
        }
        let values: Vec<f32> = values.iter().map(|value| f32::from_le_bytes(*value)).collect();
        let mut samples = Chunk::new(first, channels);
        samples.extend(&values);
        if samples.first().checked_add(samples.len() as u64).is_none() {
            return Err(malformed("a first sample below 2⁶⁴", first.to_string()));
        }
        Ok(Self { info, samples })
    }
}

/// The numbers, `[row][column]`, as 64-bit floats. Names of rows and columns are in the directory.
impl TableItem for Features {
    const FAMILY: Family = Family::Features;

    fn window(&self) -> &WindowInfo {
        &self.info
    }

    fn layout(&self) -> Option<&Arc<FeatureSpec>> {
        Some(&self.spec)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.reserve(8 * self.values.len());
        for value in &self.values {
            let value = if value.is_nan() { f64::NAN } else { *value };
            out.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn read(
        info: WindowInfo,
        layout: Option<&Arc<FeatureSpec>>,
        bytes: Bytes<'_>,
    ) -> Result<Self, TableError> {
        let spec = layout.ok_or_else(|| malformed("a layout", "none".into()))?;
        let (values, odd) = bytes.rest().as_chunks::<8>();
        if !odd.is_empty() || Some(values.len()) != spec.rows.len().checked_mul(spec.columns.len()) {
            let found =
                format!("{} bytes for {} × {}", bytes.rest().len(), spec.rows.len(), spec.columns.len());
            return Err(malformed("8 bytes for each row and column of its layout", found));
        }
        let values = values.iter().map(|value| f64::from_le_bytes(*value)).collect();
        Ok(Self { info, spec: Arc::clone(spec), values })
    }
}

/// The codes of decisions without an intent; 0 is an intent.
const REASONS: [(u8, NoDecision); 6] = [
    (1, NoDecision::WarmUp),
    (2, NoDecision::Gap),
    (3, NoDecision::Artifact),
    (4, NoDecision::Degenerate),
    (5, NoDecision::Undecided),
    (6, NoDecision::Idle),
];

/// One byte: 0 for an intent, followed by the confidence as a 64-bit float and the intent's text; 1 for warm-up, 2 gap, 3 artifact,
/// 4 degenerate, 5 undecided, 6 idle, 255 for any other reason.
impl<I> TableItem for Decision<I>
where
    I: Clone + Display + FromStr + Send + 'static,
{
    const FAMILY: Family = Family::Decisions;

    fn window(&self) -> &WindowInfo {
        &self.info
    }

    fn write(&self, out: &mut Vec<u8>) {
        match &self.outcome {
            Ok((intent, confidence)) => {
                out.push(0);
                out.extend_from_slice(&confidence.to_le_bytes());
                out.extend_from_slice(intent.to_string().as_bytes());
            }
            Err(reason) => {
                let code =
                    REASONS.iter().find(|(_, known)| known == reason).map_or(u8::MAX, |(code, _)| *code);
                out.push(code);
            }
        }
    }

    fn read(
        info: WindowInfo,
        _: Option<&Arc<FeatureSpec>>,
        mut bytes: Bytes<'_>,
    ) -> Result<Self, TableError> {
        let [code] = bytes.take()?;
        if code != 0 {
            let reason = REASONS.iter().find(|(known, _)| *known == code).map(|(_, reason)| *reason);
            let reason = reason.ok_or_else(|| malformed("a reason from 1 to 6", code.to_string()))?;
            return Ok(Self { info, outcome: Err(reason) });
        }
        let confidence = bytes.f64()?;
        let text = bytes.text(bytes.rest().len())?;
        let intent =
            text.parse().map_err(|_| malformed("an intent of the type asked for", text.to_owned()))?;
        Ok(Self { info, outcome: Ok((intent, confidence)) })
    }
}
