//! `charloom predict`.

mod page;
mod shade;

use std::io::{self, BufWriter, Write};

use anstream::{AutoStream, ColorChoice};
use charloom_data::{Corpus, EscapedChar, Vocab};
use charloom_infer::{CharPrediction, CharPredictions, PredictError, predict_chars};
use indicatif::{ProgressBar, ProgressStyle};

use self::shade::{Shade, stand_in};
use super::model::Chosen;
use super::text::corpus_failure;
use crate::args::{PageArgs, PredictArgs};
use crate::report::{Failure, Result, counted, grouped, say};
use crate::threads;

pub use self::shade::shown;

/// Guesses of each character, unless the user says how many.
const TOP: usize = 3;

/// Shows what the model expected at each character of a text.
pub fn run(args: &PredictArgs) -> Result<()> {
    let PredictArgs { model, page, device } = args;
    let PageArgs { text, top, length, html } = page;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let chosen = Chosen::load(model, &device)?;
    let vocab = &chosen.model.vocab;
    let corpus = Corpus::read_with_vocab(text, vocab).map_err(|error| corpus_failure(&error))?;
    let ids = match *length {
        0 => corpus.ids().clone(),
        length => corpus.ids().slice(0..length),
    };
    let guesses = top.unwrap_or(TOP);
    let predictions =
        predict_chars(&chosen.model, &ids, guesses).map_err(|error| failure(&error))?;
    // The text begins with a character that nothing comes before.
    let first = ids.get(0).and_then(|id| vocab.char(id)).unwrap_or(char::REPLACEMENT_CHARACTER);
    let bar = match html {
        Some(_) => ProgressBar::new(ids.len() as u64 - 1).with_style(
            ProgressStyle::with_template("[{bar:30}] {pos} of {len} characters, {eta} left")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        ),
        // What is printed shows how far it is.
        None => ProgressBar::hidden(),
    };
    let predicted = Predicted { vocab, first, predictions, sums: Sums::default(), bar };

    if ids.len() < corpus.chars() {
        say!(
            "the first {} of {} characters; `--length 0` reads all",
            grouped(ids.len() as u64),
            grouped(corpus.chars() as u64)
        );
    }
    let colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let sums = match html {
        Some(path) => {
            let (model, text) = (chosen.path.display(), text.display());
            page::write(path, &text.to_string(), &model.to_string(), predicted)?
        }
        None if colours && top.is_none() => text_in_colours(predicted)?,
        None => rows(predicted, colours)?,
    };
    say!("{}", sums.line());
    if let Some(path) = html {
        say!("wrote `{}`", path.display());
    }
    Ok(())
}

/// A text with its predictions.
struct Predicted<'a> {
    vocab: &'a Vocab,
    first: char,
    predictions: CharPredictions,
    sums: Sums,
    bar: ProgressBar,
}

impl Predicted<'_> {
    /// Hands each predicted character to `each`; all of them are in the sums then.
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

/// What is told of all characters together.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    chars: usize,
    nats: f64,
    hits: usize,
}

impl Sums {
    fn add(&mut self, prediction: &CharPrediction) {
        self.chars += 1;
        self.nats -= prediction.log_prob;
        self.hits += usize::from(prediction.correct);
    }

    fn line(&self) -> String {
        let loss = self.nats / self.chars as f64;
        format!(
            "{} predicted: {loss:.4} nats per character, perplexity {:.3}, accuracy {:.2} %",
            counted(self.chars, "character"),
            loss.exp(),
            100.0 * self.hits as f64 / self.chars as f64
        )
    }
}

/// Prints the text as it is, with colours.
fn text_in_colours(predicted: Predicted<'_>) -> Result<Sums> {
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

/// Prints a line for each character: the character, its probability, the guesses with theirs.
fn rows(predicted: Predicted<'_>, colours: bool) -> Result<Sums> {
    let vocab = predicted.vocab;
    let mut out = BufWriter::new(anstream::stdout().lock());
    writeln!(out, "`{}`\t-", EscapedChar(predicted.first)).map_err(Failure::output)?;
    let sums = predicted.for_each(|char, prediction| {
        let probability = prediction.log_prob.exp();
        let style = if colours { Shade::of(probability).style() } else { Default::default() };
        let guesses: String = (prediction.top.iter())
            .map(|guess| {
                format!(
                    "\t`{}` {}",
                    EscapedChar(char_of(vocab, guess.id)),
                    shown(guess.probability)
                )
            })
            .collect();
        writeln!(out, "{style}`{}`{style:#}\t{}{guesses}", EscapedChar(char), shown(probability))
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
