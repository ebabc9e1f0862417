//! What a checkpoint knows of the precision that a spectrum is computed in.

use neuraflow_core::checkpoint::{RestoreError, SnapshotReader, SnapshotWriter};

use crate::kernel::Precision;

/// Bits of a number of single precision. Double precision leaves no mark: its states are as they were when it was the only one.
const SINGLE: u8 = 32;

/// Marks the state of an operator that computes in single precision. To be put last: one of double precision, which knows
/// nothing of it, then has a byte left over.
pub(super) fn put(precision: Precision, writer: &mut SnapshotWriter) {
    if precision == Precision::Single {
        writer.put(&SINGLE);
    }
}

/// Refuses a state without the mark of single precision where that is what is computed in.
pub(super) fn take(precision: Precision, reader: &mut SnapshotReader<'_>) -> Result<(), RestoreError> {
    if precision == Precision::Single && reader.take::<u8>() != Ok(SINGLE) {
        return Err(RestoreError::Encoding {
            reason: "expected a spectrum of single precision, found one of double; restore it with Precision::Double"
                .to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a state that was written in one precision is to another.
    fn taken(written: Precision, read: Precision) -> Result<(), RestoreError> {
        let mut writer = SnapshotWriter::default();
        writer.put(&7_u64);
        put(written, &mut writer);
        let bytes = writer.into_bytes()?;
        let mut reader = SnapshotReader::new(&bytes);
        reader.take::<u64>()?;
        take(read, &mut reader)?;
        reader.finish()
    }

    #[test]
    fn a_state_goes_back_to_its_own_precision_alone() {
        use Precision::{Double, Single};
        taken(Double, Double).unwrap();
        taken(Single, Single).unwrap();
        assert_eq!(taken(Single, Double), Err(RestoreError::TrailingBytes { found: 1 }));
        let error = taken(Double, Single).unwrap_err();
        assert!(error.to_string().contains("Precision::Double"), "{error}");
    }
}
