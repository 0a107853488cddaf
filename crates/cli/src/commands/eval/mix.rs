//! `eval --mix`: a network mixed with an n-gram model of its training text.

use charloom_data::{Corpus, Ids, Part};
use charloom_infer::{
    Evaluation, LanguageModel, Mixture, NGram, NGramError, OrderLoss, PredictError, mix,
    predict_chars,
};
use charloom_train::RunConfig;

use super::ids_of_part;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::report::{Failure, Result, print_output};

/// Longest n-grams that are tried.
const MAX_ORDER: usize = 10;
/// The share of the training part, at its end, that decides the order.
const TAIL: usize = 10;

/// An n-gram model and its mixture with a network.
pub struct Mixed {
    order: usize,
    ngram_loss: f64,
    mixture: Mixture,
}

/// Mixes the network with an n-gram model of the training part, on the text `ids`. The order of the n-grams is the best for the
/// last tenth of the training part, with counts of the rest.
pub fn evaluate(
    loaded: &LoadedEnsemble,
    config: &RunConfig,
    corpus: &Corpus,
    ids: &Ids,
) -> Result<Mixed> {
    let train = ids_of_part(loaded, config, corpus, Part::Train)?;
    let vocab_size = LanguageModel::vocab(&loaded.ensemble).len();
    let head = train.len() - train.len() / TAIL;
    let (head, tail) = (train.slice(0..head), train.slice(head..train.len()));
    let losses =
        NGram::order_losses(&head, &tail, 1, vocab_size, MAX_ORDER).map_err(ngram_failure)?;
    let order = OrderLoss::best(&losses).map_or(1, |best| best.order);
    let ngram = NGram::fit(&train, vocab_size, order).map_err(ngram_failure)?;
    let ngram = ngram.log_probs(ids, 1).map_err(ngram_failure)?;
    Ok(Mixed {
        order,
        ngram_loss: -ngram.iter().sum::<f64>() / ngram.len() as f64,
        mixture: mix(&network_log_probs(loaded, ids)?, &ngram),
    })
}

/// ln p of each character of a text but the first, under the network.
fn network_log_probs(loaded: &LoadedEnsemble, ids: &Ids) -> Result<Vec<f64>> {
    let predictions = predict_chars(&loaded.ensemble, ids, 0).map_err(predict_failure)?;
    let log_probs = predictions.map(|prediction| Ok(prediction.map_err(predict_failure)?.log_prob));
    log_probs.collect()
}

fn predict_failure(error: PredictError) -> Failure {
    match error {
        PredictError::TooShort { .. } => Failure::request_error(&error),
        _ => Failure::work_error(&error),
    }
}

fn ngram_failure(error: NGramError) -> Failure {
    match error {
        NGramError::Empty | NGramError::TooLong { .. } | NGramError::NothingToPredict => {
            Failure::request_error(&error)
        }
        _ => Failure::work_error(&error),
    }
}

impl Mixed {
    /// Prints the losses of the network, the n-gram model and both.
    pub fn print(&self, network: &Evaluation) -> Result<()> {
        let Self { order, ngram_loss, mixture: Mixture { loss, weight } } = *self;
        print_output!("loss        {:.4} nats per character of the network", network.loss)?;
        print_output!("            {ngram_loss:.4} of the n-gram model, order {order}")?;
        print_output!("            {loss:.4} of both; the network's weight ends at {weight:.2}")
    }
}
