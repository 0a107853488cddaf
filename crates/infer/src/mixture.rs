//! A mixture of two models of the same text: `p = w · p₁ + (1 − w) · p₂` for each character.

/// Characters that the first weight, a half, counts for.
const PRIOR: f64 = 20.0;

/// Two models of a text, mixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture {
    /// The mean cross-entropy, in nats per character; NaN without any characters.
    pub loss: f64,
    /// The weight of the first model after the last character.
    pub weight: f64,
}

/// Mixes two models whose log-probabilities of a text's characters, in nats, are `first` and `second`.
///
/// The weight of the first starts at a half and follows the text: after each character it moves towards the first model's share
/// in that character's probability, by 1 / (t + 20) after t characters (online expectation maximisation; Cappé and Moulines 2009).
/// So no character is seen before it is predicted, and nothing need be held out. A weight that were fitted on text that a network
/// was trained on would be all the network's.
///
/// # Panics
/// If the models predict different numbers of characters.
pub fn mix(first: &[f64], second: &[f64]) -> Mixture {
    assert_eq!(first.len(), second.len(), "both models predict the same characters");
    let (mut weight, mut nll) = (0.5f64, 0.0);
    for (t, (first, second)) in first.iter().zip(second).enumerate() {
        // With the larger of both taken out, nothing underflows.
        let max = first.max(*second);
        let (of_first, of_second) =
            (weight * (first - max).exp(), (1.0 - weight) * (second - max).exp());
        nll -= max + (of_first + of_second).ln();
        let share = of_first / (of_first + of_second);
        weight += (share - weight) / (t as f64 + 1.0 + PRIOR);
    }
    Mixture { loss: nll / first.len() as f64, weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_weight_are_those_worked_by_hand() {
        let (first, second) = ([0.5f64, 0.25].map(f64::ln), [0.1f64, 0.75].map(f64::ln));
        // 0.5 · 0.5 + 0.5 · 0.1 = 0.3; the first model's share is 0.25 / 0.3.
        let weight: f64 = 0.5 + (0.25 / 0.3 - 0.5) / 21.0;
        let second_probability = weight * 0.25 + (1.0 - weight) * 0.75;
        let after = weight + (weight * 0.25 / second_probability - weight) / 22.0;
        let found = mix(&first, &second);
        let expected = -(0.3f64.ln() + second_probability.ln()) / 2.0;
        assert!((found.loss - expected).abs() < 1e-12, "{found:?}, expected {expected}");
        assert!((found.weight - after).abs() < 1e-12, "{found:?}, expected {after}");
    }

    #[test]
    fn two_models_that_are_good_at_different_characters_are_better_together() {
        let first: Vec<f64> = (0..500).map(|i| if i % 3 == 0 { -0.1 } else { -2.0 }).collect();
        let second: Vec<f64> = (0..500).map(|i| if i % 3 == 0 { -3.0 } else { -0.5 }).collect();
        let mean = |values: &[f64]| -values.iter().sum::<f64>() / values.len() as f64;
        let mixed = mix(&first, &second);
        assert!(mixed.loss < mean(&first).min(mean(&second)) - 0.05, "{mixed:?}");
    }

    #[test]
    fn a_model_that_is_always_better_takes_all_the_weight() {
        let mixed = mix(&[-0.1; 5000], &[-2.0; 5000]);
        assert!(mixed.weight > 0.99 && mixed.loss < 0.12, "{mixed:?}");
    }

    #[test]
    fn impossible_characters_of_one_model_are_left_to_the_other() {
        let mixed = mix(&[f64::NEG_INFINITY, -1.0], &[-1.0, f64::NEG_INFINITY]);
        assert!(mixed.loss.is_finite(), "{mixed:?}");
    }
}
