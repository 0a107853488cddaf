//! Batch size and sequence length, fitted to a short text where they aren't given.

use charloom_data::Corpus;
use charloom_train::RunConfig;

use crate::corpus_hints::shortest_part;
use crate::report::{Result, print_status};
use crate::settings::{self, Layer, Layers};

const N: &str = "data.batch_size";
const T: &str = "data.seq_length";

/// The settings with a smaller batch size or sequence length, if neither a layer gives it nor a batch of the defaults fits the
/// text. In all other cases they are unchanged.
pub fn batches(layers: Layers, config: RunConfig, corpus: &Corpus) -> Result<(Layers, RunConfig)> {
    let batch = config.data.batch();
    let Some(shortest) = shortest_part(corpus, &config.data) else { return Ok((layers, config)) };
    let [free_n, free_t] = [N, T].map(|key| layers.level(key).is_none());
    let fitted = batch.shrunk_to(shortest, 1, free_n, free_t.then_some(1));
    if fitted == batch || fitted.batches_of(shortest) == 0 {
        return Ok((layers, config));
    }
    let sizes = [(free_n, N, fitted.batch_size), (free_t, T, fitted.seq_length)];
    let sizes = sizes.into_iter().filter(|(free, ..)| *free);
    let sizes = sizes.map(|(_, key, size)| (key.to_owned(), (size as i64).into()));
    let layers = layers.over(Layer::fitted(sizes)?);
    let config = settings::resolve(&layers)?;
    print_status!(
        "note   the text is short: N = {}, T = {} (`--batch-size`, `--seq-length`)",
        fitted.batch_size,
        fitted.seq_length
    );
    Ok((layers, config))
}
