//! The range of an axis, and the parts of a curve within it.

/// Whether a value can be plotted at all: it is a number, and small enough that sums don't overflow.
pub fn is_plottable(value: f64) -> bool {
    value.abs() < 1e100
}

/// The range of an axis for curves with these minima and maxima. Values far above most curves' maxima are left out: one
/// diverged run would flatten all other curves.
pub fn axis_range(curves: &[(f64, f64)]) -> (f64, f64) {
    let low = curves.iter().map(|curve| curve.0).fold(f64::INFINITY, f64::min);
    let mut highs: Vec<_> = curves.iter().map(|curve| curve.1).collect();
    highs.sort_by(f64::total_cmp);
    let (Some(&middle), Some(&high)) = (highs.get((highs.len().max(1) - 1) / 2), highs.last())
    else {
        return (0.0, 1.0);
    };
    let high = if high - low > 4.0 * (middle - low) && middle > low {
        low + 1.5 * (middle - low)
    } else {
        high
    };
    // So that noise alone doesn't fill the height of the chart.
    let margin = (0.06 * (high - low)).max(0.04 * high.abs() - 0.5 * (high - low)).max(1e-3);
    (low - margin, high + margin)
}

/// The parts of a curve up to `top`, with end points where it crosses that value. A value that can't be plotted leaves
/// a gap.
pub fn clip_above(points: &[(f64, f64)], top: f64) -> Vec<Vec<(f64, f64)>> {
    let mut parts = vec![Vec::new()];
    let mut before: Option<(f64, f64)> = None;
    for &(x, y) in points {
        let last = parts.len() - 1;
        if !is_plottable(y) {
            parts.push(Vec::new());
            before = None;
            continue;
        }
        if let Some((x0, y0)) = before
            && (y0 > top) != (y > top)
        {
            parts[last].push((x0 + (x - x0) * (top - y0) / (y - y0), top));
        }
        if y <= top {
            parts[last].push((x, y));
        } else if !parts[last].is_empty() {
            parts.push(Vec::new());
        }
        before = Some((x, y));
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_value_has_a_range_around_it() {
        let (low, high) = axis_range(&[(2.5, 2.5)]);
        assert!(low < 2.5 && high > 2.5);
    }

    #[test]
    fn a_curve_is_cut_where_it_leaves_the_range() {
        let parts = clip_above(&[(0.0, 4.0), (2.0, 2.0), (4.0, 6.0), (8.0, 2.0)], 3.0);
        assert_eq!(parts, [vec![(1.0, 3.0), (2.0, 2.0), (2.5, 3.0)], vec![(7.0, 3.0), (8.0, 2.0)]]);
        assert!(clip_above(&[(0.0, 4.0), (2.0, 5.0)], 3.0).is_empty());
    }

    #[test]
    fn one_diverged_run_does_not_flatten_the_others() {
        let (_, high) = axis_range(&[(1.4, 2.0), (1.5, 3.6)]);
        assert!(high > 3.6, "{high}");
        let (low, high) = axis_range(&[(1.4, 2.0), (1.5, 90.0), (1.3, 2.2)]);
        assert!(low < 1.3 && high > 2.2 && high < 3.0, "{low} {high}");
        // A single run has no others to flatten.
        assert!(axis_range(&[(1.4, 90.0)]).1 > 90.0);
    }
}
