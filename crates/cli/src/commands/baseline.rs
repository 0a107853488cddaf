//! `charloom baseline`.

use std::io::{self, Write};
use std::time::Duration;

use charloom_data::{Corpus, Fractions, Ids, Part};
use charloom_infer::{
    LanguageModel, NGram, NGramError, OrderLoss, bits_per_char, evaluate, perplexity,
};
use charloom_train::RunConfig;
use indicatif::ProgressBar;
use lzma_rust2::{Lzma2Options, Lzma2Writer, LzmaOptions};

use super::eval::{ids_of_part, measure};
use crate::args::BaselineArgs;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::read_text::read_corpus;
use crate::report::{Failure, Result, pluralize, print_output};
use crate::settings::{self, Layers};
use crate::threads;

/// A method and its loss on the validation part, in nats per character.
type Row = (String, f64);

/// Measures how well simple methods, and a model, predict the validation part of a text.
pub fn run(args: &BaselineArgs) -> Result<()> {
    threads::limit(args.device.threads)?;
    let loaded = args.model().map(|model| {
        let device = args.device.backend.open(args.device.device)?;
        LoadedEnsemble::load(&model, &device)
    });
    let loaded = loaded.transpose()?;
    let layers = loaded.as_ref().map_or_else(|| Ok(Layers::new()), LoadedEnsemble::settings)?;
    let config = settings::resolve(&layers.clone().over_flags(&args.split)?)?;
    let corpus = read_corpus(&config.data)?;
    let fractions = config.data.fractions().map_err(|error| Failure::request_error(&error))?;
    let parts = Parts::of(&corpus, fractions)?;
    let network = loaded.map(|loaded| {
        let trained = settings::resolve(&layers)?;
        network(&loaded, &corpus, &config, &trained)
    });
    let network = network.transpose()?;

    let spinner = ProgressBar::new_spinner().with_message("counting n-grams, compressing");
    spinner.enable_steady_tick(Duration::from_millis(100));
    let (orders, xz) = rayon::join(|| parts.order_losses(args.max_order.into()), || parts.xz());
    spinner.finish_and_clear();
    let orders = orders?;
    let mut rows = vec![
        ("uniform".to_owned(), parts.uniform()),
        ("unigram".to_owned(), parts.unigram()),
        ("xz -9e".to_owned(), xz?),
    ];
    let best = OrderLoss::best(&orders);
    rows.extend(best.map(|best| (format!("n-gram, order {}", best.order), best.loss)));
    rows.extend(network);
    let [train, valid] =
        [&parts.train, &parts.valid].map(|part| pluralize(part.len(), "character"));
    print_output!("text        {}, {} distinct", config.data.text, parts.vocab_size())?;
    print_output!("training    {train}")?;
    print_output!("validation  {valid}\n")?;
    print_table("method", &rows)?;
    print_output!("")?;
    let orders = orders.iter().map(|of| (of.order.to_string(), of.loss));
    print_table("n-gram order", &orders.collect::<Vec<_>>())
}

/// The loss of a model, on the same characters as every other row: however its run was validated, on all of them.
///
/// `trained` has the settings of its training. It must have held out these characters.
fn network(
    loaded: &LoadedEnsemble,
    corpus: &Corpus,
    config: &RunConfig,
    trained: &RunConfig,
) -> Result<Row> {
    let sha256s = loaded.models.iter().filter_map(|of| of.model.summary.text_sha256.as_ref());
    for sha256 in sha256s {
        if sha256 != corpus.sha256() {
            return Err(Failure::request(format!(
                "`{}` is not the text that the model was trained on",
                config.data.text
            ))
            .hint("leave out `--text` to compare the model on its own text, or compare no model"));
        }
        if config.data.fractions().ok() != trained.data.fractions().ok() {
            return Err(Failure::request("the model was trained with another validation part")
                .hint("leave out `--valid-fraction` and `--test-fraction`, or compare no model"));
        }
    }
    // A model may have its characters in an order of its own, as an imported one.
    let in_own_ids = match loaded.ensemble.vocab() == corpus.vocab() {
        true => None,
        false => Some(
            (corpus.with_vocab(loaded.ensemble.vocab()))
                .map_err(|error| Failure::request_error(&error))?,
        ),
    };
    let ids = ids_of_part(loaded, config, in_own_ids.as_ref().unwrap_or(corpus), Part::Valid)?;
    let found = measure(ids.len(), |progress| evaluate(&loaded.ensemble, &ids, progress))?;
    Ok((loaded.paths(), found.loss))
}

