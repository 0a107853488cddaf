//! Classifying texts by the model under which they are most likely.

use crate::score::Score;

/// The index of the model under which a text is most likely, given its score under each: the one with the
/// smallest NLL; of equals the first. `None` if there is no model, or the text has no character.
pub fn best_model(scores: &[Score]) -> Option<usize> {
    let scores = scores.iter().enumerate().filter(|(_, score)| score.chars > 0);
    scores.min_by(|(_, left), (_, right)| left.nll.total_cmp(&right.nll)).map(|(index, _)| index)
}

/// How often texts of each of K classes were assigned to each class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    /// `[K, K]`: a row for each actual class, a column for each predicted one.
    counts: Vec<usize>,
}

impl ConfusionMatrix {
    /// A matrix of zeros.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a text.
    ///
    /// # Panics
    /// Unless both are in `0..K`.
    pub fn add(&mut self, actual: usize, predicted: usize) {
        assert!(
            actual < self.classes && predicted < self.classes,
            "classes are 0..{}",
            self.classes
        );
        self.counts[actual * self.classes + predicted] += 1;
    }

    /// How often texts of class `actual` were assigned to each class, `[K]`.
    ///
    /// # Panics
    /// Unless it is in `0..K`.
    pub fn row(&self, actual: usize) -> &[usize] {
        &self.counts[actual * self.classes..(actual + 1) * self.classes]
    }

    /// Number of texts.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Number of texts that were assigned to their own class.
    pub fn correct(&self) -> usize {
        (0..self.classes).map(|class| self.row(class)[class]).sum()
    }

    /// The fraction of texts that were assigned to their own class, 0 to 1; `None` without a text.
    pub fn accuracy(&self) -> Option<f64> {
        (self.total() > 0).then(|| self.correct() as f64 / self.total() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(nll: f64, chars: usize) -> Score {
        Score { nll, chars, unknown: 0 }
    }

    #[test]
    fn the_best_model_has_the_smallest_nll_and_of_equals_is_the_first() {
        assert_eq!(best_model(&[score(3.0, 2), score(1.0, 2), score(1.0, 2)]), Some(1));
        assert_eq!(best_model(&[score(f64::INFINITY, 2), score(90.0, 2)]), Some(1));
        assert_eq!(best_model(&[score(0.0, 0), score(0.0, 0)]), None);
        assert_eq!(best_model(&[]), None);
    }

    #[test]
    fn the_rows_of_a_confusion_matrix_are_the_actual_classes() {
        let mut confusion = ConfusionMatrix::new(3);
        assert_eq!(confusion.accuracy(), None);
        for (actual, predicted) in [(0, 0), (0, 2), (0, 2), (2, 2), (1, 0)] {
            confusion.add(actual, predicted);
        }
        assert_eq!(
            [0, 1, 2].map(|actual| confusion.row(actual)),
            [[1, 0, 2], [1, 0, 0], [0, 0, 1]]
        );
        assert_eq!((confusion.correct(), confusion.total()), (2, 5));
        assert_eq!(confusion.accuracy(), Some(0.4));
    }
}
