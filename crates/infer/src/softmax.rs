//! Probabilities from one row of logits, in f64.

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
