//! The three discounts of modified Kneser-Ney smoothing.

/// What is subtracted from a count of 1, of 2, and of 3 or more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Discounts([f64; 3]);

/// Used where a text is too small or too regular to estimate a discount from. KenLM falls back to the same.
const FALLBACK: [f64; 3] = [0.5, 1.0, 1.5];

impl Discounts {
    /// Estimates the discounts from the numbers n₁ to n₄ of n-grams that were counted once to four times (Chen & Goodman
    /// 1998): Dᵢ = i − (i + 1) · Y · nᵢ₊₁ / nᵢ with Y = n₁ / (n₁ + 2 n₂).
    ///
    /// An estimate that isn't between 0 and i is replaced: it would leave unseen characters without any probability, or
    /// seen ones with no more than they.
    pub fn estimate(counts: &[u32]) -> Self {
        let mut n = [0.0; 5];
        for &count in counts {
            if let Some(n) = n.get_mut(count as usize) {
                *n += 1.0;
            }
        }
        let y = n[1] / (n[1] + 2.0 * n[2]);
        Self(std::array::from_fn(|index| {
            let (i, count) = (index + 1, (index + 1) as f64);
            let discount = count - (count + 1.0) * y * n[i + 1] / n[i];
            // NaN, as after a division by zero, isn't between them either.
            if discount > 0.0 && discount < count { discount } else { FALLBACK[index] }
        }))
    }

    /// The discount of a count, which is at most the count.
    pub fn of(&self, count: u32) -> f64 {
        match count {
            0 => 0.0,
            1..=3 => self.0[count as usize - 1],
            _ => self.0[2],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_discounts_are_those_of_chen_and_goodman() {
        // n = 8, 4, 2, 1, so Y = 8 / 16.
        let counts = [vec![1; 8], vec![2; 4], vec![3; 2], vec![4; 1], vec![9; 5]].concat();
        let Discounts(found) = Discounts::estimate(&counts);
        assert_eq!(found, [1.0 - 2.0 * 0.5 * 0.5, 2.0 - 3.0 * 0.5 * 0.5, 3.0 - 4.0 * 0.5 * 0.5]);
        let of = |count| Discounts(found).of(count);
        assert_eq!(
            [of(0), of(1), of(2), of(3), of(70)],
            [0.0, found[0], found[1], found[2], found[2]]
        );
    }

    #[test]
    fn a_discount_that_cannot_be_estimated_has_a_default() {
        assert_eq!(Discounts::estimate(&[]), Discounts(FALLBACK));
        assert_eq!(Discounts::estimate(&[7, 8, 9]), Discounts(FALLBACK));
        // Nothing occurs three times, so that D₂ would be all of 2 and D₃ unknown.
        assert_eq!(Discounts::estimate(&[1, 1, 2]), Discounts([0.5, 1.0, 1.5]));
        // So many more threes than twos that D₂ would be negative.
        assert_eq!(Discounts::estimate(&[1, 2, 3, 3, 3, 3]).0[1], 1.0);
    }
}
