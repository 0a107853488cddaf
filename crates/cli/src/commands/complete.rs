//! `charloom complete`.

use std::num::NonZeroUsize;

use charloom_data::EscapedChar;
use charloom_infer::{BeamConfig, LanguageModel, beam_search};

use super::generate::failure;
use super::predict::shown;
use crate::args::{CompleteArgs, SearchArgs};
use crate::escapes::unescaped;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::read_text::{known_prompt, read_prompt};
use crate::report::{Failure, Result, print_output, print_status};
use crate::threads;

/// The default of `--beam-width`.
const BEAM_WIDTH: u16 = 50;

/// Finds the most likely continuations of a prompt.
pub fn run(args: &CompleteArgs) -> Result<()> {
    let CompleteArgs { models, search, device } = args;
    let SearchArgs { prompt, prompt_file, unknown, count, length, beam_width, stop } = search;
    if let Some(beam) = beam_width.filter(|beam| beam < count) {
        return Err(Failure::request(format!(
            "`--beam-width {beam}` is too narrow to find {count} continuations"
        ))
        .hint(format!(
            "use `--beam-width {count}` or more, or `-n {beam}` for fewer continuations"
        )));
    }
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let loaded = LoadedEnsemble::load(models, &device)?;
    let size = |number: u16| NonZeroUsize::new(number.into()).unwrap_or(NonZeroUsize::MIN);
    let prompt = match prompt_file {
        Some(file) => read_prompt(&loaded, file)?,
        None => unescaped("`--prompt`", prompt)?,
    };
    let prompt = known_prompt(prompt, loaded.ensemble.vocab(), *unknown)?;
    let stop = stop.as_deref().map(|typed| unescaped("`--stop`", typed)).transpose()?;
    let config = BeamConfig {
        prompt,
        length: usize::from(*length),
        stop,
        count: size(*count),
        beam_width: size(beam_width.unwrap_or(BEAM_WIDTH.max(*count))),
    };
    let found = beam_search(&loaded.ensemble, &config).map_err(|error| failure(&error))?;

    let dim = anstyle::Style::new().dimmed();
    print_status!("{dim}{}{dim:#}", loaded.paths());
    print_status!("{dim}prob\tprob/char\ttext{dim:#}");
    for hypothesis in &found {
        let text: String =
            hypothesis.text.chars().map(|char| EscapedChar(char).to_string()).collect();
        print_output!(
            "{}\t{}\t{text}",
            shown(hypothesis.probability()),
            shown(hypothesis.probability_per_char())
        )?;
    }
    Ok(())
}
