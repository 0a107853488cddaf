//! Axes: which numbers they reach over, and which of those are written beside them.

use crate::report::grouped;

/// An axis from `low` to `high`, and its marks.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    marks: Vec<f64>,
    /// Digits behind the point that tell the marks apart.
    digits: usize,
}

impl Axis {
    /// From `low` to `high`, with about so many marks at round numbers: 1, 2 or 5 times a power of ten apart, and no
    /// less than `least`.
    pub fn new(low: f64, high: f64, about: usize, least: f64) -> Self {
        let high = if high > low { high } else { low + least.max(low.abs() * 0.1).max(1e-6) };
        let rough = ((high - low) / about as f64).max(least);
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|factor| factor * power)
            .find(|step| *step >= rough * 0.999)
            .unwrap_or(10.0 * power);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        let (first, last) =
            ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        Self { low, high, marks: (first..=last).map(|mark| mark as f64 * step).collect(), digits }
    }

    /// The marks, with what is written beside them.
    pub fn marks(&self) -> impl Iterator<Item = (f64, String)> + '_ {
        self.marks.iter().map(|&mark| {
            let text = match self.digits {
                0 if mark >= 0.0 => grouped(mark.round() as u64),
                digits => format!("{mark:.digits$}"),
            };
            (mark, text)
        })
    }

    /// Where a number lies: 0 at the low end, 1 at the high one.
    pub fn place(&self, number: f64) -> f64 {
        (number - self.low) / (self.high - self.low)
    }

    /// The high end.
    pub fn high(&self) -> f64 {
        self.high
    }
}

/// From where to where an axis reaches that shows curves with these lowest and highest numbers. What lies far above
/// most curves' highest is left out: one run that went wrong would make flat lines of all others.
pub fn reach(curves: &[(f64, f64)]) -> (f64, f64) {
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
    // Noise is not blown up to the height of the page.
    let margin = (0.06 * (high - low)).max(0.04 * high.abs() - 0.5 * (high - low)).max(1e-3);
    (low - margin, high + margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<String> {
        axis.marks().map(|(_, text)| text).collect()
    }

    #[test]
    fn marks_stand_at_round_numbers() {
        assert_eq!(texts(&Axis::new(1.17, 1.83, 5, 0.0)), ["1.2", "1.4", "1.6", "1.8"]);
        assert_eq!(texts(&Axis::new(0.0, 2380.0, 6, 1.0)), ["0", "500", "1,000", "1,500", "2,000"]);
        assert_eq!(texts(&Axis::new(2.302, 2.309, 4, 0.0)), ["2.302", "2.304", "2.306", "2.308"]);
        // Steps are whole.
        assert_eq!(texts(&Axis::new(0.0, 3.0, 8, 1.0)), ["0", "1", "2", "3"]);
    }

    #[test]
    fn one_number_has_an_axis_too() {
        let (low, high) = reach(&[(2.5, 2.5)]);
        assert!(low < 2.5 && high > 2.5);
        assert!(texts(&Axis::new(low, high, 5, 0.0)).len() >= 2);
        assert_eq!(Axis::new(0.0, 0.0, 5, 1.0).place(0.0), 0.0);
    }

    #[test]
    fn one_run_that_went_wrong_does_not_flatten_the_others() {
        let (_, high) = reach(&[(1.4, 2.0), (1.5, 3.6)]);
        assert!(high > 3.6, "{high}");
        let (low, high) = reach(&[(1.4, 2.0), (1.5, 90.0), (1.3, 2.2)]);
        assert!(low < 1.3 && high > 2.2 && high < 3.0, "{low} {high}");
        // There is nobody whom it could harm.
        assert!(reach(&[(1.4, 90.0)]).1 > 90.0);
    }
}
