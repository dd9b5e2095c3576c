//! What does a batch cost? A fixed part and a part for each item, by least squares.
//!
//! As Beam does it: from ten measurements on, those whose Cook's distance is over .5 are left out
//! and the rest is weighted by 1 ÷ size, because small batches say more about the fixed part.

/// Fixed part and part for each item, in seconds, of measurements (size, seconds).
pub(super) fn line(points: &[(f64, f64)]) -> (f64, f64) {
    let Some((first, _)) = points.first() else { return (0.0, 0.0) };
    if points.iter().all(|(x, _)| x == first) {
        #[expect(clippy::cast_precision_loss, reason = "a hundred points")]
        let mean = points.iter().map(|(_, y)| y).sum::<f64>() / points.len() as f64;
        return (0.0, mean / first);
    }
    let (a, b) = fit(points, |_| 1.0);
    if points.len() < 10 {
        return (a, b);
    }
    #[expect(clippy::cast_precision_loss, reason = "a hundred points")]
    let n = points.len() as f64;
    let sum_x: f64 = points.iter().map(|(x, _)| x).sum();
    let sum_x2: f64 = points.iter().map(|(x, _)| x * x).sum();
    let error = |point: &(f64, f64)| a + b * point.0 - point.1;
    let s2 = points.iter().map(|point| error(point).powi(2)).sum::<f64>() / (n - 2.0);
    if s2 == 0.0 {
        return (a, b);
    }
    fit(points, |point| {
        let x = point.0;
        let h = (sum_x2 - 2.0 * sum_x * x + n * x * x) / (n * sum_x2 - sum_x * sum_x);
        let distance = 0.5 / s2 * error(point).powi(2) * h / (1.0 - h).powi(2);
        if distance <= 0.5 { 1.0 / x } else { 0.0 }
    })
}

/// Least squares where each residual counts `weight` times.
fn fit(points: &[(f64, f64)], weight: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
    let [mut s, mut sx, mut sy, mut sxx, mut sxy] = [0.0; 5];
    for point in points {
        let ((x, y), w) = (*point, weight(point).powi(2));
        s += w;
        sx += w * x;
        sy += w * y;
        sxx += w * x * x;
        sxy += w * x * y;
    }
    let determinant = s * sxx - sx * sx;
    if determinant <= 0.0 || !determinant.is_finite() {
        return (0.0, if sx > 0.0 { sy / sx } else { 0.0 });
    }
    let b = (s * sxy - sx * sy) / determinant;
    ((sy - b * sx) / s, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_an_outlier_left_out() {
        let mut points: Vec<_> =
            (1..=20).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        points.push((30.0, 500.0));
        let (a, b) = line(&points);
        assert!((a - 3.0).abs() < 1e-6 && (b - 2.0).abs() < 1e-6, "{a} {b}");
        assert_eq!(line(&[(5.0, 10.0), (5.0, 20.0)]), (0.0, 3.0));
        assert_eq!(line(&[]), (0.0, 0.0));
    }
}
