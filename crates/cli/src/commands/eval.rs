//! `charloom eval`.

use std::ops::ControlFlow;

use charloom_data::{Batches, Corpus, Ids, Part, TextStats, UNKNOWN_MARK, Validation};
use charloom_infer::{
    EvaluateError, Evaluation, LanguageModel, evaluate, evaluate_rows, evaluate_windows,
    unknown_char_nll,
};
use charloom_train::{AdaptConfig, RunConfig, evaluate_adaptively};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{EvalArgs, UnknownArg};
use crate::loaded_ensemble::LoadedEnsemble;
use crate::read_text::{other_text, read_corpus_with_vocab};
use crate::report::{Failure, Result, print_output, with_thousands};
use crate::settings;
use crate::threads;

mod mix;

/// Measures how well a model, or the average of several, predicts a text.
pub fn run(args: &EvalArgs) -> Result<()> {
    let EvalArgs { models, text, format, unknown, split, window, mix, adapt, device } = args;
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let loaded = LoadedEnsemble::load(models, &device)?;
    let (mut trained_on, mut skipped) = (None, 0);
    let (ids, batches, about) = match (&text[..], split) {
        ([_, ..], None) => {
            if *mix {
                return Err(Failure::request(
                    "`--mix` needs the text that the model was trained on",
                )
                .hint("leave out `--text`, or add `--split valid`"));
            }
            let data = other_text(&loaded, text.clone(), format)?;
            let vocab = loaded.ensemble.vocab();
            let corpus = read_corpus_with_vocab(&data, vocab, *unknown, usize::MAX)?;
            skipped = corpus.skipped();
            let lines = with_thousands(TextStats::of(&corpus).lines);
            (corpus.ids().clone(), None, format!("{}, {lines} lines", data.text))
        }
        (text, split) => {
            let mut config = settings::resolve(&loaded.settings()?.over_flags(format)?)?;
            if !text.is_empty() {
                config.data.text = text.to_vec().into();
            }
            let part = split.map_or(Part::Valid, Part::from);
            let corpus = corpus_of(&loaded, &config)?;
            let ids = ids_of_part(&loaded, &config, &corpus, part)?;
            let batches = match config.data.validation {
                Validation::All => None,
                Validation::Rows => Some(
                    Batches::new(ids.clone(), config.data.batch())
                        .map_err(|error| Failure::request_error(&error.in_part(part)))?,
                ),
            };
            let about = format!("{part} of {}", config.data.text);
            trained_on = Some((config, corpus));
            (ids, batches, about)
        }
    };
    let adapt = adapt.config();
    // The weights adapt to all characters in turn, and a mixture predicts all of them: there are no rows.
    let fixed = match (window, batches.filter(|_| adapt.is_none() && !mix)) {
        (Some(window), _) => measure(ids.len(), |progress| {
            evaluate_windows(&loaded.ensemble, &ids, (*window).into(), progress)
        })?,
        (None, Some(batches)) => {
            measure(batches.len(), |progress| evaluate_rows(&loaded.ensemble, &batches, progress))?
        }
        (None, None) => measure(ids.len(), |progress| evaluate(&loaded.ensemble, &ids, progress))?,
    };
    let mixture = match trained_on.filter(|_| *mix) {
        Some((config, corpus)) => Some(mix::evaluate(&loaded, &config, &corpus, &ids)?),
        None => None,
    };
    let adaptive = adapt.map(|config| adaptive(&loaded, &ids, &config)).transpose()?;
    let fixed = fixed.with_unknown(skipped);
    let adaptive = adaptive.map(|found| found.with_unknown(skipped));

    let heads = [if loaded.models.len() == 1 { "model" } else { "models" }];
    let heads = heads.into_iter().chain(std::iter::repeat(""));
    for (head, model) in heads.zip(&loaded.models) {
        print_output!("{head:<12}{}", model.path.display())?;
    }
    print_output!("text        {about}")?;
    print_output!(
        "characters  {} predicted{}",
        with_thousands(fixed.chars as u64),
        of_them_unknown(skipped)
    )?;
    match (adaptive, mixture) {
        (Some(adaptive), _) => print_both(&fixed, &adaptive),
        (None, Some(mixture)) => mixture.print(&fixed),
        (None, None) => print(&fixed),
    }
}