/// The training part, which the methods see, and the validation part, which they predict.
struct Parts<'a> {
    corpus: &'a Corpus,
    train: Ids,
    valid: Ids,
}

impl<'a> Parts<'a> {
    /// The parts of a text, if the one is not empty and the other can be predicted.
    fn of(corpus: &'a Corpus, fractions: Fractions) -> Result<Self> {
        let split = corpus.split(fractions);
        let [train, valid] = [split.train, split.valid].map(|range| corpus.ids().slice(range));
        if train.is_empty() {
            return Err(Failure::request("the training part is empty")
                .hint("a smaller `--valid-fraction` leaves more for training"));
        }
        if valid.len() < 2 {
            let chars = pluralize(valid.len(), "character");
            return Err(Failure::request(format!(
                "the validation part has {chars}, but an evaluation needs at least 2"
            ))
            .hint("a larger `--valid-fraction` holds out more"));
        }
        Ok(Self { corpus, train, valid })
    }

    fn vocab_size(&self) -> usize {
        self.corpus.vocab().len()
    }

    /// ln V.
    fn uniform(&self) -> f64 {
        (self.vocab_size() as f64).ln()
    }

    /// With add-one smoothing: −ln of (c + 1) / (n + V), with c the count of the character among n of training.
    fn unigram(&self) -> f64 {
        let counts = self.train.counts(self.vocab_size());
        let total = (self.train.len() + self.vocab_size()) as f64;
        let nll = |id: u32| (total / (counts[id as usize] + 1) as f64).ln();
        self.valid.iter().skip(1).map(nll).sum::<f64>() / (self.valid.len() - 1) as f64
    }

    fn order_losses(&self, max_order: usize) -> Result<Vec<OrderLoss>> {
        NGram::order_losses(&self.train, &self.valid, 1, self.vocab_size(), max_order).map_err(
            |error| match error {
                NGramError::TooLong { .. } => Failure::request_error(&error),
                _ => Failure::work_error(&error),
            },
        )
    }

    /// The bytes that the validation part adds to the compressed training part, as nats per character.
    fn xz(&self) -> Result<f64> {
        let size = |text: &str| {
            compressed_size(text.as_bytes())
                .map_err(|error| Failure::work(format!("could not compress the text: {error}")))
        };
        let mut text = self.corpus.vocab().decode(&self.train);
        let train = size(&text)?;
        text += &self.corpus.vocab().decode(&self.valid);
        let both = size(&text)?;
        let bits = 8.0 * both.saturating_sub(train) as f64;
        Ok(bits * std::f64::consts::LN_2 / self.valid.len() as f64)
    }
}

/// The size in bytes of a text that is compressed as `xz -9e` compresses it, without xz's headers (LZMA2).
fn compressed_size(text: &[u8]) -> io::Result<u64> {
    let mut lzma = LzmaOptions {
        nice_len: LzmaOptions::NICE_LEN_MAX,
        depth_limit: 512,
        ..LzmaOptions::with_preset(9)
    };
    // No larger than the text: its memory is allocated at once.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    lzma.dict_size = lzma.dict_size.min(length.max(MIN_DICT_SIZE));
    let options = Lzma2Options { lzma_options: lzma, chunk_size: None };
    let mut writer = Lzma2Writer::new(Counter(0), options);
    writer.write_all(text)?;
    Ok(writer.finish()?.0)
}

/// The smallest dictionary of LZMA.
const MIN_DICT_SIZE: u32 = 4096;

/// Counts bytes, and drops them.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Prints rows of aligned columns.
fn print_table(title: &str, rows: &[Row]) -> Result<()> {
    let widths = rows.iter().map(|(name, _)| name.chars().count());
    let width = widths.chain([title.len(), 20]).max().unwrap_or_default();
    print_output!("{title:<width$}  nats/char  bits/char  perplexity")?;
    for (name, loss) in rows {
        let (bits, perplexity) = (bits_per_char(*loss), perplexity(*loss));
        print_output!("{name:<width$}  {loss:>9.4}  {bits:>9.4}  {perplexity:>10.3}")?;
    }
    Ok(())
}
