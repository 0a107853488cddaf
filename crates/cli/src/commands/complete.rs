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

/// Unless the user says how wide.
const BEAM: u16 = 50;

/// Finds the likeliest continuations of a text.
pub fn run(args: &CompleteArgs) -> Result<()> {
    let CompleteArgs { model, search, device } = args;
    let SearchArgs { prime, count, length, beam, stop } = search;
    if let Some(beam) = beam.filter(|beam| beam < count) {
        return Err(Failure::request(format!(
            "`--beam {beam}` is too narrow to find {count} continuations"
        ))
        .hint(format!("`--beam {count}` or more can hold them, `-n {beam}` asks for fewer")));
    }
    threads::limit(device.threads)?;
    let device = device.backend.open(device.device)?;
    let chosen = Chosen::load(model, &device)?;
    let size = |number: u16| NonZeroUsize::new(number.into()).unwrap_or(NonZeroUsize::MIN);
    let config = BeamConfig {
        prompt: prime.clone(),
        length: usize::from(*length),
        stop: stop.as_deref().map(unescaped),
        count: size(*count),
        beam_width: size(beam.unwrap_or(BEAM.max(*count))),
    };
    let found = beam_search(&chosen.model, &config).map_err(|error| failure(&error))?;

    let dim = anstyle::Style::new().dimmed();
    say!("{dim}{}{dim:#}", chosen.path.display());
    say!("{dim}whole\teach\tcontinuation{dim:#}");
    for one in &found {
        let text: String = one.text.chars().map(|char| EscapedChar(char).to_string()).collect();
        answer!("{}\t{}\t{text}", shown(one.probability()), shown(one.probability_per_char()))?;
    }
    Ok(())
}
