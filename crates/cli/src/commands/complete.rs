//! `charloom complete`.

use std::num::NonZeroUsize;

use charloom_data::EscapedChar;
use charloom_infer::{BeamConfig, beam_search};

use super::generate::{failure, unescaped};
use super::model::Chosen;
use super::predict::shown;
use crate::args::{CompleteArgs, SearchArgs};
use crate::report::{Failure, Result, answer, say};
use crate::threads;

/// The default beam width.
const BEAM_WIDTH: u16 = 50;

/// Finds the most likely continuations of a prompt.
pub fn run(args: &CompleteArgs) -> Result<()> {
    let CompleteArgs { model, search, device } = args;
    let SearchArgs { prompt, count, length, beam_width, stop } = search;
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
    let chosen = Chosen::load(model, &device)?;
    let size = |number: u16| NonZeroUsize::new(number.into()).unwrap_or(NonZeroUsize::MIN);
    let config = BeamConfig {
        prompt: prompt.clone(),
        length: usize::from(*length),
        stop: stop.as_deref().map(unescaped),
        count: size(*count),
        beam_width: size(beam_width.unwrap_or(BEAM_WIDTH.max(*count))),
    };
    let found = beam_search(&chosen.model, &config).map_err(|error| failure(&error))?;

    let dim = anstyle::Style::new().dimmed();
    say!("{dim}{}{dim:#}", chosen.path.display());
    say!("{dim}prob\tprob/char\ttext{dim:#}");
    for one in &found {
        let text: String = one.text.chars().map(|char| EscapedChar(char).to_string()).collect();
        answer!("{}\t{}\t{text}", shown(one.probability()), shown(one.probability_per_char()))?;
    }
    Ok(())
}
