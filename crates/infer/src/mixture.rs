//! A mixture of two models of the same text: `p = w · p₁ + (1 − w) · p₂` for each character.

/// The weight of the first of two models that makes a text most likely under their mixture, found by expectation maximisation.
///
/// `first` and `second` are the log-probabilities, in nats, that the models give to the text's characters. Without any
/// characters the weight is a half.
///
/// # Panics
/// If the models predict different numbers of characters.
pub fn fit_mixture_weight(first: &[f64], second: &[f64]) -> f64 {
    assert_eq!(first.len(), second.len(), "both models predict the same characters");
    let mut weight = 0.5;
    if first.is_empty() {
        return weight;
    }
    for _ in 0..ITERATIONS {
        let pairs = first.iter().zip(second);
        let responsibilities = pairs.map(|(&first, &second)| {
            // The second model's share is (1 − w) / w · p₂ / p₁ times the first's.
            1.0 / (1.0 + (1.0 - weight) / weight * (second - first).exp())
        });
        let next = responsibilities.sum::<f64>() / first.len() as f64;
        // At the ends nothing would change any more.
        let next = next.clamp(1e-6, 1.0 - 1e-6);
        if (next - weight).abs() < 1e-7 {
            return next;
        }
        weight = next;
    }
    weight
}

/// Each iteration raises the likelihood; a weight is found to 1e-3 in some tens.
const ITERATIONS: usize = 200;

/// The mean cross-entropy of the mixture, in nats per character; NaN without any characters.
///
/// # Panics
/// If the models predict different numbers of characters.
pub fn mixture_loss(first: &[f64], second: &[f64], weight: f64) -> f64 {
    assert_eq!(first.len(), second.len(), "both models predict the same characters");
    let nll = first.iter().zip(second).map(|(first, second)| {
        let (a, b) = (first + weight.ln(), second + (1.0 - weight).ln());
        let max = a.max(b);
        -(max + ((a - max).exp() + (b - max).exp()).ln())
    });
    nll.sum::<f64>() / first.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_is_that_of_the_weighted_probabilities() {
        let (first, second) = ([0.5f64, 0.25].map(f64::ln), [0.1f64, 0.75].map(f64::ln));
        // 0.8 · 0.5 + 0.2 · 0.1 = 0.42 and 0.8 · 0.25 + 0.2 · 0.75 = 0.35.
        let expected = -(0.42f64.ln() + 0.35f64.ln()) / 2.0;
        assert!((mixture_loss(&first, &second, 0.8) - expected).abs() < 1e-12);
    }

    #[test]
    fn no_weight_of_a_fine_grid_is_better_than_the_fitted_one() {
        let log = |i: u32, salt: u32| {
            let hash = (i * 2_654_435_761u32.wrapping_add(salt)) ^ (i << 7) ^ salt;
            (0.02 + 0.96 * f64::from(hash % 1000) / 1000.0).ln()
        };
        let first: Vec<f64> = (0..97).map(|i| log(i % 89, 12_345)).collect();
        let second: Vec<f64> = (0..97).map(|i| log(i % 83, 777)).collect();
        let weight = fit_mixture_weight(&first, &second);
        assert!((0.01..0.99).contains(&weight), "{weight}");
        let best = mixture_loss(&first, &second, weight);
        for step in 1..1000 {
            let other = mixture_loss(&first, &second, f64::from(step) / 1000.0);
            assert!(best <= other + 1e-9, "{weight}: {best}, {step}: {other}");
        }
    }

    #[test]
    fn a_model_that_is_always_better_takes_all_the_weight() {
        let weight = fit_mixture_weight(&[-0.1; 50], &[-2.0; 50]);
        assert!(weight > 0.99, "{weight}");
    }
}
