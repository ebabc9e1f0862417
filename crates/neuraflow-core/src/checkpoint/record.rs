//! What a checkpoint keeps of one stream.

use bincode::Options;
use serde::{Deserialize, Serialize};

use super::encoding::{Raw, encoding};
use super::snapshot::RestoreError;
use crate::model::StreamHeader;

/// The state of one stream: its header and a section for every node of its chain, in the chain's order.
///
/// ```
/// use neuraflow_core::checkpoint::{Section, StreamSnapshot};
/// use neuraflow_core::model::{Channel, SamplingRate, StreamHeader, StreamKey};
/// let key = StreamKey::of_names("session", "headset");
/// let header = StreamHeader::new(key, "eeg", SamplingRate::hz(250)?, vec![Channel::new("Cz")]);
/// let sections = vec![Section { stage: "sequencer".into(), bytes: vec![1, 2, 3] }];
/// let snapshot = StreamSnapshot { header, sections };
/// assert_eq!(StreamSnapshot::decode(&snapshot.encode()?)?, snapshot);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSnapshot {
    /// The stream, as it was announced.
    pub header: StreamHeader,
    /// The state of its nodes.
    pub sections: Vec<Section>,
}

/// The state of one node of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The node's name, so that an error can tell which one does not fit.
    pub stage: String,
    /// What its [`SnapshotWriter`](super::SnapshotWriter) collected.
    pub bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct SectionForm<'a> {
    stage: &'a str,
    #[serde(borrow)]
    bytes: Raw<'a>,
}

impl StreamSnapshot {
    /// As bytes, for [`Checkpoints::stream`](super::Checkpoints::stream). Costs one copy of the sections.
    ///
    /// # Errors
    /// The state is beyond the size limit of 1 GiB.
    pub fn encode(&self) -> Result<Vec<u8>, RestoreError> {
        let sections: Vec<_> = self
            .sections
            .iter()
            .map(|section| SectionForm { stage: &section.stage, bytes: Raw(&section.bytes) })
            .collect();
        encoding().serialize(&(&self.header, sections)).map_err(refused)
    }

    /// From the bytes of [`encode`](Self::encode).
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, RestoreError> {
        let (header, sections): (StreamHeader, Vec<SectionForm<'_>>) =
            encoding().deserialize(bytes).map_err(refused)?;
        let sections = sections
            .into_iter()
            .map(|form| Section { stage: form.stage.to_owned(), bytes: form.bytes.0.to_vec() })
            .collect();
        Ok(Self { header, sections })
    }
}

fn refused(error: bincode::Error) -> RestoreError {
    RestoreError::Encoding { reason: error.to_string() }
}
