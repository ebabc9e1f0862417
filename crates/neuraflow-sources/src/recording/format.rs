//! Which format a file is in, by its first bytes. Its name says nothing.

/// What the first bytes of a file look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    /// EDF, EDF+, BDF or BDF+.
    Edf,
    /// GDF, of whatever version.
    Gdf,
    /// Samples of a Muse headband as text.
    Muse,
    /// A NumPy array, of spikes if it can be read.
    Spikes,
    /// Something else, in words.
    Other(String),
}

/// The formats that can be read, for error messages.
pub(super) const READABLE: &str = "EDF, EDF+, BDF, BDF+, GDF, Muse CSV, spike trains (.npy)";
/// How many bytes [`sniff`] wants to see.
pub(super) const SNIFFED_BYTES: usize = 512;

/// Binary magics, at the file's first byte.
const MAGICS: [(&[u8], &str); 13] = [
    (b"XDF:", "XDF"),
    (b"Brain Vision Data Exchange Header", "a BrainVision header (.vhdr)"),
    (b"Brain Vision Data Exchange Marker", "a BrainVision marker file (.vmrk: open the .vhdr instead)"),
    (b"BrainVision Data Exchange Header", "a BrainVision header (.vhdr)"),
    (b"\x00\x00\x00\x64\x00\x00\x00\x1f", "FIF"),
    (b"%OpenBCI", "OpenBCI text"),
    (b"NEURAL", "Blackrock NEV/NSx"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"PK\x03\x04", "a zip archive (unpack it first)"),
    (b"version https://git-lfs", "a Git LFS pointer (fetch the file itself with `git lfs pull`)"),
    (b"%PDF", "a PDF document"),
];

/// What the first bytes (at best [`SNIFFED_BYTES`]) look like.
pub(super) fn sniff(head: &[u8]) -> Sniffed {
    let other = |what: &str| Sniffed::Other(what.to_owned());
    if head.starts_with(b"\xffBIOSEMI") || is_edf_version(head) {
        return Sniffed::Edf;
    }
    if head.starts_with(b"GDF ") {
        return Sniffed::Gdf;
    }
    if head.starts_with(b"\x93NUMPY") {
        return Sniffed::Spikes;
    }
    if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return other(what);
    }
    let text: String = head.iter().take(256).map(|&b| char::from(b).to_ascii_lowercase()).collect();
    let text = text.trim_start();
    if text.starts_with("<!doctype html") || text.starts_with("<html") {
        return other("an HTML page (a download page saved in place of the recording?)");
    }
    if text.starts_with("timestamps,tp9") {
        return Sniffed::Muse;
    }
    let printable = |b: &u8| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    if !head.is_empty() && head.iter().all(printable) {
        let line: String = text.lines().next().unwrap_or_default().chars().take(40).collect();
        return Sniffed::Other(format!("text that begins {line:?}"));
    }
    let bytes: Vec<String> = head.iter().take(8).map(|b| format!("{b:02X}")).collect();
    Sniffed::Other(format!("an unknown format (first bytes {})", bytes.join(" ")))
}

/// EDF's version field is `0` and padding.
fn is_edf_version(head: &[u8]) -> bool {
    let field = head.get(..8).unwrap_or(head);
    field.first() == Some(&b'0') && field.len() > 1 && field[1..].iter().all(|b| matches!(b, b' ' | 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_by_content() {
        assert_eq!(sniff(b"0       X X X X"), Sniffed::Edf);
        assert_eq!(sniff(b"\xffBIOSEMI"), Sniffed::Edf);
        assert_eq!(sniff(b"GDF 9.99X"), Sniffed::Gdf);
        assert_eq!(sniff(b"timestamps,TP9,AF7"), Sniffed::Muse);
        assert_eq!(sniff(b"\x93NUMPY\x01\x00v\x00{'descr'"), Sniffed::Spikes);
        for (head, word) in [
            (&b"XDF:\x01"[..], "XDF"),
            (b"XDG:\x01:", "58 44 47"),
            (b"\n<!DOCTYPE html>", "HTML"),
            (b"%OpenBCI Raw", "OpenBCI"),
            (b"0,1,2\n3,4,5\n", "text"),
        ] {
            match sniff(head) {
                Sniffed::Other(what) => assert!(what.contains(word), "{what}"),
                known => panic!("{head:?} is taken for {known:?}"),
            }
        }
    }
}
