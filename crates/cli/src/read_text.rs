//! Texts that commands read, and what is said about them.

use std::path::{Path, PathBuf};

use charloom_data::{
    Corpus, CorpusError, DataConfig, Documents, Text, TextNote, UNKNOWN_MARK, Unknown, Vocab,
};

use crate::args::UnknownArg;
use crate::corpus_hints::corpus_failure;
use crate::loaded_ensemble::LoadedEnsemble;
use crate::report::{Failure, Result, print_status};
use crate::settings::{self, FormatFlags};

/// The text that the settings name, with its own vocabulary.
pub fn read_corpus(data: &DataConfig) -> Result<Corpus> {
    let text = open(data)?.with_min_count(data.min_count);
    noted(text.corpus().map_err(|error| corpus_failure(&error))?)
}

/// The first `limit` characters of the text that the settings name, in the ids of a vocabulary. Characters that it lacks are
/// folded into its unknown character if it has one, and left out if not, unless `unknown` says otherwise.
pub fn read_corpus_with_vocab(
    data: &DataConfig,
    vocab: &Vocab,
    unknown: Option<UnknownArg>,
    limit: usize,
) -> Result<Corpus> {
    let unknown = unknown.map_or(default_for(vocab), Unknown::from);
    let corpus = open(data)?.first(limit).corpus_with_vocab(vocab, unknown);
    noted(corpus.map_err(|error| corpus_failure(&error))?)
}

/// What happens to unknown characters of texts that are measured.
fn default_for(vocab: &Vocab) -> Unknown {
    match vocab.id(UNKNOWN_MARK) {
        Some(_) => Unknown::Fold,
        None => Unknown::Skip,
    }
}

/// Texts that a model scores, with unknown characters folded if that is asked for, or by default.
pub fn scored_texts(
    texts: &[&str],
    vocab: &Vocab,
    unknown: Option<UnknownArg>,
) -> Result<Vec<String>> {
    let unknown = unknown.map_or(default_for(vocab), Unknown::from);
    let mut known = Vec::with_capacity(texts.len());
    for text in texts {
        if unknown == Unknown::Error {
            vocab.encode(text).map_err(|error| {
                Failure::request_error(&error).hint("`--unknown skip` leaves them out")
            })?;
        }
        known.push(match unknown {
            Unknown::Fold => folded(text, vocab)?,
            // What is left out is counted where the texts are scored.
            Unknown::Error | Unknown::Skip => (*text).to_owned(),
        });
    }
    Ok(known)
}

/// A text with the unknown character of a vocabulary for those that it lacks.
fn folded(text: &str, vocab: &Vocab) -> Result<String> {
    if vocab.id(UNKNOWN_MARK).is_none() {
        return Err(corpus_failure(&CorpusError::NoUnknownMark));
    }
    let fold = |char: char| if vocab.id(char).is_some() { char } else { UNKNOWN_MARK };
    Ok(text.chars().map(fold).collect())
}

/// A prompt from a file. It is no document, but the beginning of one.
pub fn read_prompt(loaded: &LoadedEnsemble, file: &Path) -> Result<String> {
    let data = other_text(loaded, vec![file.to_owned()], &FormatFlags::default())?;
    read_to_string(&DataConfig { documents: Documents::None, ..data })
}

/// A prompt that a model can read, if `unknown` allows it.
pub fn known_prompt(prompt: String, vocab: &Vocab, unknown: Option<UnknownArg>) -> Result<String> {
    match unknown.map_or(Unknown::Error, Unknown::from) {
        // Whoever reads the prompt refuses it, and says which characters are known.
        Unknown::Error => Ok(prompt),
        Unknown::Skip => Ok(prompt.chars().filter(|&char| vocab.id(char).is_some()).collect()),
        Unknown::Fold => folded(&prompt, vocab),
    }
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
