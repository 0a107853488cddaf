//! Probabilities from logits, in f64: of one network, or the means of several.

use thiserror::Error;

/// The logits hold NaN or plus infinity, or none of them is finite.
///
/// Minus infinity is a probability of zero, and is fine as long as another logit is finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the network's logits are not finite numbers, so no character has a probability")]
pub struct NonFiniteLogits;

/// The id of the largest logit (of equals, the lowest id) and that logit.
pub(crate) fn argmax(logits: &[f32]) -> Result<(u32, f64), NonFiniteLogits> {
    let (mut argmax, mut max) = (0, f32::NEG_INFINITY);
    for (id, &logit) in (0..).zip(logits) {
        if logit.is_nan() || logit == f32::INFINITY {
            return Err(NonFiniteLogits);
        }
        if logit > max {
            (argmax, max) = (id, logit);
        }
    }
    if max.is_finite() { Ok((argmax, max.into())) } else { Err(NonFiniteLogits) }
}

/// ln softmax of logits `[V]` into `out`.
pub(crate) fn log_softmax(logits: &[f32], out: &mut Vec<f64>) -> Result<(), NonFiniteLogits> {
    let (max, log_sum) = normaliser(logits)?;
    out.clear();
    out.extend(logits.iter().map(|&logit| f64::from(logit) - max - log_sum));
    Ok(())
}

/// −ln p of one id under the softmax of logits `[V]`, in nats.
pub(crate) fn nll(logits: &[f32], id: usize) -> Result<f64, NonFiniteLogits> {
    let (max, log_sum) = normaliser(logits)?;
    // In this order, an id that is certain costs 0, and not −0.
    Ok(log_sum - (f64::from(logits[id]) - max))
}

/// ln of the mean of several softmaxes into `out`, given the logits `[V]` of each of K networks, K ≥ 1.
pub(crate) fn log_mean_softmax(
    logits: &[&[f32]],
    out: &mut Vec<f64>,
) -> Result<(), NonFiniteLogits> {
    if let [logits] = logits {
        return log_softmax(logits, out);
    }
    let normalisers = normalisers(logits)?;
    out.clear();
    let v = logits.first().map_or(0, |logits| logits.len());
    out.extend((0..v).map(|id| log_mean_prob(logits, &normalisers, id)));
    Ok(())
}

/// −ln of the mean of the probabilities that K ≥ 1 networks with these logits `[V]` give an id, in nats.
pub(crate) fn mean_nll(logits: &[&[f32]], id: usize) -> Result<f64, NonFiniteLogits> {
    if let [logits] = logits {
        return nll(logits, id);
    }
    // Not −0 for an id that is certain.
    Ok(0.0 - log_mean_prob(logits, &normalisers(logits)?, id))
}

fn normalisers(logits: &[&[f32]]) -> Result<Vec<(f64, f64)>, NonFiniteLogits> {
    logits.iter().map(|logits| normaliser(logits)).collect()
}

/// ln (1/K · Σ p), computed from the largest ln p on: the powers of all of them may be too small for an f64.
fn log_mean_prob(logits: &[&[f32]], normalisers: &[(f64, f64)], id: usize) -> f64 {
    let log_probs = logits
        .iter()
        .zip(normalisers)
        .map(|(logits, (max, log_sum))| f64::from(logits[id]) - max - log_sum);
    let largest = log_probs.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = log_probs.map(|log_prob| (log_prob - largest).exp()).sum();
    largest + (sum / logits.len() as f64).ln()
}

/// The largest logit m, and ln Σ exp(logit − m): without m, exp could overflow.
fn normaliser(logits: &[f32]) -> Result<(f64, f64), NonFiniteLogits> {
    let (_, max) = argmax(logits)?;
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    Ok((max, sum.ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argmax_of_equals_is_the_lowest_id() {
        assert_eq!(argmax(&[-7.0, -3.0, -9.0, -3.0]), Ok((1, -3.0)));
    }

    #[test]
    fn probabilities_are_in_proportion_to_the_powers_of_the_logits() {
        let logits = [1.0f32, 2.0, 5.0].map(f32::ln);
        let mut log_probs = Vec::new();
        log_softmax(&logits, &mut log_probs).unwrap();
        for (id, (log_prob, expected)) in log_probs.iter().zip([0.125, 0.25, 0.625]).enumerate() {
            assert!((log_prob.exp() - expected).abs() < 1e-7);
            assert_eq!(nll(&logits, id).unwrap(), -log_prob);
        }
    }

    #[test]
    fn the_mean_is_that_of_the_probabilities_and_not_of_the_logits() {
        // 0.5, 0.25, 0.25 and 0.1, 0.1, 0.8.
        let (one, other) = ([2.0f32, 1.0, 1.0].map(f32::ln), [1.0f32, 1.0, 8.0].map(f32::ln));
        let mut log_probs = Vec::new();
        log_mean_softmax(&[&one, &other], &mut log_probs).unwrap();
        for (id, (log_prob, expected)) in log_probs.iter().zip([0.3, 0.175, 0.525]).enumerate() {
            assert!((log_prob.exp() - expected).abs() < 1e-7);
            assert_eq!(mean_nll(&[&one, &other], id).unwrap(), -log_prob);
        }
        let mut alone = Vec::new();
        log_softmax(&one, &mut alone).unwrap();
        log_mean_softmax(&[&one], &mut log_probs).unwrap();
        assert_eq!(log_probs, alone);
        assert_eq!(mean_nll(&[&one], 1), nll(&one, 1));
    }

    #[test]
    fn a_mean_is_as_small_as_its_terms_and_zero_only_if_all_of_them_are() {
        let (sure, surer) = ([0.0, -2000.0, f32::NEG_INFINITY], [0.0, -3000.0, f32::NEG_INFINITY]);
        let mut log_probs = Vec::new();
        log_mean_softmax(&[&sure, &surer], &mut log_probs).unwrap();
        assert!((log_probs[1] - (-2000.0 - 2f64.ln())).abs() < 1e-9);
        assert_eq!([log_probs[0], log_probs[2]], [0.0, f64::NEG_INFINITY]);
        assert_eq!(mean_nll(&[&sure, &surer], 0).unwrap().to_bits(), 0);
    }

    #[test]
    fn one_network_that_diverged_spoils_the_mean() {
        let logits: [&[f32]; 2] = [&[1.0, 2.0], &[1.0, f32::NAN]];
        assert_eq!(log_mean_softmax(&logits, &mut Vec::new()), Err(NonFiniteLogits));
        assert_eq!(mean_nll(&logits, 0), Err(NonFiniteLogits));
    }

    #[test]
    fn the_largest_logits_do_not_overflow_and_an_impossible_character_costs_infinity() {
        let logits = [f32::MAX, f32::MIN, f32::NEG_INFINITY];
        assert_eq!(nll(&logits, 0), Ok(0.0));
        assert!(nll(&logits, 1).unwrap().is_finite());
        assert_eq!(nll(&logits, 2), Ok(f64::INFINITY));
    }

    #[test]
    fn logits_that_are_not_finite_are_an_error() {
        let bad: [&[f32]; 4] =
            [&[1.0, f32::NAN], &[0.0, f32::INFINITY], &[f32::NEG_INFINITY; 3], &[]];
        for logits in bad {
            assert_eq!(argmax(logits), Err(NonFiniteLogits));
            assert_eq!(log_softmax(logits, &mut Vec::new()), Err(NonFiniteLogits));
            assert_eq!(nll(logits, 0), Err(NonFiniteLogits));
        }
    }
}
