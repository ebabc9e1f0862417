//! Every damaged file of the collection: a typed error that names file, field, expected and found, or a recovery
//! whose warnings say what was dropped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers outside #[test]

use std::collections::BTreeSet;
use std::fs;

use neuraflow_core::source::SourceError;
use neuraflow_core::testing::data;
use neuraflow_sources::recording::{Block, Recording};

use Outcome::{Malformed, Read, Unsupported};

/// What has to come of a file.
enum Outcome {
    /// Read: samples of the first stream, markers, and a word of each warning.
    Read(usize, usize, &'static [&'static str]),
    /// Refused: the field, and words of what was expected and found.
    Malformed(&'static str, &'static str, &'static str),
    /// Recognised as this, for which there is no reader yet.
    Unsupported(&'static str),
}

const OUTCOMES: [(&str, Outcome); 31] = [
    ("edf_00_valid_base_3ch5s.edf", Read(800, 2, &[])),
    // Record 4 is cut: its 343 bytes are dropped, and the marker in it.
    (
        "edf_01_truncated_mid_record.edf",
        Read(640, 1, &["1 that the header promises are missing", "these 343 bytes are dropped"]),
    ),
    ("edf_02_nrecords_minus1.edf", Read(800, 2, &["the header's number is ignored and 5 records are read"])),
    ("edf_03_nrecords_999_of_5.edf", Read(800, 2, &["994 that the header promises are missing"])),
    ("edf_04_ns_zero.edf", Malformed("number of signals", "above 0", "\"0\"")),
    ("edf_05_ns_9999.edf", Malformed("number of signals", "2560000 bytes", "a file of 6880 bytes")),
    // 4 signals of 1280 header bytes and 5 records are exactly the file: the field alone is wrong.
    (
        "edf_06_header_bytes_wrong.edf",
        Read(800, 2, &["expected 1280 for 4 signals, found \"512\"; the field is ignored"]),
    ),
    // Neither gain nor sign can be known without a guess: the counts are kept, their calibration dropped.
    ("edf_07_phys_min_eq_max.edf", Read(800, 2, &["\"Fc3.\": calibration: expected"])),
    ("edf_08_dig_min_gt_max.edf", Read(800, 2, &["\"Fc5.\": calibration: expected"])),
    ("edf_09_record_duration_zero.edf", Malformed("duration of a data record", "above 0 s", "\"0\"")),
    (
        "edf_10_samples_per_record_negative.edf",
        Malformed("\"Fc1.\": samples in a record", "above 0", "\"-160\""),
    ),
    ("edf_11_non_ascii_numeric.edf", Malformed("\"Fc5.\": physical minimum", "a number", "ÿþ")),
    ("edf_12_decimal_comma.edf", Malformed("duration of a data record", "with a dot", "\"1,000\"")),
    // Samples need no annotations in a contiguous file: those alone are dropped.
    (
        "edf_13_tal_separators_missing.edf",
        Read(800, 0, &["none that can be read in 5 records", "7 that are none; their 42 bytes are dropped"]),
    ),
    (
        "edf_14_header_only_256.edf",
        Malformed("number of signals", "1280 bytes for 4 signals", "a file of 256 bytes"),
    ),
    ("edf_15_empty.edf", Malformed("file", "a recording", "empty")),
    (
        "edf_16_real_crlf_damage_first64k.edf",
        Malformed("data records", "as they were recorded", "copy it again as binary"),
    ),
    ("edf_17_html_page_named.edf", Unsupported("HTML page")),
    ("bv_01_missing_datafile.vhdr", Unsupported("BrainVision")),
    ("bv_02_channel_count_mismatch.vhdr", Unsupported("BrainVision")),
    (
        "gdf_01_header_only.gdf",
        Malformed("number of signals", "2304 bytes for 8 signals", "a file of 256 bytes"),
    ),
    (
        "gdf_02_truncated_64k.gdf",
        Read(988, 0, &["starts at the Unix epoch", "58052 that the header promises are missing"]),
    ),
    ("gdf_03_version_9.gdf", Malformed("version", "1.00 to 2.99", "GDF 9.99")),
    // Of 659 lines three cannot be read and one is there twice.
    (
        "muse_01_ragged_duplicate_reordered_gap.csv",
        Read(655, 5, &["3 such rows are dropped", "1 that repeat the one above"]),
    ),
    ("openbci_01_ragged_nan_dropped_packets.txt", Unsupported("OpenBCI")),
    ("xdf_01_truncated_mid_chunk.xdf", Unsupported("XDF")),
    ("xdf_02_bad_magic.xdf", Unsupported("unknown format (first bytes 58 44 47 3A")),
    ("xdf_03_magic_only.xdf", Unsupported("XDF")),
    ("xdf_04_stream_header_bad_xml.xdf", Unsupported("XDF")),
    ("xdf_05_chunk_len_huge.xdf", Unsupported("XDF")),
    ("xdf_06_clock_resets_truncated_60k.xdf", Unsupported("XDF")),
];

#[test]
fn every_damaged_file_is_refused_in_words_or_read_with_warnings() {
    let Some(folder) = data::recording("malformed") else { return };
    let file_name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    let present: BTreeSet<String> =
        fs::read_dir(&folder).unwrap().map(|entry| file_name(entry.unwrap())).collect();
    let listed: BTreeSet<String> = OUTCOMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(present, listed, "the table names every file");

    for (name, outcome) in &OUTCOMES {
        let path = folder.join(name);
        let opened = Recording::open(&path);
        match (outcome, opened) {
            (Read(samples, markers, words), Ok(mut recording)) => {
                let warnings: Vec<String> = recording.warnings().iter().map(ToString::to_string).collect();
                assert_eq!(warnings.len(), words.len(), "{name}: {warnings:?}");
                for (warning, word) in warnings.iter().zip(*words) {
                    assert!(warning.contains(word), "{name}: {warning} does not say {word}");
                }
                assert_eq!(recording.markers().len(), *markers, "{name}");
                let channels = match name.split('_').next() {
                    Some("edf") => 3,
                    Some("gdf") => 8,
                    _ => 5,
                };
                assert_eq!(recording.streams()[0].channels.len(), channels, "{name}");
                let (mut block, mut read) = (Block::default(), 0);
                while recording.next_block(&mut block).unwrap() {
                    assert!(block.chunks()[0].values().iter().all(|value| value.is_finite()), "{name}");
                    read += block.chunks()[0].len();
                }
                assert_eq!(read, *samples, "{name}");
            }
            (
                Malformed(part, wanted, there),
                Err(SourceError::Malformed { target, field, expected, found }),
            ) => {
                assert!(target.ends_with(name), "{name}: {target}");
                assert!(field.contains(part), "{name}: {field}");
                assert!(expected.contains(wanted), "{name}: {expected}");
                assert!(found.contains(there), "{name}: {found}");
            }
            (Unsupported(what), Err(SourceError::UnsupportedFormat { target, found, .. })) => {
                assert!(target.ends_with(name), "{name}: {target}");
                assert!(found.contains(what), "{name}: {found}");
            }
            (_, Ok(recording)) => panic!("{name} was read, with {:?}", recording.warnings()),
            (_, Err(error)) => panic!("{name}: {error:?}"),
        }
    }
}
