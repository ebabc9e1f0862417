//! Numbers and texts as headers and tables have them: fixed-width fields, padded with spaces or zeros.

/// Text with its padding cut: UTF-8 where it is valid UTF-8, else latin-1, which every byte is.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().rposition(|b| !matches!(b, b' ' | 0)).map_or(0, |last| last + 1);
    decode(&bytes[..end])
}

/// Bytes as UTF-8 if they are valid UTF-8, else as latin-1.
pub(crate) fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
    }
}

/// A field as an error message shows it.
pub(crate) fn shown(bytes: &[u8]) -> String {
    format!("{:?}", text(bytes))
}

/// A numeric field without padding, on either side (BioSemi writes leading spaces).
fn number(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.trim_matches([' ', '\0']);
    (!text.is_empty()).then_some(text)
}

/// A whole number.
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    number(bytes)?.parse().ok()
}

/// A finite real number that an `f32` can hold.
pub(crate) fn real(bytes: &[u8]) -> Option<f64> {
    number(bytes)?.parse::<f64>().ok().filter(|value| value.abs() <= 1e30)
}

/// A decimal number of zero or more, exactly: `(numerator, power of ten)`, `9.59375` as 959375/100000.
pub(crate) fn decimal(bytes: &[u8]) -> Option<(u64, u64)> {
    let text = number(bytes)?;
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction = fraction.trim_end_matches('0');
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let den = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some((whole.checked_mul(den)?.checked_add(fraction)?, den))
}

/// Seconds written as a decimal, in nanoseconds: exact to the nanosecond, digits beyond are rounded (ties away
/// from zero). A sign is allowed.
pub(crate) fn nanos(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let kept = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let mut parts = kept.fold(0i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    if fraction.as_bytes().get(9).is_some_and(|&digit| digit >= b'5') {
        parts += 1;
    }
    let total = whole.checked_mul(1_000_000_000)?.checked_add(parts)?;
    Some(if negative { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_numbers_as_they_are_written() {
        assert_eq!(integer(b"  1     "), Some(1));
        assert_eq!(integer(b"-1      "), Some(-1));
        assert_eq!(integer(b"1,000   "), None);
        assert_eq!(integer(b"        "), None);
        assert_eq!(real(b"-6553.4 "), Some(-6553.4));
        assert_eq!(real(b"1e300   "), None);
        assert_eq!(real(b"NaN     "), None);
        assert_eq!(decimal(b"9.59375 "), Some((959_375, 100_000)));
        assert_eq!(decimal(b"1.0000  "), Some((1, 1)));
        assert_eq!(decimal(b".5"), Some((5, 10)));
        assert_eq!(decimal(b"1,000   "), None);
        assert_eq!(decimal(b"-1      "), None);
        assert_eq!(decimal(b"."), None);
    }

    #[test]
    fn seconds_are_exact_to_the_nanosecond() {
        assert_eq!(nanos(b"+0.3945312"), Some(394_531_200));
        assert_eq!(nanos(b"-1.5"), Some(-1_500_000_000));
        assert_eq!(nanos(b"+33.43"), Some(33_430_000_000));
        assert_eq!(nanos(b"+0.0000000015"), Some(2));
        assert_eq!(nanos(b"+99999999999999"), None);
        assert_eq!(nanos(b"+1e3"), None);
        assert_eq!(nanos(b"+"), None);
        assert_eq!(nanos(b""), None);
    }

    #[test]
    fn text_is_utf8_or_latin1() {
        assert_eq!(text("µV      ".as_bytes()), "µV");
        assert_eq!(text(b"\xb5V      "), "µV");
        assert_eq!(text(b"Fc5.            "), "Fc5.");
    }
}
