//! `charloom eval`.

use std::ops::ControlFlow;

use charloom_data::{Batches, Corpus, Part, Split, TextStats, Validation};
use charloom_infer::{EvaluateError, Evaluation, evaluate, evaluate_rows};
use charloom_train::RunConfig;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::EvalArgs;
use crate::corpus_hints::corpus_failure;
use crate::loaded_model::LoadedModel;
use crate::report::{Failure, Result, print_output, with_thousands};
use crate::settings;
use crate::threads;

/// Measures how well a model predicts a text.
pub fn run(args: &EvalArgs) -> Result<()> {
    let EvalArgs { model, text, split, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let loaded = LoadedModel::load(model, &device)?;
    match (text, split) {
        (Some(text), None) => {
            let corpus = Corpus::read_with_vocab(text, &loaded.model.vocab)
                .map_err(|error| corpus_failure(&error))?;
            let found = measure(corpus.chars(), |progress| {
                evaluate(&loaded.model.network, corpus.ids(), progress)
            })?;
            print_output!("model       {}", loaded.path.display())?;
            let lines = with_thousands(TextStats::of(&corpus).lines);
            print_output!("text        {}, {lines} lines", text.display())?;
            print(&found)
        }
        (text, split) => {
            let mut config = settings::resolve(&loaded.settings()?)?;
            if let Some(text) = text {
                config.data.text.clone_from(text);
            }
            let part = split.map_or(Part::Valid, Part::from);
            let found = evaluate_part(&loaded, &config, part)?;
            print_output!("model       {}", loaded.path.display())?;
            print_output!("text        {part} of {}", config.data.text.display())?;
            print(&found)
        }
    }
}

/// Evaluates a part of the text that the model was trained on, as its training does.
pub(super) fn evaluate_part(
    loaded: &LoadedModel,
    config: &RunConfig,
    part: Part,
) -> Result<Evaluation> {
    let (model, path) = (&loaded.model, &config.data.text);
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
    print_output!("characters  {} predicted", with_thousands(found.chars as u64))?;
    print_output!("loss        {:.4} nats per character", found.loss)?;
    print_output!("            {:.4} bits per character", found.bits_per_char())?;
    print_output!("perplexity  {:.3}", found.perplexity())?;
    print_output!("accuracy    {:.2} %", 100.0 * found.accuracy)
}
