//! Telling texts apart by which of several models holds them for likeliest.

use crate::score::Score;

/// The model under which a text is likeliest, given its score under each: the one with the fewest nats;
/// of equals the first. None if there is no model, or the text has no character.
pub fn likeliest(scores: &[Score]) -> Option<usize> {
    let scores = scores.iter().enumerate().filter(|(_, score)| score.chars > 0);
    scores.min_by(|(_, left), (_, right)| left.nats.total_cmp(&right.nats)).map(|(index, _)| index)
}

/// How often texts of each of K classes were taken for one of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[K, K]`: row what it is, column what it was taken for.
    counts: Vec<usize>,
}

impl Confusion {
    /// Of no text yet.
    pub fn new(classes: usize) -> Self {
        Self { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a text.
    ///
    /// # Panics
    /// If either is not a class.
    pub fn add(&mut self, is: usize, taken_for: usize) {
        assert!(is < self.classes && taken_for < self.classes, "classes are 0..{}", self.classes);
        self.counts[is * self.classes + taken_for] += 1;
    }

    /// For each class, how often texts of this one were taken for it.
    ///
    /// # Panics
    /// If it is not a class.
    pub fn row(&self, is: usize) -> &[usize] {
        &self.counts[is * self.classes..(is + 1) * self.classes]
    }

    /// All texts.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// Those that were taken for what they are.
    pub fn right(&self) -> usize {
        (0..self.classes).map(|class| self.row(class)[class]).sum()
    }

    /// The part of the texts that were taken for what they are, 0 to 1; none of no text.
    pub fn accuracy(&self) -> Option<f64> {
        (self.total() > 0).then(|| self.right() as f64 / self.total() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(nats: f64, chars: usize) -> Score {
        Score { nats, chars, unknown: 0 }
    }

    #[test]
    fn the_likeliest_model_is_the_one_with_the_fewest_nats_and_of_equals_the_first() {
        assert_eq!(likeliest(&[score(3.0, 2), score(1.0, 2), score(1.0, 2)]), Some(1));
        assert_eq!(likeliest(&[score(f64::INFINITY, 2), score(90.0, 2)]), Some(1));
        assert_eq!(likeliest(&[score(0.0, 0), score(0.0, 0)]), None);
        assert_eq!(likeliest(&[]), None);
    }

    #[test]
    fn a_confusion_has_what_texts_are_in_its_rows() {
        let mut confusion = Confusion::new(3);
        assert_eq!(confusion.accuracy(), None);
        for (is, taken_for) in [(0, 0), (0, 2), (0, 2), (2, 2), (1, 0)] {
            confusion.add(is, taken_for);
        }
        assert_eq!([0, 1, 2].map(|is| confusion.row(is)), [[1, 0, 2], [1, 0, 0], [0, 0, 1]]);
        assert_eq!((confusion.right(), confusion.total()), (2, 5));
        assert_eq!(confusion.accuracy(), Some(0.4));
    }
}
