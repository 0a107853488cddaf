//! Texts that can't be used, and what would help.

use std::path::Path;

use charloom_data::{BatchConfig, CorpusError, Fractions, Part, Split};

use super::dataset;
use crate::report::{Failure, command, quoted};

/// Which fewer rows, or fewer steps, would do for training and validation alike.
pub fn fitting(chars: usize, fractions: Fractions, batch: BatchConfig) -> Option<String> {
    let split = Split::new(chars, fractions);
    let shorter = split.range(Part::Train).len().min(split.range(Part::Valid).len());
    // The largest below what was asked for that makes a batch of both parts.
    let largest = |asked: usize, with: &dyn Fn(usize) -> BatchConfig| {
        (1..asked).rev().find(|&size| with(size).batches_of(shorter) > 0)
    };
    let rows = largest(batch.batch_size, &|batch_size| BatchConfig { batch_size, ..batch });
    let steps = largest(batch.seq_length, &|seq_length| BatchConfig { seq_length, ..batch });
    match (rows, steps) {
        (Some(rows), Some(steps)) => Some(format!("`--batch {rows}` or `--seq {steps}` would fit")),
        (Some(rows), None) => Some(format!("`--batch {rows}` would fit")),
        (None, Some(steps)) => Some(format!("`--seq {steps}` would fit")),
        (None, None) => {
            // Neither alone: a few steps, and as many rows as there are characters for.
            let one = BatchConfig { batch_size: 1, seq_length: 1, ..batch };
            let inputs = one.batches_of(shorter);
            let steps = batch.seq_length.min(inputs).min(8);
            let rows = inputs.checked_div(steps)?.min(batch.batch_size);
            Some(format!("`--batch {rows} --seq {steps}` would fit"))
        }
    }
}

/// A text that can't be used, with where to get one.
pub fn corpus_failure(error: &CorpusError) -> Failure {
    let failure = Failure::request_error(error);
    match error {
        CorpusError::Missing(path) if path == Path::new("datasets/burn-source.txt") => {
            failure.hint(format!(
                "`--text FILE` trains on your own text; `{} dataset get tiny-shakespeare` downloads one (in \
                 charloom's repository, `cargo xtask corpus` writes the default text)",
                command()
            ))
        }
        CorpusError::Missing(path) => failure.maybe_hint(
            dataset::at(path).map(|name| format!("`{} dataset get {name}` downloads it", command())),
        ),
        CorpusError::NotUtf8 { path, .. } => failure.hint(format!(
            "if it is in an older encoding, `iconv -f latin1 -t utf-8 {}` makes it UTF-8",
            quoted(&path.to_string_lossy())
        )),
        CorpusError::UnknownCharacters { .. } => {
            failure.hint("a model reads only texts of the characters that it was trained on")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charloom_data::LastTarget;

    fn hint(chars: usize, batch_size: usize, seq_length: usize) -> Option<String> {
        let batch = BatchConfig { batch_size, seq_length, last_target: LastTarget::Next };
        fitting(chars, Fractions::new(0.1, 0.0).unwrap(), batch)
    }

    #[test]
    fn what_fits_fits_training_and_validation() {
        // 100 characters: 90 and 10, and a batch needs one more than N x T.
        assert_eq!(hint(100, 4, 5).as_deref(), Some("`--batch 1` or `--seq 2` would fit"));
        assert_eq!(hint(100, 4, 20).as_deref(), Some("`--seq 2` would fit"));
        assert_eq!(hint(100, 20, 4).as_deref(), Some("`--batch 2` would fit"));
        assert_eq!(hint(100, 50, 50).as_deref(), Some("`--batch 1 --seq 8` would fit"));
        assert_eq!(hint(30, 50, 50).as_deref(), Some("`--batch 1 --seq 2` would fit"));
        assert_eq!(hint(10, 50, 50), None);
    }
}
