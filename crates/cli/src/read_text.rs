//! Texts that commands read, and what is said about them.

use std::path::PathBuf;

use charloom_data::{Corpus, CorpusError, DataConfig, Text, TextNote, Vocab};

use crate::corpus_hints::corpus_failure;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::report::{Failure, Result, print_status};
use crate::settings::{self, FormatFlags};

/// The text that the settings name, with its own vocabulary.
pub fn read_corpus(data: &DataConfig) -> Result<Corpus> {
    noted(open(data)?.corpus().map_err(|error| corpus_failure(&error))?)
}

/// The text that the settings name, in the ids of a vocabulary.
pub fn read_corpus_with_vocab(data: &DataConfig, vocab: &Vocab) -> Result<Corpus> {
    noted(open(data)?.corpus_with_vocab(vocab).map_err(|error| corpus_failure(&error))?)
}

/// The text that the settings name, as a string.
pub fn read_to_string(data: &DataConfig) -> Result<String> {
    let (text, notes) = open(data)?.read_to_string().map_err(|error| corpus_failure(&error))?;
    print_notes(&notes);
    Ok(text)
}

/// How a model reads other texts than its own: as its training did, but for the encoding.
pub fn other_text(
    loaded: &LoadedEnsemble,
    files: Vec<PathBuf>,
    format: &FormatFlags,
) -> Result<DataConfig> {
    let mut data = settings::data(&loaded.settings()?.over_flags(format)?)?;
    if format.iter().all(|flag| flag.path != "data.encoding") {
        data.encoding = DataConfig::default().encoding;
    }
    data.text = files.into();
    Ok(data)
}

fn open(data: &DataConfig) -> Result<Text> {
    let format = data.format().map_err(|error| {
        Failure::request_error(&error).hint("`utf-8`, `windows-1252` and `gbk` are some names")
    })?;
    Text::open(&data.text, format).map_err(|error: CorpusError| corpus_failure(&error))
}

fn noted(corpus: Corpus) -> Result<Corpus> {
    print_notes(corpus.notes());
    Ok(corpus)
}

fn print_notes(notes: &[TextNote]) {
    for note in notes {
        print_status!("note   {note}");
    }
}
