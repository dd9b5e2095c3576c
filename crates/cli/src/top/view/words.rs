//! How are figures written where there is little room? Three digits, and a letter for thousands.

use tidegate_server::live::contract::{LaneState, Plan};

/// A number in at most five characters: `7.2`, `940`, `1.42k`, `12.4M`.
pub(in crate::top) fn short(number: f64) -> String {
    if !number.is_finite() || number < 0.005 {
        return "0".to_owned();
    }
    let (scaled, unit) = match number {
        n if n < 999.5 => (n, ""),
        n if n < 999.5e3 => (n / 1e3, "k"),
        n if n < 999.5e6 => (n / 1e6, "M"),
        n => (n / 1e9, "G"),
    };
    let decimals = match scaled {
        s if unit.is_empty() && s >= 10.0 => 0,
        s if s < 9.995 => 2,
        s if s < 99.95 => 1,
        _ => 0,
    };
    let said = format!("{scaled:.decimals$}");
    match said.contains('.') {
        true => format!("{}{unit}", said.trim_end_matches('0').trim_end_matches('.')),
        false => format!("{said}{unit}"),
    }
}

/// A whole number as a float, for people.
#[expect(clippy::cast_precision_loss, reason = "counts for people")]
pub(in crate::top) fn count(number: u64) -> String {
    short(number as f64)
}

/// Bytes in the units that memory is sold in.
#[expect(clippy::cast_precision_loss, reason = "sizes for people")]
pub(in crate::top) fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut scaled, mut unit) = (number as f64, 0);
    while scaled >= 1023.95 && unit + 1 < units.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && scaled < 99.95);
    format!("{scaled:.decimals$} {}", units.get(unit).copied().unwrap_or_default())
}

/// Milliseconds in the unit that suits them.
pub(in crate::top) fn ms(ms: f64) -> String {
    match ms {
        ms if ms < 9.95 => format!("{ms:.1}ms"),
        ms if ms < 999.5 => format!("{ms:.0}ms"),
        ms if ms < 9950.0 => format!("{:.1}s", ms / 1e3),
        ms => format!("{:.0}s", ms / 1e3),
    }
}

/// A time in the unit that suits it.
pub(in crate::top) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 0.9995 => format!("{:.0} ms", s * 1e3),
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// A share as per cent.
pub(in crate::top) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A plan: `1420×4`.
pub(in crate::top) fn plan(plan: &Plan) -> String {
    format!("{}×{}", plan.batch_size, short(plan.concurrency))
}

/// From one plan to another; what stays the same is said once.
pub(in crate::top) fn step(from: &Plan, to: &Plan) -> String {
    let size = from.batch_size != to.batch_size;
    let slots = from.concurrency.to_bits() != to.concurrency.to_bits();
    if size || slots {
        return format!("{} → {}", plan(from), plan(to));
    }
    let pace =
        |pace: Option<f64>| pace.map_or("any pace".to_owned(), |one| format!("{}/s", short(one)));
    if from.pace != to.pace {
        return format!("{} → {}", pace(from.pace), pace(to.pace));
    }
    format!("linger {} → {}", ms(from.linger_ms), ms(to.linger_ms))
}

/// A state in a word.
pub(in crate::top) const fn state(state: LaneState) -> &'static str {
    match state {
        LaneState::Starting => "starting",
        LaneState::Running => "running",
        LaneState::Retrying => "retrying",
        LaneState::Blocked => "blocked",
        LaneState::Detached => "detached",
        LaneState::Draining => "draining",
        LaneState::Stopped => "stopped",
    }
}

/// At most so many characters; what is cut off leaves a mark.
pub(in crate::top) fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(room.saturating_sub(1)).collect();
    if room > 0 {
        kept.push('…');
    }
    kept
}

/// Values as a row of blocks, the newest at the right.
pub(in crate::top) fn spark<'v>(
    values: impl DoubleEndedIterator<Item = &'v f64> + ExactSizeIterator + Clone,
    width: usize,
) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let skip = values.len().saturating_sub(width);
    let shown = values.skip(skip);
    let most = shown.clone().copied().fold(0.0, f64::max);
    let block = |value: &f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 7")]
        let at = if most > 0.0 { (value / most * 7.0).round().clamp(0.0, 7.0) as usize } else { 0 };
        BLOCKS.get(at).copied().unwrap_or(' ')
    };
    let row: String = shown.map(block).collect();
    let pad = width.saturating_sub(row.chars().count());
    " ".repeat(pad) + &row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fit() {
        let said = [0.0, 0.25, 7.2, 42.0, 999.4, 1420.0, 123_456.0, 9.9e6, 2e9].map(short);
        assert_eq!(said, ["0", "0.25", "7.2", "42", "999", "1.42k", "123k", "9.9M", "2G"]);
        assert_eq!([0, 1023, 1536, 1 << 30].map(bytes), ["0 B", "1023 B", "1.5 KiB", "1.0 GiB"]);
        assert_eq!([0.84, 41.2, 1310.0, 61_000.0].map(ms), ["0.8ms", "41ms", "1.3s", "61s"]);
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(spark([1.0, 0.0, 2.0].iter(), 4), " ▅▁█");
        assert_eq!(spark([1.0, 0.0, 2.0].iter(), 2), "▁█");
    }
}
