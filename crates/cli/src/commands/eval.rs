//! `charloom eval`.

use std::ops::ControlFlow;

use charloom_data::{Batches, Corpus, Part, Split, TextStats, Validation};
use charloom_infer::{EvaluateError, Evaluation, evaluate, evaluate_rows};
use charloom_train::RunConfig;
use indicatif::{ProgressBar, ProgressStyle};

use super::model::Chosen;
use super::text::corpus_failure;
use crate::args::EvalArgs;
use crate::report::{Failure, Result, answer, grouped};
use crate::settings;
use crate::threads;

/// Measures how well a model predicts a text.
pub fn run(args: &EvalArgs) -> Result<()> {
    let EvalArgs { model, text, split, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let chosen = Chosen::load(model, &device)?;
    match (text, split) {
        (Some(text), None) => {
            let corpus = Corpus::read_with_vocab(text, &chosen.model.vocab)
                .map_err(|error| corpus_failure(&error))?;
            let found = measure(corpus.chars(), |progress| {
                evaluate(&chosen.model.network, corpus.ids(), progress)
            })?;
            answer!("model       {}", chosen.path.display())?;
            let lines = grouped(TextStats::of(&corpus).lines);
            answer!("text        {}, {lines} lines", text.display())?;
            print(&found)
        }
        (text, split) => {
            let mut config = settings::resolve(&chosen.settings()?)?;
            if let Some(text) = text {
                config.data.text.clone_from(text);
            }
            let part = split.map_or(Part::Valid, Part::from);
            let found = evaluate_part(&chosen, &config, part)?;
            answer!("model       {}", chosen.path.display())?;
            answer!("text        {part} of {}", config.data.text.display())?;
            print(&found)
        }
    }
}

/// Evaluates a part of the text that the model was trained on, as its training does.
fn evaluate_part(chosen: &Chosen, config: &RunConfig, part: Part) -> Result<Evaluation> {
    let (model, path) = (&chosen.model, &config.data.text);
    let corpus =
        Corpus::read_with_vocab(path, &model.vocab).map_err(|error| corpus_failure(&error))?;
    if model.summary.text_sha256.as_deref().is_some_and(|sha256| sha256 != corpus.sha256()) {
        return Err(Failure::request(format!(
            "`{}` is not the text that the model was trained on: {part} would be another",
            path.display()
        ))
        .hint("`--text FILE` without `--split` evaluates the whole of any text"));
    }
    let fractions = config.data.fractions().map_err(|error| Failure::request_error(&error))?;
    let range = Split::new(corpus.chars(), fractions).range(part);
    if range.is_empty() {
        let failure = Failure::request(format!("{part} of `{}` is empty", path.display()));
        return Err(match part {
            Part::Test => failure.hint("the run held out no test part (`data.test_fraction`)"),
            _ => failure,
        });
    }
    let ids = corpus.ids().slice(range);
    match config.data.validation {
        Validation::All => measure(ids.len(), |progress| evaluate(&model.network, &ids, progress)),
        Validation::Rows => {
            let batches = Batches::new(ids, config.data.batch())
                .map_err(|error| Failure::request_error(&error.in_part(part)))?;
            measure(batches.len(), |progress| evaluate_rows(&model.network, &batches, progress))
        }
    }
}

/// Runs an evaluation under a progress bar.
fn measure(
    length: usize,
    evaluate: impl FnOnce(
        &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Evaluation, EvaluateError>,
) -> Result<Evaluation> {
    let style = ProgressStyle::with_template("[{bar:30}] {percent} %, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length as u64).with_style(style);
    let found = evaluate(&mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    found.map_err(|error| match error {
        EvaluateError::TooShort { .. } => Failure::request_error(&error),
        _ => Failure::work_error(&error),
    })
}

fn print(found: &Evaluation) -> Result<()> {
    answer!("characters  {} predicted", grouped(found.chars as u64))?;
    answer!("loss        {:.4} nats per character", found.loss)?;
    answer!("            {:.4} bits per character", found.bits_per_char())?;
    answer!("perplexity  {:.3}", found.perplexity())?;
    answer!("accuracy    {:.2} %", 100.0 * found.accuracy)
}
