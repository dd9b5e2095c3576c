//! Where on a chart does a value lie? Linear from zero, or logarithmic where values span decades.

/// An axis from one value to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) log: bool,
}

impl Scale {
    /// From zero to a little above the highest value.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let most = values.fold(0.0, f64::max);
        Self { low: 0.0, high: if most > 0.0 { most * 1.08 } else { 1.0 }, log: false }
    }

    /// Around the positive values, at least one decade.
    pub(super) fn log(values: impl Iterator<Item = f64>) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let (low, high) = positive
            .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        if !low.is_finite() {
            return Self { low: 1.0, high: 10.0, log: true };
        }
        let (low, high) = (low * 0.8, high * 1.25);
        let room = (10.0 / (high / low)).max(1.0).sqrt();
        Self { low: low / room, high: high * room, log: true }
    }

    /// 0 at the low end, 1 at the high end; what lies beyond stays at the end.
    pub(super) fn place(self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// A few round values, ascending.
    pub(super) fn ticks(self) -> Vec<f64> {
        if self.log { self.decades() } else { self.even(4.0) }
    }

    /// Round values at even distances, about so many.
    pub(super) fn even(self, many: f64) -> Vec<f64> {
        let raw = (self.high - self.low) / many;
        let power = 10.0_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|round| round * power);
        let step = step.into_iter().find(|step| *step >= raw * 0.999).unwrap_or(power * 10.0);
        let mut ticks = Vec::new();
        let mut tick = (self.low / step).ceil() * step;
        while tick <= self.high * 1.000_001 && ticks.len() < 20 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }

    fn decades(self) -> Vec<f64> {
        let wide = (self.high / self.low).log10();
        let within: &[f64] = match wide {
            wide if wide <= 1.5 => &[1.0, 2.0, 5.0],
            wide if wide <= 3.0 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let mut ticks = Vec::new();
        let mut power = 10.0_f64.powf(self.low.log10().floor());
        while power <= self.high && ticks.len() < 20 {
            let round = within.iter().map(|factor| factor * power);
            ticks.extend(round.filter(|tick| *tick >= self.low && *tick <= self.high));
            power *= 10.0;
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Scale::linear([185.0].into_iter()).ticks(), [0.0, 50.0, 100.0, 150.0]);
        let log = Scale::log([100.0, 8_000.0].into_iter());
        assert_eq!(log.ticks(), [100.0, 300.0, 1_000.0, 3_000.0, 10_000.0]);
        assert!(Scale::log([5.0].into_iter()).ticks().len() >= 2);
        assert!(!Scale::log(std::iter::empty()).ticks().is_empty());
    }

    #[test]
    fn places_run_from_end_to_end() {
        for scale in [Scale::linear([10.0].into_iter()), Scale::log([1.0, 10.0].into_iter())] {
            assert!((scale.place(scale.low), scale.place(scale.high)) == (0.0, 1.0));
            assert_eq!(scale.place(-1.0), 0.0);
        }
    }
}
