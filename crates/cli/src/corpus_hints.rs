//! Hints for texts that can't be used.

use std::path::Path;

use charloom_data::{BatchConfig, Corpus, CorpusError, DataConfig, FileKind, Part, Validation};

use crate::commands::dataset;
use crate::report::{Failure, command, quoted_path};

/// The number of characters of the shortest part of a text that is divided into batches.
pub fn shortest_part(corpus: &Corpus, data: &DataConfig) -> Option<usize> {
    let split = corpus.split(data.fractions().ok()?);
    let mut parts = vec![split.range(Part::Train)];
    if data.validation == Validation::Rows {
        parts.push(split.range(Part::Valid));
    }
    parts.into_iter().map(|part| part.len()).min()
}

/// A hint at a smaller batch size or sequence length that fits a text.
pub fn smaller_batches(corpus: &Corpus, data: &DataConfig) -> Option<String> {
    let shortest = shortest_part(corpus, data)?;
    let batch = data.batch();
    // The largest size below the requested one that makes a batch.
    let largest = |requested: usize, with: &dyn Fn(usize) -> BatchConfig| {
        (1..requested).rev().find(|&size| with(size).batches_of(shortest) > 0)
    };
    let rows = largest(batch.batch_size, &|batch_size| BatchConfig { batch_size, ..batch });
    let steps = largest(batch.seq_length, &|seq_length| BatchConfig { seq_length, ..batch });
    match (rows, steps) {
        (Some(rows), Some(steps)) => {
            Some(format!("`--batch-size {rows}` or `--seq-length {steps}` would fit"))
        }
        (Some(rows), None) => Some(format!("`--batch-size {rows}` would fit")),
        (None, Some(steps)) => Some(format!("`--seq-length {steps}` would fit")),
        (None, None) => {
            // Both have to be smaller: a few steps, and as many rows as the text has characters for.
            let one = BatchConfig { batch_size: 1, seq_length: 1, ..batch };
            let inputs = one.batches_of(shortest);
            let steps = batch.seq_length.min(inputs).min(8);
            let rows = inputs.checked_div(steps)?.min(batch.batch_size);
            Some(format!("`--batch-size {rows} --seq-length {steps}` would fit"))
        }
    }
}

/// The failure of a text that can't be used.
pub fn corpus_failure(error: &CorpusError) -> Failure {
    let failure = Failure::request_error(error);
    match error {
        CorpusError::Missing(path) if path == Path::new("datasets/burn-source.txt") => {
            failure.hint(format!(
                "`--text FILE` names your own text; `{} dataset get tiny-shakespeare` downloads one (in \
                 charloom's repository, `cargo xtask corpus` writes the default text)",
                command()
            ))
        }
        CorpusError::Missing(path) => failure.maybe_hint(
            dataset::at(path).map(|name| format!("`{} dataset get {name}` downloads it", command())),
        ),
        CorpusError::NotText { path, kind } => failure.maybe_hint(other_kind(path, *kind)),
        CorpusError::Cut { .. } => failure
            .hint("a file that was copied or downloaded in part is truncated: copy it again"),
        CorpusError::OtherEncoding { encoding, .. } => failure.hint(format!(
            "`--encoding {}` reads it so; any name of an encoding may be given",
            encoding.to_lowercase()
        )),
        CorpusError::Malformed { .. } => failure.hint(
            "`--encoding NAME` reads another encoding, such as windows-1252, koi8-r, shift_jis or gbk",
        ),
        CorpusError::NoFiles(_) => failure
            .hint("a text is in files, in a folder with files, or in those that a pattern such as `'poems/*.txt'` matches"),
        CorpusError::UnknownCharacters { .. } | CorpusError::UnknownInBook { .. } => failure.hint(
            "a model can only read the characters that it was trained on; `--unknown skip` leaves others out",
        ),
        CorpusError::NoUnknownMark => failure
            .hint("`--unknown skip` leaves such characters out; a model trained with `--min-count` folds them"),
        CorpusError::OnlyRare { .. } => failure.hint("a smaller `--min-count` keeps more characters"),
        _ => failure,
    }
}

/// What makes a text of a file of another kind.
fn other_kind(path: &Path, kind: FileKind) -> Option<String> {
    let file = quoted_path(path);
    let text = quoted_path(&path.with_extension("txt"));
    let piped =
        |program: &str| format!("`{program} {file} | {} train --text -` reads it", command());
    Some(match kind {
        FileKind::Gzip => piped("gzip -dc --"),
        FileKind::Bzip2 => piped("bzip2 -dc --"),
        FileKind::Xz => piped("xz -dc --"),
        FileKind::Zstd => piped("zstd -dc --"),
        FileKind::Zip => {
            format!("`unzip -l {file}` lists what is in it; a document can be saved as plain text")
        }
        FileKind::SevenZip => format!("`7z x {file}` unpacks it"),
        FileKind::Pdf => format!("`pdftotext {file} {text}` extracts its text"),
        FileKind::Rtf | FileKind::OldOffice => "save it as plain text".to_owned(),
        FileKind::PyTorch | FileKind::Pickle => {
            format!("`{} import {file}` imports a model", command())
        }
        FileKind::Safetensors => format!("`{} inspect {file}` shows what is in a model", command()),
        FileKind::Utf32 => format!("`iconv -f utf-32 -t utf-8 {file} > {text}` converts it"),
        FileKind::UnmarkedUtf16 => {
            "`--encoding utf-16le` (of Windows) or `--encoding utf-16be` reads it".to_owned()
        }
        FileKind::Image
        | FileKind::Media
        | FileKind::Sqlite
        | FileKind::Program
        | FileKind::Binary => {
            return None;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(chars: usize) -> Corpus {
        Corpus::from_text(&"ab".repeat(chars / 2)).unwrap()
    }

    fn hint(chars: usize, batch_size: usize, seq_length: usize) -> Option<String> {
        let validation = Validation::Rows;
        smaller_batches(
            &text(chars),
            &DataConfig { batch_size, seq_length, validation, ..DataConfig::default() },
        )
    }

    #[test]
    fn the_suggested_sizes_fit_training_and_validation() {
        // 100 characters: 90 and 10, and a batch needs one more than N x T.
        for (chars, batch_size, seq_length, fits) in [
            (100, 4, 5, "`--batch-size 1` or `--seq-length 2` would fit"),
            (100, 4, 20, "`--seq-length 2` would fit"),
            (100, 20, 4, "`--batch-size 2` would fit"),
            (100, 50, 50, "`--batch-size 1 --seq-length 8` would fit"),
            (30, 50, 50, "`--batch-size 1 --seq-length 2` would fit"),
        ] {
            assert_eq!(hint(chars, batch_size, seq_length).as_deref(), Some(fits));
        }
        assert_eq!(hint(10, 50, 50), None);
    }

    #[test]
    fn only_training_needs_a_batch_if_all_characters_are_validated() {
        let data = DataConfig { batch_size: 40, seq_length: 8, ..DataConfig::default() };
        let fits = "`--batch-size 11` or `--seq-length 2` would fit";
        assert_eq!(smaller_batches(&text(100), &data).as_deref(), Some(fits));
    }
}
