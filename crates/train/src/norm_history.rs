//! [`NormHistory`]: the gradient norms of the last steps.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The global norms of the gradients of the last steps, at most [`NormHistory::WINDOW`], before they were clipped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NormHistory(VecDeque<f64>);

impl NormHistory {
    /// Steps whose norms are kept.
    pub const WINDOW: usize = 1000;

    /// Whether there was no step yet.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the norm of a step, and forgets that of the step a window before.
    pub fn push(&mut self, norm: f64) {
        while self.0.len() >= Self::WINDOW {
            self.0.pop_front();
        }
        self.0.push_back(norm);
    }

    /// The `q`-quantile with linear interpolation, as `numpy.quantile` and `torch.quantile`; NaN where there is no norm.
    pub fn quantile(&self, q: f64) -> f64 {
        let mut sorted: Vec<f64> = self.0.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let place = q.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        match (sorted.get(below), sorted.get(above)) {
            (Some(below), Some(above)) => below + (above - below) * place.fract(),
            _ => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        let mut norms = NormHistory::default();
        assert!(norms.quantile(0.5).is_nan());
        for (norm, median) in [(3.0, 3.0), (1.0, 2.0), (2.0, 2.0), (4.0, 2.5), (8.0, 3.0)] {
            norms.push(norm);
            assert_eq!(norms.quantile(0.5), median);
        }
        // numpy.quantile([1, 2, 3, 4, 8], [0.1, 0.3, 0.9])
        for (q, expected) in [(0.1, 1.4), (0.3, 2.2), (0.9, 6.4)] {
            assert!((norms.quantile(q) - expected).abs() < 1e-12, "{q}");
        }
    }

    #[test]
    fn norms_of_more_than_a_window_ago_are_forgotten() {
        let mut norms = NormHistory::default();
        norms.push(1e6);
        for step in 0..NormHistory::WINDOW {
            assert_eq!(norms.quantile(1.0), 1e6, "step {step}");
            norms.push(1.0 + (step % 2) as f64);
        }
        assert_eq!(norms.quantile(1.0), 2.0);
        assert_eq!(norms.quantile(0.5), 1.5);
    }
}
