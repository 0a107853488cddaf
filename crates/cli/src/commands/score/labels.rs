//! `charloom score --labels`: how often the best model for a text is the one that its label names.

use std::path::Path;

use charloom_infer::{ConfusionMatrix, Score, best_model};

use super::models::NamedModel;
use super::{print_summary, score_all, visible};
use crate::args::UnknownArg;
use crate::report::{Failure, Result, pluralize, print_output, print_status, with_thousands};

/// Prints the accuracy and the confusion matrix.
pub fn run(
    models: &[NamedModel],
    files: &[(&Path, String)],
    unknown: Option<UnknownArg>,
) -> Result<()> {
    if models.len() < 2 {
        return Err(Failure::request("`--labels` needs at least two models")
            .hint("`--run NAME` and `--model FILE` may be repeated"));
    }
    let mut labels = Vec::new();
    let mut texts = Vec::new();
    for (path, content) in files {
        for (number, line) in content.lines().enumerate() {
            // Empty lines are skipped, such as at the end of a file.
            if line.is_empty() {
                continue;
            }
            let (label, text) = labelled(models, line, path, number + 1)?;
            labels.push(label);
            texts.push(text);
        }
    }
    let scores = score_all(models, &texts, unknown)?;
    let mut confusion = ConfusionMatrix::new(models.len());
    for (index, &label) in labels.iter().enumerate() {
        let scores: Vec<Score> = scores.iter().map(|scores| scores[index]).collect();
        if let Some(best) = best_model(&scores) {
            confusion.add(label, best);
        }
    }
    let Some(accuracy) = confusion.accuracy() else {
        return Err(Failure::request("all labelled texts are empty"));
    };
    print_summary(models, &scores);
    let skipped = labels.len() - confusion.total();
    if skipped > 0 {
        print_status!("skipped {}", pluralize(skipped, "empty text"));
    }
    print_output!(
        "accuracy  {:.2} %, {} of {}",
        100.0 * accuracy,
        with_thousands(confusion.correct() as u64),
        pluralize(confusion.total(), "text")
    )?;
    print_matrix(models, &confusion)
}

/// The index of the model that a line's label names, and the line's text.
fn labelled<'a>(
    models: &[NamedModel],
    line: &'a str,
    path: &Path,
    number: usize,
) -> Result<(usize, &'a str)> {
    let place = format!("line {number} of `{}`", path.display());
    let Some((label, text)) = line.split_once('\t') else {
        return Err(Failure::request(format!("{place} has no tab"))
            .hint("with `--labels`, each line is a label, a tab and a text"));
    };
    let names = || models.iter().map(|model| format!("`{}`", model.name)).collect::<Vec<_>>();
    let model = models.iter().position(|model| model.name == label).ok_or_else(|| {
        Failure::request(format!(
            "{place} has the label `{}`, which is not the name of a model",
            visible(label)
        ))
        .hint(format!("model names: {}", names().join(", ")))
    })?;
    Ok((model, text))
}

/// Prints the confusion matrix: a row for each label, a column for each model that scored best.
fn print_matrix(models: &[NamedModel], confusion: &ConfusionMatrix) -> Result<()> {
    const CORNER: &str = "label / best model";
    let width = |name: &str| name.chars().count();
    let first = models.iter().map(|model| width(&model.name)).max().unwrap_or(0);
    let first = first.max(width(CORNER));
    let cells =
        |label: usize| confusion.row(label).iter().map(|&count| with_thousands(count as u64));
    let widths: Vec<usize> = (models.iter().enumerate())
        .map(|(column, model)| {
            let counts = (0..models.len()).filter_map(|label| cells(label).nth(column));
            counts.map(|count| width(&count)).max().unwrap_or(0).max(width(&model.name))
        })
        .collect();
    let print_row = |head: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells = cells.zip(&widths).map(|(cell, &width)| format!("  {cell:>width$}"));
        print_output!("{head:<first$}{}", cells.collect::<String>())
    };
    print_output!("")?;
    print_row(CORNER, &mut models.iter().map(|model| model.name.clone()))?;
    for (label, model) in models.iter().enumerate() {
        print_row(&model.name, &mut cells(label))?;
    }
    Ok(())
}