/// The text that the settings name, in the models' ids.
pub(super) fn corpus_of(loaded: &LoadedEnsemble, config: &RunConfig) -> Result<Corpus> {
    read_corpus_with_vocab(
        &config.data,
        loaded.ensemble.vocab(),
        Some(UnknownArg::Error).filter(|_| !has_unknown_mark(loaded)),
        usize::MAX,
    )
}

/// The ids of a part of `corpus`, the text that the models were trained on, held out as their trainings did.
pub(super) fn ids_of_part(
    loaded: &LoadedEnsemble,
    config: &RunConfig,
    corpus: &Corpus,
    part: Part,
) -> Result<Ids> {
    let text = &config.data.text;
    let range_of = |config: &RunConfig| {
        let fractions = config.data.fractions().map_err(|error| Failure::request_error(&error))?;
        Ok::<_, Failure>(corpus.split(fractions).range(part))
    };
    let range = range_of(config)?;
    for model in &loaded.models {
        let of_another = |sha256: &str| sha256 != corpus.sha256();
        if model.model.summary.text_sha256.as_deref().is_some_and(of_another) {
            let the_model = match &loaded.models[..] {
                [_] => "the model".to_owned(),
                _ => format!("the model `{}`", model.path.display()),
            };
            return Err(Failure::request(format!(
                "`{text}` is not the text that {the_model} was trained on: {part} would be another"
            ))
            .hint("`--text FILE` without `--split` evaluates the whole of any text"));
        }
        // A model that was trained on what another held out would look better than it is.
        if range_of(&settings::resolve(&model.settings()?)?)? != range {
            return Err(Failure::request(format!(
                "{part} of `{text}` is not the same for all models: the run of `{}` split it differently",
                model.path.display()
            ))
            .hint("`--text FILE` without `--split` evaluates the whole of any text"));
        }
    }
    if range.is_empty() {
        let failure = Failure::request(format!("{part} of `{text}` is empty"));
        return Err(match part {
            Part::Test => failure.hint("the run held out no test part (`data.test_fraction`)"),
            _ => failure,
        });
    }
    Ok(corpus.ids().slice(range))
}

fn has_unknown_mark(loaded: &LoadedEnsemble) -> bool {
    loaded.ensemble.vocab().id(UNKNOWN_MARK).is_some()
}

/// How many of the characters are unknown to the model, unless none are.
pub(super) fn of_them_unknown(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!(
            ", {} of them unknown to the model (at {:.2} nats each)",
            with_thousands(count as u64),
            unknown_char_nll()
        ),
    }
}

/// Evaluates while the weights adapt to the text.
fn adaptive(loaded: &LoadedEnsemble, ids: &Ids, config: &AdaptConfig) -> Result<Evaluation> {
    let adapt = |progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>| {
        evaluate_adaptively(&loaded.ensemble, ids, config, progress)
    };
    measure(ids.len(), adapt).map_err(|failure| {
        failure.hint("weights that adapt too fast diverge: use a lower `--adapt-lr`")
    })
}

/// Runs an evaluation under a progress bar.
pub(super) fn measure(
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
    print_output!("loss        {:.4} nats per character", found.loss)?;
    print_output!("            {:.4} bits per character", found.bits_per_char())?;
    print_output!("perplexity  {:.3}", found.perplexity())?;
    print_output!("accuracy    {:.2} %", 100.0 * found.accuracy)
}

/// The same of the weights as they were trained, and while they adapt.
fn print_both(fixed: &Evaluation, adaptive: &Evaluation) -> Result<()> {
    let row = |head: &str, digits: usize, number: fn(&Evaluation) -> f64, unit: &str| {
        let numbers = [fixed, adaptive].map(|found| format!("{:.digits$}", number(found)));
        let line = format!("{head:<12}{:<10}{:<10}{unit}", numbers[0], numbers[1]);
        print_output!("{}", line.trim_end())
    };
    print_output!("            static    adaptive")?;
    row("loss", 4, |found| found.loss, "nats per character")?;
    row("", 4, Evaluation::bits_per_char, "bits per character")?;
    row("perplexity", 3, Evaluation::perplexity, "")?;
    row("accuracy", 2, |found| 100.0 * found.accuracy, "%")
}
