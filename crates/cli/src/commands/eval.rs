//! `charloom eval`.

use std::ops::ControlFlow;

use charloom_data::{Corpus, TextStats};
use charloom_infer::{EvaluateError, evaluate_text};
use indicatif::{ProgressBar, ProgressStyle};

use super::model::Chosen;
use super::text::corpus_failure;
use crate::args::EvalArgs;
use crate::report::{Failure, Result, answer, grouped};
use crate::threads;

/// Measures how well a model predicts a text.
pub fn run(args: &EvalArgs) -> Result<()> {
    let EvalArgs { model, text, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let chosen = Chosen::load(model, &device)?;
    let corpus = Corpus::read_with_vocab(text, &chosen.model.vocab)
        .map_err(|error| corpus_failure(&error))?;

    let style = ProgressStyle::with_template("[{bar:30}] {pos} of {len} characters, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(corpus.chars() as u64).with_style(style);
    let done = evaluate_text(&chosen.model, corpus.ids(), &mut |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    let found = done.map_err(|error| match error {
        EvaluateError::TooShort { .. } => Failure::request_error(&error),
        _ => Failure::work_error(&error),
    })?;

    let lines = TextStats::of(&corpus).lines;
    answer!("model       {}", chosen.path.display())?;
    answer!("text        {}, {} lines", text.display(), grouped(lines))?;
    answer!("characters  {} predicted", grouped(found.chars as u64))?;
    answer!("loss        {:.4} nats per character", found.loss)?;
    answer!("            {:.4} bits per character", found.bits_per_char())?;
    answer!("perplexity  {:.3}", found.perplexity())?;
    answer!("accuracy    {:.2} %", 100.0 * found.accuracy)
}
