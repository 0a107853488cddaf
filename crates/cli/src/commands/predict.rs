//! `charloom predict`.

mod page;
mod shade;

use std::io::{self, BufWriter, Write};

use anstream::{AutoStream, ColorChoice};
use charloom_data::{EscapedChar, Vocab};
use charloom_infer::{
    CharPrediction, CharPredictions, LanguageModel, PredictError, predict_chars, unknown_char_nll,
};
use indicatif::{ProgressBar, ProgressStyle};

use self::shade::{Shade, stand_in};
use super::eval::of_them_unknown;
use crate::args::{PageArgs, PredictArgs};
use crate::loaded_ensemble::LoadedEnsemble;
use crate::read_text::{other_text, read_corpus_with_vocab};
use crate::report::{Failure, Result, pluralize, print_status};
use crate::threads;

pub use self::shade::shown;

/// The default of `--top`.
const TOP: usize = 3;

/// Shows the probability of each character of a text, and the most likely characters.
pub fn run(args: &PredictArgs) -> Result<()> {
    let PredictArgs { models, page, format, device } = args;
    let PageArgs { text, unknown, top, length, html } = page;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let loaded = LoadedEnsemble::load(models, &device)?;
    let vocab = loaded.ensemble.vocab();
    let data = other_text(&loaded, text.clone(), format)?;
    let limit = if *length == 0 { usize::MAX } else { *length };
    let corpus = read_corpus_with_vocab(&data, vocab, *unknown, limit)?;
    let ids = corpus.ids();
    let predictions = predict_chars(&loaded.ensemble, ids, top.unwrap_or(TOP))
        .map_err(|error| failure(&error))?;
    // The first character isn't predicted: nothing precedes it.
    let first = ids.get(0).and_then(|id| vocab.char(id)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let bar = match html {
        Some(_) => ProgressBar::new(ids.len() as u64 - 1).with_style(
            ProgressStyle::with_template("[{bar:30}] {pos} of {len} characters, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        ),
        // The output shows the progress.
        None => ProgressBar::hidden(),
    };
    let skipped = corpus.skipped();
    let sums = Sums { chars: skipped, nll: skipped as f64 * unknown_char_nll(), ..Sums::default() };
    let predicted = Predicted { vocab, first, predictions, sums, bar };

    if corpus.is_cut() {
        print_status!(
            "reading the first {} (`--length 0` reads all)",
            pluralize(*length, "character")
        );
    }
    let colored = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let sums = match html {
        Some(path) => page::write(path, &data.text.to_string(), &loaded.paths(), predicted)?,
        None if colored && top.is_none() => print_colored(predicted)?,
        None => print_rows(predicted, colored)?,
    };
    print_status!("{}{}", sums.line(), of_them_unknown(skipped));
    if let Some(path) = html {
        print_status!("wrote `{}`", path.display());
    }
    Ok(())
}

/// A text with its predictions, which are computed as they are read.
struct Predicted<'a> {
    vocab: &'a Vocab,
    first: char,
    predictions: CharPredictions,
    sums: Sums,
    bar: ProgressBar,
}

impl Predicted<'_> {
    /// Calls `each` with each predicted character; returns the sums over all of them.
    fn for_each(
        mut self,
        mut each: impl FnMut(char, &CharPrediction) -> Result<()>,
    ) -> Result<Sums> {
        for prediction in self.predictions.by_ref() {
            let prediction = prediction.map_err(|error| failure(&error))?;
            self.sums.add(&prediction);
            self.bar.inc(1);
            each(char_of(self.vocab, prediction.id), &prediction)?;
        }
        self.bar.finish_and_clear();
        Ok(self.sums)
    }
}

fn char_of(vocab: &Vocab, id: u32) -> char {
    vocab.char(id).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Sums over all predicted characters.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    chars: usize,
    /// Negative log-likelihood, in nats.
    nll: f64,
    correct: usize,
}

impl Sums {
    fn add(&mut self, prediction: &CharPrediction) {
        self.chars += 1;
        self.nll -= prediction.log_prob;
        self.correct += usize::from(prediction.correct);
    }

    /// Loss, perplexity and accuracy in one line.
    fn line(&self) -> String {
        let loss = self.nll / self.chars as f64;
        format!(
            "{} predicted: {loss:.4} nats per character, perplexity {:.3}, accuracy {:.2} %",
            pluralize(self.chars, "character"),
            loss.exp(),
            100.0 * self.correct as f64 / self.chars as f64
        )
    }
}

/// Prints the text with each character on the colour of its probability.
fn print_colored(predicted: Predicted<'_>) -> Result<Sums> {
    let legend = Shade::ALL.map(|shade| {
        let style = shade.style();
        format!("{style} {} {style:#}", shade.about())
    });
    let mut out = BufWriter::new(anstream::stdout().lock());
    let put = |out: &mut dyn Write, char, shade: Option<Shade>| {
        let style = shade.map(Shade::style).unwrap_or_default();
        match char {
            '\n' => writeln!(out, "{style}⏎{style:#}"),
            '\t' => write!(out, "{style}→{style:#}\t"),
            char => write!(out, "{style}{}{style:#}", stand_in(char).unwrap_or(char)),
        }
        .map_err(Failure::output)
    };
    writeln!(out, "{}\n", legend.join(" ")).map_err(Failure::output)?;
    put(&mut out, predicted.first, None)?;
    let sums = predicted.for_each(|char, prediction| {
        put(&mut out, char, Some(Shade::of(prediction.log_prob.exp())))
    })?;
    writeln!(out, "\n").and_then(|()| out.flush()).map_err(Failure::output)?;
    Ok(sums)
}

/// Prints a header and a row for each character: the character, its probability, the most likely characters with theirs.
fn print_rows(predicted: Predicted<'_>, colored: bool) -> Result<Sums> {
    let vocab = predicted.vocab;
    let dim = anstyle::Style::new().dimmed();
    print_status!("{dim}char\tprob\tmost likely characters{dim:#}");
    let mut out = BufWriter::new(anstream::stdout().lock());
    writeln!(out, "`{}`\t-", EscapedChar(predicted.first)).map_err(Failure::output)?;
    let sums = predicted.for_each(|char, prediction| {
        let probability = prediction.log_prob.exp();
        let style = if colored { Shade::of(probability).style() } else { Default::default() };
        let top: String = (prediction.top.iter())
            .map(|other| {
                format!(
                    "\t`{}` {}",
                    EscapedChar(char_of(vocab, other.id)),
                    shown(other.probability)
                )
            })
            .collect();
        writeln!(out, "{style}`{}`{style:#}\t{}{top}", EscapedChar(char), shown(probability))
            .map_err(Failure::output)
    })?;
    out.flush().map_err(Failure::output)?;
    Ok(sums)
}

fn failure(error: &PredictError) -> Failure {
    match error {
        PredictError::TooShort { .. } => Failure::request_error(error),
        _ => Failure::work_error(error),
    }
}
