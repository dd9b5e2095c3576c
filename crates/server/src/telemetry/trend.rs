//! Where is it going? The slope of the last minute.

use std::collections::VecDeque;

/// Values that the slope is taken over.
const POINTS: usize = 60;
/// Fewer points, or a shorter time, say nothing.
const POINTS_MIN: usize = 10;

/// A value over the last minute, looked at about once a second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trend(VecDeque<(f64, f64)>);

impl Trend {
    /// The value at this time, in seconds.
    pub(crate) fn note(&mut self, at: f64, value: f64) {
        if self.0.len() == POINTS {
            self.0.pop_front();
        }
        self.0.push_back((at, value));
    }

    /// Change in a minute by the line that fits best; 0 while there are too few values.
    #[expect(clippy::cast_precision_loss, reason = "at most 60")]
    pub(crate) fn per_minute(&self) -> f64 {
        if self.0.len() < POINTS_MIN {
            return 0.0;
        }
        let n = self.0.len() as f64;
        let (at, value) = self.0.iter().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let (at, value) = (at / n, value / n);
        let (mut up, mut over) = (0.0, 0.0);
        for (x, y) in &self.0 {
            up += (x - at) * (y - value);
            over += (x - at) * (x - at);
        }
        if over > 0.0 { up / over * 60.0 } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_the_past_is_forgotten() {
        let mut trend = Trend::default();
        for second in 0..9 {
            trend.note(f64::from(second), 9.0);
        }
        assert_eq!(trend.per_minute(), 0.0, "too few");
        for second in 9..200 {
            trend.note(f64::from(second), 0.5 + 0.002 * f64::from(second));
        }
        assert!((trend.per_minute() - 0.12).abs() < 1e-9, "{}", trend.per_minute());
    }
}
