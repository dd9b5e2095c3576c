//! What is written? Events of a web shop's log, about 266 bytes each as a line of JSON.
//!
//! They are made once, before anything is measured, and used again and again: the client and the
//! backend share two cores, so whatever a row costs to make would be taken from the backend. What
//! differs from sending to sending is the position, and nothing else.

use std::fmt::Write as _;
use std::sync::Arc;

/// Bytes of an item, as bounds and traces count them.
pub(crate) const ITEM_BYTES: u64 = 266;
/// Different rows; a batch that is longer repeats them.
const DIFFERENT: u64 = 4096;

/// One event, in the columns of the table `events` of the library's own sinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Nanoseconds since 1970.
    pub timestamp: i64,
    /// OpenTelemetry severity.
    pub severity_number: i64,
    /// The severity as written.
    pub severity_text: &'static str,
    /// Who says so.
    pub service: &'static str,
    /// The message.
    pub body: String,
    /// A JSON object.
    pub attributes: String,
    /// Hexadecimal, of one row in six.
    pub trace_id: Option<String>,
}

const SERVICES: [&str; 6] = ["checkout", "catalog", "payments", "search", "auth", "shipping"];
const ROUTES: [&str; 5] = ["orders", "carts", "users", "products", "sessions"];
const BEGINNING: i64 = 1_790_000_000_000_000_000;

/// All rows, the same ones each time.
pub(crate) fn rows() -> Arc<[Row]> {
    (0..DIFFERENT).map(row).collect()
}

fn row(number: u64) -> Row {
    let dice = mixed(number);
    let pick = |from: &[&'static str], shift: u32| {
        let place = (dice >> shift) % (from.len() as u64);
        usize::try_from(place).ok().and_then(|place| from.get(place).copied()).unwrap_or_default()
    };
    let (severity_number, severity_text) = match dice % 20 {
        0 => (17, "ERROR"),
        1 | 2 => (13, "WARN"),
        _ => (9, "INFO"),
    };
    let (route, took, user) = (pick(&ROUTES, 8), dice % 1000, dice % 1_000_000);
    let body = format!("GET /api/v1/{route}/{user:06} answered 200 in {took:03} ms from the cache");
    let attributes = format!(
        "{{\"http.method\":\"GET\",\"http.route\":\"/api/v1/{route}\",\"peer\":\"10.0.{:03}.{:03}:443\",\"user\":{user:6},\"seq\":{number:6}}}",
        dice % 256,
        number % 256
    );
    let trace_id = number.is_multiple_of(6).then(|| format!("{:032x}", u128::from(dice) * 0x9E37));
    let millis = i64::try_from(number).unwrap_or_default();
    Row {
        timestamp: BEGINNING + millis * 1_000_000,
        severity_number,
        severity_text,
        service: pick(&SERVICES, 16),
        body,
        attributes,
        trace_id,
    }
}

impl Row {
    /// The event as a line of JSON.
    pub(crate) fn line(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "{{\"timestamp\":{},\"severity\":\"{}\",\"service\":\"{}\",\"body\":\"{}\",\"attributes\":{}",
            self.timestamp, self.severity_text, self.service, self.body, self.attributes
        );
        if let Some(trace) = &self.trace_id {
            let _ = write!(out, ",\"trace_id\":\"{trace}\"");
        }
        out.push_str("}\n");
    }
}

/// Numbers that look random and are the same each time (`SplitMix64`).
const fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_bytes_that_are_stated() {
        let mut lines = String::new();
        let rows = rows();
        rows.iter().for_each(|row| row.line(&mut lines));
        let mean = lines.len() / rows.len();
        assert!(mean.abs_diff(266) <= 6, "{mean}: {}", lines.lines().next().unwrap());
    }

    #[test]
    fn rows_are_json_and_differ() {
        let mut lines = String::new();
        let rows = rows();
        rows.iter().take(100).for_each(|row| row.line(&mut lines));
        for line in lines.lines() {
            let _: serde_json::Value = serde_json::from_str(line).unwrap();
        }
        assert!(rows.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
