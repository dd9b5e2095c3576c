//! How is text written safely, and a number readably?

/// Text with what means something in HTML written as itself.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            _ => safe.push(c),
        }
    }
    safe
}

/// A number with three digits that matter, in thousands or millions.
pub(super) fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 999_500.0 => format!("{}\u{202f}M", digits(value / 1e6)),
        size if size >= 9_995.0 => format!("{}\u{202f}k", digits(value / 1e3)),
        _ => digits(value),
    }
}

fn digits(value: f64) -> String {
    let written = match value.abs() {
        size if size >= 99.95 => format!("{value:.0}"),
        size if size >= 9.995 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    if written.contains('.') {
        written.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        written
    }
}

/// A time in seconds, in the unit that suits it.
pub(super) fn time(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", short(seconds * 1e3))
    } else {
        format!("{} s", short(seconds))
    }
}

/// Something optional, or a dash.
pub(super) fn or_dash(value: Option<f64>, written: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| "–".to_owned(), written)
}

/// "1 seed", "20 seeds".
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_text_is_safe() {
        let written = [0.0, 0.034, 4.5, 12.34, 100.4, 9_990.0, 185_822.0, 1_205_902.0].map(short);
        let expected = ["0", "0.03", "4.5", "12.3", "100", "9990", "186\u{202f}k", "1.21\u{202f}M"];
        assert_eq!(written, expected);
        assert_eq!((time(0.0123), time(12.0)), ("12.3 ms".into(), "12 s".into()));
        assert_eq!(
            escaped("<a href='x'>&\"</a>"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
    }
}
