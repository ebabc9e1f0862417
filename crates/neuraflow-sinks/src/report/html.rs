//! Markup that cannot be broken by text: tags and attribute names are literals of this crate, all else is escaped.

use std::borrow::Cow;

/// Attributes of a tag.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A page under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup as it is: only literals, so nothing from a file can come this way.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.0.push_str(markup);
    }

    pub(super) fn open(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.begin(tag, attributes);
        self.0.push('>');
    }

    pub(super) fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push('>');
    }

    /// A tag without content, of SVG or of HTML's void ones.
    pub(super) fn empty(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.begin(tag, attributes);
        self.0.push_str("/>");
    }

    pub(super) fn text(&mut self, text: &str) {
        self.0.push_str(&escape(text));
    }

    /// A tag with text alone in it.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
    }

    /// A number for people, with all its digits for machines.
    pub(super) fn number(&mut self, number: f64) {
        if number.is_finite() {
            self.leaf("data", &[("value", &format!("{number:?}"))], &digits(number));
        } else {
            self.text("–");
        }
    }

    pub(super) fn count(&mut self, count: u64) {
        self.leaf("data", &[("value", &count.to_string())], &grouped(count));
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }

    fn begin(&mut self, tag: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.0.push_str(&escape(value));
            self.0.push('"');
        }
    }
}

/// Text for content and attributes. Control characters, and those that turn the direction of the text around them,
/// have no business in a name and become `U+FFFD`.
fn escape(text: &str) -> Cow<'_, str> {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(|c| hidden(c) || matches!(c, '&' | '<' | '>' | '"' | '\'')) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if hidden(c) => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// A number in about three digits.
pub(super) fn digits(number: f64) -> String {
    let size = number.abs();
    match size {
        0.0 => "0".into(),
        _ if !size.is_finite() => "–".into(),
        1e5.. | ..1e-3 => format!("{number:.1e}"),
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        1.0.. => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// A count with its thousands apart: `1,234,567`.
pub(super) fn grouped(count: u64) -> String {
    let plain = count.to_string();
    let mut grouped = String::new();
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && (plain.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup() {
        let mut html = Html::default();
        html.leaf("td", &[("title", "\" onclick='x'")], "</td><script>alert(1)</script>\0\u{202e}&amp;");
        assert_eq!(
            html.into_string(),
            "<td title=\"&quot; onclick=&#39;x&#39;\">&lt;/td&gt;&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}\u{fffd}\
             &amp;amp;</td>"
        );
    }

    #[test]
    fn numbers_read_well() {
        for (number, shown) in [
            (0.0, "0"),
            (1234.56, "1235"),
            (12.345, "12.3"),
            (1.2345, "1.23"),
            (-0.01234, "-0.012"),
            (1.5e-7, "1.5e-7"),
            (2.5e9, "2.5e9"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(digits(number), shown);
        }
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
